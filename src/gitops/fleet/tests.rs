use std::cell::Cell;

use serde_json::json;

use super::*;
use crate::gitops::expected::Wanted;

thread_local! {
    static COMPARISONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts what grows with the fleet: a selector that is held against a cluster, an Application that is asked who made
/// it.
pub(in crate::gitops) fn compare() {
    COMPARISONS.set(COMPARISONS.get() + 1);
}

const CLUSTERS: usize = 1000;
const SETS: usize = 20;

fn cluster(at: usize) -> Registered {
    let name = format!("c{at}");
    Registered {
        server: format!("https://{name}.example"),
        secret: Some(name.clone()),
        labels: [("enable_web".to_owned(), (at != 7).to_string())].into(),
        annotations: [].into(),
        cluster: name.parse().ok(),
        name,
        ours: true,
    }
}

fn set(at: usize) -> ApplicationSet {
    let value = json!({ "metadata": { "name": format!("s{at}") }, "spec": {
        "generators": [{ "clusters": { "selector": { "matchLabels": { "enable_web": "true" } } } }],
        "template": { "metadata": { "name": format!("s{at}-{{{{name}}}}") },
                      "spec": { "destination": { "name": "{{name}}" } } },
    } });
    serde_json::from_value(value).expect("it is an ApplicationSet")
}

fn application(set: usize, cluster: usize) -> Application {
    let owner = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": format!("s{set}"),
                        "uid": "x", "controller": true });
    // By name or by server: both mean the same cluster.
    let destination = match set % 2 {
        0 => json!({ "name": format!("c{cluster}") }),
        _ => json!({ "server": format!("https://c{cluster}.example/") }),
    };
    let name = format!("s{set}-c{cluster}");
    let value = json!({ "metadata": { "name": name, "ownerReferences": [owner] },
                        "spec": { "destination": destination } });
    serde_json::from_value(value).expect("it is an Application")
}

fn fleet() -> Fleet {
    let applications = (0..SETS).flat_map(|set| (0..CLUSTERS).map(move |cluster| application(set, cluster)));
    Fleet::of((0..CLUSTERS).map(cluster).collect(), (0..SETS).map(set).collect(), applications.collect())
}

#[test]
fn a_question_costs_what_its_answer_is_long() {
    let fleet = fleet();
    assert_eq!(COMPARISONS.replace(0), CLUSTERS * SETS + CLUSTERS * SETS, "selectors, and owners, once each");
    let mut made = 0;
    for cluster in &fleet.registered {
        for set in &fleet.sets {
            let expected = fleet.expected(set, cluster);
            made += expected.made.len();
            assert!(!expected.is_missing() && fleet.selection(set).is_some());
        }
        assert_eq!(fleet.on(cluster).count(), SETS);
    }
    assert_eq!(made, CLUSTERS * SETS, "every Application was looked at once");
    assert_eq!(COMPARISONS.get(), 0, "everything was known");
}

#[test]
fn a_set_on_a_cluster_is_compared_with_what_it_should_have_made() {
    let (clusters, sets) = (vec![cluster(7), cluster(8), cluster(9)], vec![set(0)]);
    let fleet = Fleet::of(clusters, sets, vec![application(0, 7), application(0, 8)]);
    let expected = |at: usize| fleet.expected(&fleet.sets[0], &fleet.registered[at]);
    let leaving = |at| expected(at).leaving().map(|each| each.name().to_owned()).collect::<Vec<_>>();
    assert_eq!((expected(0).wanted, leaving(0)), (Wanted::No, vec!["s0-c7".to_owned()]));
    assert_eq!((expected(1).wanted, leaving(1)), (Wanted::Yes, Vec::new()));
    assert!(expected(2).is_missing() && !expected(1).is_missing());
    assert!(expected(0).names().contains("s0-c7"), "its name is known although it is not selected");
}

#[test]
fn two_secrets_of_one_server_are_two_clusters() {
    let twin = Registered { secret: Some("twin".to_owned()), name: "twin".to_owned(), ..cluster(8) };
    let fleet = Fleet::of(vec![cluster(8), twin], vec![set(0)], vec![application(0, 8)]);
    let counts = fleet.registered.iter().map(|cluster| fleet.on(cluster).count());
    assert_eq!(counts.collect::<Vec<_>>(), [1, 0]);
}
