//! On the shapes that the ecosystem's repositories really have.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::gitops::fleet::Registered;

/// A cluster as Argo CD knows it, with the labels `key=value`.
fn cluster(name: &str, labels: &[&str]) -> Registered {
    let labels = labels.iter().filter_map(|label| label.split_once('='));
    Registered {
        name: name.to_owned(),
        server: format!("https://{name}.example"),
        secret: Some(name.to_owned()),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        annotations: BTreeMap::from([("addons_repo_url".to_owned(), "https://git.example/a.git".to_owned())]),
        cluster: None,
        ours: true,
    }
}

fn fleet() -> Vec<Registered> {
    vec![
        cluster("hub", &["environment=control-plane", "fleet_member=control-plane"]),
        cluster("dev", &["environment=dev", "enable_cert_manager=true"]),
        cluster("Prod_1", &["environment=prod", "enable_cert_manager=true", "aws_cluster_name=prod"]),
    ]
}

fn unregistered_hub() -> Registered {
    Registered { secret: None, ..cluster("in-cluster", &[]) }
}

/// A set of these generators (YAML), whose Applications are named and placed by the cluster.
fn set(generators: &str, more: &str) -> ApplicationSet {
    let template = "metadata: {name: 'addon-{{name}}-{{values.addonChart}}'}, spec: {project: default, destination: {name: '{{name}}'}}";
    let text = format!(
        "metadata: {{name: a}}\nspec:\n  template: {{{template}}}\n  {more}\n  generators:\n{generators}"
    );
    serde_saphyr::from_str(&text).expect("it is an ApplicationSet")
}

fn selected(set: &ApplicationSet, registered: &[Registered]) -> Option<Vec<String>> {
    set.selection(registered).map(|selection| selection.clusters.into_iter().collect())
}

/// One of the control-plane template's sets.
const MERGE: &str = "
  - merge:
      mergeKeys: [server]
      generators:
      - clusters:
          values: {addonChart: cert-manager, addonChartVersion: v1.14.0}
          selector:
            matchExpressions:
            - {key: akuity.io/argo-cd-cluster-name, operator: NotIn, values: [in-cluster]}
            - {key: enable_cert_manager, operator: In, values: ['true']}
      - clusters:
          selector: {matchLabels: {environment: staging}}
          values: {addonChartVersion: v1.14.1}
      - clusters:
          selector: {matchLabels: {environment: prod}}
          values: {addonChart: cert-manager-prod}
";

#[test]
fn the_first_generator_of_a_merge_selects_and_the_others_override() {
    let set = set(MERGE, "syncPolicy: {preserveResourcesOnDeletion: true}");
    assert_eq!(selected(&set, &fleet()), Some(vec!["Prod_1".to_owned(), "dev".to_owned()]));
    assert_eq!(set.addons(), BTreeSet::from(["cert_manager".to_owned()]));
    assert!(set.preserves());
    let names: Vec<_> = fleet().iter().flat_map(|cluster| set.application_names(cluster)).collect();
    // A cluster that is not selected now has a name all the same: of what it may have left behind.
    assert_eq!(names, ["addon-hub-cert-manager", "addon-dev-cert-manager", "addon-Prod_1-cert-manager-prod"]);
}

#[test]
fn an_empty_selector_selects_the_hub_that_nobody_registered_and_any_other_does_not() {
    let mut registered = fleet();
    registered.push(unregistered_hub());
    assert_eq!(selected(&set("  - clusters: {}", ""), &registered).map(|names| names.len()), Some(4));
    let not_hub = "  - clusters: {selector: {matchExpressions: [{key: environment, operator: NotIn, values: [control-plane]}]}}";
    let spokes = vec!["Prod_1".to_owned(), "dev".to_owned()];
    assert_eq!(selected(&set(not_hub, ""), &registered), Some(spokes));
}

#[test]
fn presence_of_a_label_selects() {
    let with = |operator| {
        let selector = format!("{{matchExpressions: [{{key: aws_cluster_name, operator: {operator}}}]}}");
        selected(&set(&format!("  - clusters: {{selector: {selector}}}"), ""), &fleet())
    };
    assert_eq!(with("Exists"), Some(vec!["Prod_1".to_owned()]));
    assert_eq!(with("DoesNotExist"), Some(vec!["dev".to_owned(), "hub".to_owned()]));
}

#[test]
fn a_matrix_may_make_nothing_for_a_cluster_that_it_selects() {
    let matrix = "
  - matrix:
      generators:
      - clusters: {selector: {matchLabels: {enable_cert_manager: 'true'}}}
      - git: {repoURL: 'https://git.example/a.git', revision: main, directories: [{path: apps/*}]}
";
    let set = set(matrix, "");
    let selection = set.selection(&fleet()).expect("clusters decide");
    assert_eq!((selection.clusters.len(), selection.exact), (2, false));
    assert_eq!(set.addons(), BTreeSet::from(["cert_manager".to_owned()]));
    assert!(set.reads("https://git.example/a.git") && !set.reads("https://git.example/b.git"));
}

#[test]
fn what_the_clusters_do_not_decide_is_not_known() {
    for generators in [
        "  - list: {elements: [{name: dev}]}",
        "  - git: {repoURL: 'https://git.example/a.git', files: [{path: '*.json'}]}",
        "  - clusters: {}\n  - plugin: {configMapRef: {name: x}}",
        "  - clusters: {}\n    selector: {matchLabels: {x: 'y'}}",
    ] {
        assert_eq!(set(generators, "").selection(&fleet()), None, "{generators}");
    }
    let text = "{metadata: {name: a}, spec: {generators: [{clusters: {}}], template: {metadata: {name: x}, spec: {destination: {server: https://hub}}}}}";
    let fixed: ApplicationSet = serde_saphyr::from_str(text).expect("it is an ApplicationSet");
    assert_eq!(fixed.selection(&fleet()), None);
}

#[test]
fn finalizers_of_the_template_decide_before_the_sync_policy() {
    let preserves = |finalizers: &str, policy: &str| {
        let text = format!(
            "{{metadata: {{name: a}}, spec: {{syncPolicy: {policy}, template: {{metadata: {{name: x, finalizers: {finalizers}}}}}}}}}"
        );
        serde_saphyr::from_str::<ApplicationSet>(&text).expect("it is an ApplicationSet").preserves()
    };
    assert!(!preserves("[]", "{}"));
    assert!(preserves("[]", "{preserveResourcesOnDeletion: true}"));
    assert!(!preserves(
        "[resources-finalizer.argocd.argoproj.io/background]",
        "{preserveResourcesOnDeletion: true}"
    ));
    assert!(preserves("[example.com/other]", "{}"));
}

#[test]
fn both_template_dialects_are_filled_in_and_nothing_is_guessed() {
    let prod = &fleet()[2];
    let render = |template: &str| name::render(template, prod, BTreeMap::from([("chart", "c-{{name}}")]));
    assert_eq!(render("{{.nameNormalized}}-x").as_deref(), Some("prod-1-x"));
    assert_eq!(render("{{values.chart}}").as_deref(), Some("c-Prod_1"));
    assert_eq!(render("{{ .metadata.labels.environment }}").as_deref(), Some("prod"));
    let indexed = r#"{{ index .metadata.annotations "addons_repo_url" }}"#;
    assert_eq!(render(indexed).as_deref(), Some("https://git.example/a.git"));
    for unknown in ["{{path.basename}}", "{{ .name | upper }}", "{{metadata.labels.absent}}", "{{name"] {
        assert_eq!(render(unknown), None, "{unknown}");
    }
}
