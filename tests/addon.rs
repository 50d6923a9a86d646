//! Addons switched by label, on real servers: on, off, off with its objects left running, and off of a set that
//! leaves its objects behind, as those of the ecosystem do.

use bridgehead::files;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::kit::Lab;
use crate::kit::process::{self, signal};
use crate::kit::wait::eventually;

const PROFILE: &str = r#"
[hub.local]
[spokes.dev]
environment = "dev"   # a comment that stays
[spokes.dev.local]
[spokes.idle.local]
[addons]
priority_classes = false
team_docs = false
[repos.addons]
url = "../.."
basepath = "addons/"
path = "bootstrap"
"#;

/// A set of the ecosystem's kind: what it deploys stays when its Application goes.
const PRESERVING_SET: &str = r"
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: team-docs}
spec:
  goTemplate: true
  syncPolicy: {preserveResourcesOnDeletion: true}
  generators:
    - clusters:
        selector:
          matchExpressions: [{key: enable_team_docs, operator: In, values: ['true']}]
  template:
    metadata: {name: 'team-docs-{{ .name }}'}
    spec:
      project: default
      source:
        repoURL: '{{ .metadata.annotations.addons_repo_url }}'
        targetRevision: '{{ .metadata.annotations.addons_repo_revision }}'
        path: '{{ .metadata.annotations.addons_repo_basepath }}team_docs'
      destination: {name: '{{ .name }}', namespace: default}
      syncPolicy: {automated: {}}
";

const DOCS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: team-docs}\ndata: {where: wiki}\n";

struct Site {
    lab: Lab,
    classes: Api<PriorityClass>,
    docs: Api<ConfigMap>,
    secrets: Api<Secret>,
}

impl Site {
    /// A hub and a spoke with the addons off, and keys of somebody else on the spoke's Secret.
    async fn up() -> Self {
        let lab = Lab::new();
        lab.write_profile("switch", PROFILE);
        let addons = lab.path("root/addons");
        files::make_folder(&addons.join("team_docs")).unwrap();
        files::replace(&addons.join("bootstrap/team_docs.yaml"), PRESERVING_SET.as_bytes(), 0o644).unwrap();
        files::replace(&addons.join("team_docs/docs.yaml"), DOCS.as_bytes(), 0o644).unwrap();
        lab.ok(&["up", "switch"]);
        let dev = lab.client("switch", "dev").await;
        let secrets: Api<Secret> = Api::namespaced(lab.client("switch", "hub").await, "argocd");
        let theirs =
            json!({"metadata": {"labels": {"team": "docs"}, "annotations": {"example.com/why": "ours"}}});
        secrets.patch("dev", &PatchParams::default(), &Patch::Merge(theirs)).await.unwrap();
        Self { classes: Api::all(dev.clone()), docs: Api::namespaced(dev, "default"), secrets, lab }
    }

    fn profile(&self) -> String {
        files::read(&self.lab.profile("switch")).unwrap()
    }

    async fn label(&self, cluster: &str, addon: &str) -> String {
        let secret = self.secrets.get(cluster).await.unwrap().metadata;
        secret.labels.unwrap()[&format!("enable_{addon}")].clone()
    }

    async fn classes_are_there(&self) -> bool {
        self.classes.get_opt("workload-high").await.unwrap().is_some()
    }

    async fn docs_are_there(&self) -> bool {
        self.docs.get_opt("team-docs").await.unwrap().is_some()
    }

    /// The cell of the matrix of an addon on the spoke.
    fn cell(&self, addon: &str) -> Value {
        let matrix = self.lab.ok(&["addon", "list", "switch", "--output", "json"]).document();
        let row = matrix.as_array().unwrap().iter().find(|row| row["addon"] == addon).unwrap();
        row["clusters"].as_array().unwrap().iter().find(|cell| cell["cluster"] == "dev").unwrap().clone()
    }

    /// Nothing is left to do, and the keys of others are where they were.
    async fn is_settled(&self) {
        let plan = self.lab.bridgehead(&["plan", "switch", "--exit-code"]);
        assert_eq!(plan.code(), 0, "{}", plan.stdout);
        let secret = self.secrets.get("dev").await.unwrap().metadata;
        assert_eq!(secret.labels.unwrap()["team"], "docs");
        assert_eq!(secret.annotations.unwrap()["example.com/why"], "ours");
        assert!(self.profile().contains("# a comment that stays"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addons_are_switched_by_label() {
    let site = Site::up().await;
    on(&site).await;
    what_else_is_pending_stays_so(&site).await;
    a_dead_cluster_that_is_not_named_is_no_hindrance(&site).await;
    off_says_what_goes(&site).await;
    off_with_keep(&site).await;
    what_was_kept_is_uninstalled_by_a_later_off(&site).await;
    a_preserving_set_is_uninstalled_all_the_same(&site).await;
    an_addon_that_no_set_knows_is_an_error(&site).await;
    what_cannot_be_listed_stops_nothing(&site).await;
}

async fn on(site: &Site) {
    let on = site.lab.ok(&["addon", "on", "switch", "priority_classes", "--cluster", "dev"]);
    let said = "dev: Application priority-classes-dev, of the ApplicationSet priority-classes";
    assert!(on.stderr.contains(said), "{}", on.stderr);
    assert!(!on.stderr.contains("stay pending"), "{}", on.stderr);
    assert!(site.classes_are_there().await);
    assert_eq!(site.label("dev", "priority_classes").await, "true");
    assert_eq!(site.label("hub", "priority_classes").await, "false");
    let cell = site.cell("priority_classes");
    assert_eq!((&cell["profile"], &cell["label"]), (&json!(true), &json!("true")));
    assert_eq!(cell["applications"][0]["name"], "priority-classes-dev");
    site.is_settled().await;
}

/// The profile has been edited by hand: one addon off, another on, a label. None of that is what is asked for.
async fn what_else_is_pending_stays_so(site: &Site) {
    let profile = site.profile();
    let edited = profile.replace("priority_classes = true", "priority_classes = false");
    let edited = edited.replace("[addons]\n", "[hub.labels]\ntier = \"gold\"\n[addons]\n");
    assert_eq!(edited.matches("priority_classes = true").count(), 0);
    site.lab.write_profile("switch", &edited);
    let before = site.secrets.get("hub").await.unwrap().metadata;
    for way in ["on", "off"] {
        let outcome = site.lab.ok(&["addon", way, "switch", "team_docs", "--cluster", "dev"]);
        let said = "stay pending (1 on hub, 1 on dev): see `bridgehead plan switch`";
        assert!(outcome.stderr.contains(said), "{way}: {}", outcome.stderr);
        assert_eq!(site.docs_are_there().await, way == "on");
        assert_eq!(site.label("dev", "priority_classes").await, "true", "after {way}");
        assert!(site.classes_are_there().await, "after {way}");
        let hub = site.secrets.get("hub").await.unwrap().metadata;
        assert_eq!(
            (hub.labels, hub.resource_version),
            (before.labels.clone(), before.resource_version.clone())
        );
    }
    site.lab.write_profile("switch", &profile);
    site.lab.ok(&["up", "switch"]);
    site.is_settled().await;
}

async fn a_dead_cluster_that_is_not_named_is_no_hindrance(site: &Site) {
    let idle = process::below(&site.lab.state("switch").join("idle"));
    assert!(!idle.is_empty());
    let all = |with| idle.iter().for_each(|process| signal(process.pid, with));
    all(Signal::STOP);
    site.lab.ok(&["addon", "on", "switch", "team_docs", "--cluster", "dev"]);
    assert!(site.docs_are_there().await);
    assert_eq!(site.label("idle", "team_docs").await, "false");
    site.lab.ok(&["addon", "off", "switch", "team_docs", "--cluster", "dev"]);
    assert!(!site.docs_are_there().await);

    // One that is named is another matter: what goes there cannot be seen.
    let before = site.profile();
    let off = site.lab.bridgehead(&["addon", "off", "switch", "team_docs", "--cluster", "idle"]);
    assert_eq!(off.code(), 4, "{}", off.stderr);
    assert!(off.stderr.contains("idle"), "{}", off.stderr);
    assert_eq!(site.profile(), before);
    a_wave_that_does_not_get_there_is_the_last(site).await;
    all(Signal::CONT);
    the_same_command_goes_on_in_waves(site).await;
    site.is_settled().await;
}

/// Of three waves the second one meets a cluster that is away: the third is not begun, in the profile neither.
async fn a_wave_that_does_not_get_there_is_the_last(site: &Site) {
    let on = site.lab.bridgehead(&["addon", "on", "switch", "team_docs", "--wave", "1"]);
    assert_eq!(on.code(), 4, "{}", on.stderr);
    for told in [
        "\n  wave 1: dev\n  wave 2: idle\n  wave 3: hub\n",
        "wave 2 of 3 did not get there: idle; not begun, and as before: hub\n",
        "to continue: bridgehead addon on switch team_docs --wave 1\n",
        "to go back: bridgehead addon off switch team_docs --wave 1\n",
    ] {
        assert!(on.stderr.contains(told), "{told}:\n{}", on.stderr);
    }
    assert!(site.docs_are_there().await);
    assert_eq!(site.label("hub", "team_docs").await, "false");
    let profile = site.profile().parse::<toml::Table>().unwrap();
    assert_eq!(profile["spokes"]["dev"]["addons"]["team_docs"], toml::Value::Boolean(true));
    assert!(
        profile["hub"].get("addons").is_none()
            && profile["addons"]["team_docs"] == toml::Value::Boolean(false)
    );
}

async fn the_same_command_goes_on_in_waves(site: &Site) {
    site.lab.ok(&["addon", "on", "switch", "team_docs", "--wave", "1"]);
    let profile = site.profile().parse::<toml::Table>().unwrap();
    assert_eq!(profile["addons"]["team_docs"], toml::Value::Boolean(true), "on all of the site");
    for cluster in ["hub", "dev", "idle"] {
        assert_eq!(site.label(cluster, "team_docs").await, "true", "{cluster}");
    }
    let label = ["--label", "fleet_member=spoke", "--label", "enable_team_docs=true"];
    site.lab.ok(&[&["addon", "off", "switch", "team_docs", "--wave", "50%"], &label[..]].concat());
    assert!(!site.docs_are_there().await);
    let states = [site.label("hub", "team_docs").await, site.label("idle", "team_docs").await];
    assert_eq!(states, ["true", "false"]);
    site.lab.ok(&["addon", "off", "switch", "team_docs"]);
    let profile = site.profile().parse::<toml::Table>().unwrap();
    assert_eq!(profile["addons"]["team_docs"], toml::Value::Boolean(false));
}

async fn off_says_what_goes(site: &Site) {
    let off = site.lab.ok(&["addon", "off", "switch", "priority_classes", "--cluster", "dev"]);
    for named in ["priority-classes-dev", "PriorityClass workload-high"] {
        assert!(off.stderr.contains(named), "{named}:\n{}", off.stderr);
    }
    assert!(!site.classes_are_there().await);
    assert_eq!(site.label("dev", "priority_classes").await, "false");
    site.is_settled().await;
}

async fn off_with_keep(site: &Site) {
    site.lab.ok(&["addon", "on", "switch", "priority_classes", "--cluster", "dev"]);
    site.lab.ok(&["addon", "off", "switch", "priority_classes", "--cluster", "dev", "--keep"]);
    assert!(site.classes_are_there().await);
    assert_eq!(site.label("dev", "priority_classes").await, "false");
    let cell = site.cell("priority_classes");
    assert_eq!(cell["applications"], json!([]));
    assert_eq!(cell["left_behind"][0]["application"], "priority-classes-dev");
    site.is_settled().await;
}

async fn what_was_kept_is_uninstalled_by_a_later_off(site: &Site) {
    site.lab.ok(&["addon", "off", "switch", "priority_classes", "--cluster", "dev", "--yes"]);
    assert!(!site.classes_are_there().await);
    assert_eq!(site.cell("priority_classes")["left_behind"], json!([]));
    site.is_settled().await;
}

async fn a_preserving_set_is_uninstalled_all_the_same(site: &Site) {
    site.lab.ok(&["addon", "on", "switch", "team_docs", "--cluster", "dev"]);
    assert!(site.docs_are_there().await);
    let off = site.lab.ok(&["addon", "off", "switch", "team_docs", "--cluster", "dev", "--yes"]);
    assert!(off.stderr.contains("leaves its objects behind"), "{}", off.stderr);
    assert!(!site.docs_are_there().await);
    assert_eq!(site.cell("team_docs")["left_behind"], json!([]));
    site.is_settled().await;
}

/// Its label is there all the same, on every cluster: sets that come later may read it.
async fn an_addon_that_no_set_knows_is_an_error(site: &Site) {
    let on = site.lab.bridgehead(&["addon", "on", "switch", "no_such_addon", "--cluster", "dev"]);
    assert_eq!(on.code(), 4, "{}", on.stderr);
    assert!(on.stderr.contains("enable_no_such_addon"), "{}", on.stderr);
    for (cluster, label) in [("dev", "true"), ("hub", "false"), ("idle", "false")] {
        assert_eq!(site.label(cluster, "no_such_addon").await, label, "{cluster}");
    }
}

/// A kind whose objects cannot be listed, because nobody converts them to the version that is preferred.
fn broken_kind() -> [Value; 3] {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let version = |name, storage| json!({"name": name, "served": true, "storage": storage, "schema": schema});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Thing", "plural": "things"},
                 "versions": [version("v2", false), version("v1", true)]},
    });
    let thing = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}});
    let webhook =
        json!({"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/"}});
    [definition, thing, json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": webhook}}})]
}

/// Makes the kind, and an API group whose server is not there.
async fn break_kinds(client: Client) {
    let api = |group: &str, version: &str, kind: &str| -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::all_with(client.clone(), &kind)
    };
    let [definition, thing, conversion] = broken_kind();
    let (definitions, things) =
        (api("apiextensions.k8s.io", "v1", "CustomResourceDefinition"), api("example.com", "v1", "Thing"));
    let create = PostParams::default();
    definitions.create(&create, &serde_json::from_value(definition).unwrap()).await.unwrap();
    eventually("the kind", async || {
        things.create(&create, &serde_json::from_value(thing.clone()).unwrap()).await.is_ok()
    })
    .await;
    let parameters = PatchParams::default();
    definitions.patch("things.example.com", &parameters, &Patch::Merge(conversion)).await.unwrap();
    let dead = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.dead.example.com"},
        "spec": {"group": "dead.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
                 "insecureSkipTLSVerify": true, "service": {"name": "dead", "namespace": "default"}},
    });
    let services = api("apiregistration.k8s.io", "v1", "APIService");
    services.create(&create, &serde_json::from_value(dead).unwrap()).await.unwrap();
    eventually("the dead API", async || {
        let groups = client.list_api_groups_aggregated().await.unwrap().items;
        groups
            .iter()
            .any(|group| group.metadata.as_ref().unwrap().name.as_deref() == Some("dead.example.com"))
    })
    .await;
}

async fn what_cannot_be_listed_stops_nothing(site: &Site) {
    site.lab.ok(&["addon", "on", "switch", "priority_classes", "--cluster", "dev"]);
    break_kinds(site.lab.client("switch", "dev").await).await;
    let unseen = site.cell("priority_classes")["unseen"].to_string();
    let off = site.lab.ok(&["addon", "off", "switch", "priority_classes", "--cluster", "dev", "--yes"]);
    assert!(!site.classes_are_there().await);
    for named in ["Thing.example.com cannot be listed", "everything of dead.example.com/v1 cannot be listed"]
    {
        assert!(unseen.contains(named), "{named}: {unseen}");
        assert_eq!(off.stderr.matches(named).count(), 1, "{named}: {}", off.stderr);
    }
}
