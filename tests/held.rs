//! Applications that Argo CD does not sync by itself, on a real one: `up` names each with what to type, and does not call
//! it done.

use bridgehead::files;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use crate::kit::{Lab, Outcome};

const PROFILE: &str = r#"
[hub.local]
[spokes.dev]
environment = "dev"
[spokes.dev.local]
[argocd.params]
"applicationsetcontroller.enable.progressive.syncs" = "true"
[repos.addons]
url = "../.."
basepath = "addons/"
path = "bootstrap"
"#;

const AUTOMATED: &str = "{automated: {prune: true, selfHeal: true}}";

struct Site(Lab);

impl Site {
    /// One set for the spoke, with what a test says of it.
    fn write(&self, strategy: &str, annotations: &str, policy: &str) {
        let set = format!(
            "
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: docs}}
spec:
  goTemplate: true
  strategy: {strategy}
  generators:
    - clusters: {{selector: {{matchLabels: {{environment: dev}}}}}}
  template:
    metadata: {{name: 'docs-{{{{ .name }}}}', labels: {{ring: first}}, annotations: {annotations}}}
    spec:
      project: default
      source:
        repoURL: '{{{{ .metadata.annotations.addons_repo_url }}}}'
        targetRevision: '{{{{ .metadata.annotations.addons_repo_revision }}}}'
        path: '{{{{ .metadata.annotations.addons_repo_basepath }}}}docs'
      destination: {{name: '{{{{ .name }}}}', namespace: default}}
      syncPolicy: {policy}
"
        );
        self.write_file("addons/bootstrap/docs.yaml", &set);
    }

    fn write_docs(&self, text: &str) {
        let map =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: docs}}\ndata: {{where: {text}}}\n");
        self.write_file("addons/docs/docs.yaml", &map);
    }

    fn write_file(&self, name: &str, text: &str) {
        let path = self.0.path("root").join(name);
        files::make_folder(path.parent().unwrap()).unwrap();
        files::replace(&path, text.as_bytes(), 0o644).unwrap();
    }

    /// `up` fails for want of a person, and says so at once: it has not waited until its patience ended.
    fn is_held(&self, reason: &str, remedy: &str) {
        let up = self.0.bridgehead(&["up", "held", "--yes"]);
        assert_eq!(up.code(), 4, "{}", up.stderr);
        for text in ["Application argocd/docs-dev", reason, remedy] {
            assert!(up.stderr.contains(text), "{text}:\n{}", up.stderr);
        }
    }

    fn up(&self) -> Outcome {
        self.0.ok(&["up", "held", "--yes"])
    }

    async fn api(&self, kind: &str) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind));
        Api::namespaced_with(self.0.client("held", "hub").await, "argocd", &kind)
    }

    /// How the Application compares, and how its objects are.
    async fn status(&self) -> [Value; 2] {
        let application = self.api("Application").await.get("docs-dev").await.unwrap();
        [&application.data["status"]["sync"]["status"], &application.data["status"]["health"]["status"]]
            .map(Clone::clone)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_syncs_is_named_and_not_done() {
    let site = Site(Lab::new());
    site.0.write_profile("held", PROFILE);
    site.write_docs("wiki");
    a_manual_policy(&site).await;
    a_rolling_sync(&site).await;
    a_sync_window(&site).await;
    an_annotation(&site);
}

async fn a_manual_policy(site: &Site) {
    site.write("{}", "{}", "{}");
    site.is_held("its sync policy is manual", "argocd app sync docs-dev");
    assert_eq!(site.status().await, ["OutOfSync", "Missing"]);
    // A plan tells it, and has a digest all the same: it is nothing that a run would decide.
    let plan = site.0.bridgehead(&["plan", "held"]);
    assert_eq!(plan.code(), 0, "{}", plan.stderr);
    assert!(plan.stdout.contains("its sync policy is manual"), "{}", plan.stdout);
    let status = site.0.ok(&["status", "held"]).stdout;
    assert!(status.contains("its sync policy is manual"), "{status}");
}

/// The set takes the automated policy away, and syncs when it is the Application's turn.
async fn a_rolling_sync(site: &Site) {
    let rolling = |ring: &str, most: &str| {
        let step = format!("{{matchExpressions: [{{key: ring, operator: In, values: [{ring}]}}]{most}}}");
        site.write(&format!("{{type: RollingSync, rollingSync: {{steps: [{step}]}}}}"), "{}", AUTOMATED);
    };
    rolling("first", ", maxUpdate: 0");
    site.is_held("step 1 of the RollingSync of docs has a maxUpdate of 0", "argocd app sync docs-dev");
    rolling("other", "");
    site.is_held("no step of the RollingSync of docs selects it", "argocd app sync docs-dev");
    rolling("first", "");
    site.up();
    assert_eq!(site.status().await, ["Synced", "Healthy"], "its turn was waited for");
}

async fn a_sync_window(site: &Site) {
    site.write("{}", "{}", AUTOMATED);
    site.up();
    let windows = |windows: Value| Patch::Merge(json!({ "spec": { "syncWindows": windows } }));
    let always =
        json!([{ "kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["docs-*"] }]);
    let (projects, parameters) = (site.api("AppProject").await, PatchParams::default());
    projects.patch("default", &parameters, &windows(always)).await.unwrap();
    site.write_docs("paper");
    site.is_held("the sync window `deny * * * * * for 1h`", "argocd proj windows list default");
    projects.patch("default", &parameters, &windows(Value::Null)).await.unwrap();
}

fn an_annotation(site: &Site) {
    let skip = "argocd.argoproj.io/skip-reconcile";
    site.write("{}", &format!("{{{skip}: 'true'}}"), AUTOMATED);
    site.is_held("makes Argo CD leave it alone", &format!("annotate application docs-dev {skip}-"));
    // Its controller would leave it alone for ever, also when it is deleted.
    let down = site.0.ok(&["down", "held", "--yes"]);
    assert!(down.stderr.contains("delete Application argocd/docs-dev"), "{}", down.stderr);
}
