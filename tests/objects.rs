//! Sets of objects on a real API server: a change says what it makes of the object, and applying carries out what was
//! found by looking, no more and no less.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bridgehead::engine::event::{Event, Events};
use bridgehead::engine::run::{Mode, Report, Run};
use bridgehead::engine::{Facts, Failure, Observed, Step, StepId, Stop, Tree, Writer};
use bridgehead::k8s::{Differences, Object, ObjectSet, Prune};
use bridgehead::k8s::{Kind, api};
use bridgehead::site::name::{ClusterName, SiteName};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::kit::Lab;

const SITE: &str = "home";
const PART: &str = "test";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_at_is_what_is_written_and_deleted() {
    let lab = Lab::new();
    lab.write_profile(SITE, "[hub.local]\n");
    // An API server is enough: the run ends where it would install Argo CD.
    let stopped = ("BRIDGEHEAD_FAULT", "before:1:hub/argocd/namespace");
    assert_eq!(lab.bridgehead_with(&["up", SITE], &[stopped]).code(), 137);
    let client = lab.client(SITE, "hub").await;

    changes_say_values_but_no_secrets(&client).await;
    what_turns_up_after_the_look_is_left_alone(&client).await;
    what_was_replaced_after_the_look_is_not_deleted(&client).await;
    lists_come_page_by_page(&client).await;
}

fn site() -> SiteName {
    SITE.parse().unwrap()
}

fn object(kind: &str, name: &str, labels: &Value, data: &Value) -> Object {
    let metadata = json!({ "name": name, "namespace": "default", "labels": labels });
    let value = json!({ "apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data });
    let mut object = Object::from_value(value).unwrap();
    object.mark_as_made(&site(), PART);
    object
}

async fn changes_say_values_but_no_secrets(client: &Client) {
    let set = |tier: &str, data: &Value| {
        let labels = json!({ "tier": tier });
        let objects = ["ConfigMap", "Secret"].map(|kind| object(kind, "told", &labels, data));
        ObjectSet::new(&site(), objects.into())
    };
    // The values of a Secret's data are base64.
    let (first, second) = (json!({ "a": "Y2FuYXJ5", "b": "Yg==" }), json!({ "a": "Y2FuYXJz", "c": "Yw==" }));
    run(client, set("gold", &first), nothing()).await;
    let differences = set("silver", &second).observe(client).await.unwrap();
    let texts: Vec<_> = differences.changes().iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "update ConfigMap default/told: data key a: Y2FuYXJ5 -> Y2FuYXJz, data key b: Yg== -> removed, \
             data key c: absent -> Yw==, label tier: gold -> silver",
            "update Secret default/told: data key a differs, data key b is removed, data key c is added, \
             label tier: gold -> silver",
        ]
    );
    // The content counts, also where the texts are the same.
    let other = set("silver", &json!({ "a": "Y2FuYXJ0", "c": "Yw==" })).observe(client).await.unwrap();
    assert_eq!(texts[1], other.changes()[1].to_string());
    assert_ne!(differences.changes()[1].content(), other.changes()[1].content());
    let again = set("silver", &second).observe(client).await.unwrap();
    assert_eq!(differences.changes(), again.changes());
}

/// What was dropped is found by its mark.
fn pruned() -> ObjectSet {
    let prune = Prune {
        part: PART,
        collections: BTreeSet::from([(Kind::CONFIG_MAP, None)]),
        except: BTreeSet::new(),
    };
    ObjectSet { prune: Some(prune), ..ObjectSet::new(&site(), Vec::new()) }
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

async fn make(client: &Client, name: &str) {
    let map = object("ConfigMap", name, &json!({}), &json!({}));
    let map = serde_json::from_value(Value::Object(map.fields().clone())).unwrap();
    maps(client).create(&PostParams::default(), &map).await.unwrap();
}

async fn what_turns_up_after_the_look_is_left_alone(client: &Client) {
    let seen = Arc::new(Mutex::new(None));
    let meanwhile = Meanwhile {
        before: Box::new(|client| Box::pin(async move { make(&client, "late").await })),
        after: Box::new({
            let seen = Arc::clone(&seen);
            move |client| {
                let seen = Arc::clone(&seen);
                Box::pin(async move {
                    *seen.lock().unwrap() = maps(&client).get_opt("late").await.unwrap();
                })
            }
        }),
    };
    run(client, pruned(), meanwhile).await;
    assert!(seen.lock().unwrap().is_some(), "it was not there when the work was decided");
}

async fn what_was_replaced_after_the_look_is_not_deleted(client: &Client) {
    let _ = maps(client).delete("late", &DeleteParams::default()).await;
    make(client, "dropped").await;
    let replace = |client: Client| -> BoxFuture<'static, ()> {
        Box::pin(async move {
            maps(&client).delete("dropped", &DeleteParams::default()).await.unwrap();
            make(&client, "dropped").await;
        })
    };
    let (report, said) = run(client, pruned(), Meanwhile { before: Box::new(replace), ..nothing() }).await;
    assert_eq!(report.failed.len(), 1, "{said:?}");
    assert!(
        said.iter().any(|said| said.contains("ConfigMap default/dropped was replaced since it")),
        "{said:?}"
    );
    assert!(said.iter().any(|said| said.contains("run the command again")), "{said:?}");
    assert!(maps(client).get_opt("dropped").await.unwrap().is_some());
    let (report, said) = run(client, pruned(), nothing()).await;
    assert!(report.failed.is_empty() && maps(client).get_opt("dropped").await.unwrap().is_none(), "{said:?}");
}

/// More than a page has.
async fn lists_come_page_by_page(client: &Client) {
    const COUNT: usize = 501;
    let objects =
        (0..COUNT).map(|number| object("ConfigMap", &format!("many-{number}"), &json!({}), &json!({})));
    run(client, ObjectSet::new(&site(), objects.collect()), nothing()).await;
    let found = api::list(client, &Kind::CONFIG_MAP, Some("default"), "bridgehead/part=test").await.unwrap();
    let many = found.iter().filter(|object| object.name().starts_with("many-")).count();
    assert_eq!(many, COUNT);
}

type Act = Box<dyn FnOnce(Client) -> BoxFuture<'static, ()> + Send>;

/// What somebody does between a step's first look and its writes, and after them.
struct Meanwhile {
    before: Act,
    after: Act,
}

fn nothing() -> Meanwhile {
    let act = || Box::new(|_| -> BoxFuture<'static, ()> { Box::pin(async {}) });
    Meanwhile { before: act(), after: act() }
}

/// A step that applies a set.
struct Applies {
    client: Client,
    cluster: ClusterName,
    set: ObjectSet,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Step for Applies {
    type Work = Differences;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, "objects")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "the objects are there"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Differences>, Stop> {
        Ok(self.set.observe(&self.client).await?.into())
    }

    async fn apply(&self, work: Differences, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let Some(meanwhile) = self.meanwhile.lock().unwrap().take() else {
            return work.apply(writer).await;
        };
        (meanwhile.before)(self.client.clone()).await;
        let applied = work.apply(writer).await;
        (meanwhile.after)(self.client.clone()).await;
        applied
    }
}

/// Has a set applied. What failed is told as a run tells it.
async fn run(client: &Client, set: ObjectSet, meanwhile: Meanwhile) -> (Report, Vec<String>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&said);
    let events = Events::new(site(), move |stamped| {
        if let Event::Failed { error, hint, .. } = &stamped.event {
            sink.lock().unwrap().extend([error.clone(), hint.clone().unwrap_or_default()]);
        }
    });
    let run = Run::new(Mode::Apply, events);
    let (cluster, meanwhile) = ("hub".parse().unwrap(), Mutex::new(Some(meanwhile)));
    let report = run.walk(&Tree::from(Applies { client: client.clone(), cluster, set, meanwhile })).await;
    let said = said.lock().unwrap().clone();
    (report, said)
}
