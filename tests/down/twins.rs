//! Two checkouts with a site of one name and different hubs: what the one has on a spoke is not the other's.

use bridgehead::files;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;

use super::mix::{MADE, Mix, SITE};
use super::unseen::differences;
use crate::kit::command::run;
use crate::kit::{Lab, Outcome};

const NOTHING: [&str; 0] = [];

/// The same name, the same spoke, another hub. That one's Argo CD is told an address that nobody reaches.
const TWIN: &str = "[hub.existing]\ncontext = \"made/b\"\n[spokes.a]\nserver = \"https://a.example:6443\"\n\
                    [spokes.a.existing]\ncontext = \"made/a\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_has_only_its_name_in_common_is_refused() {
    let mix = Mix::up().await;
    let lab = &mix.lab;
    lab.ok(&["down", SITE, "--yes", "--cluster", "b"]);
    let at_work = mix.spokes().await;
    let accounts: Api<ServiceAccount> = Api::namespaced(lab.client(MADE, "a").await, "kube-system");
    let account = accounts.get("argocd-manager").await.unwrap();
    assert!(account.metadata.labels.unwrap().contains_key("bridgehead/hub"));

    let profile = lab.path("twin/sites").join(SITE).join("profile.toml");
    files::make_folder(profile.parent().unwrap()).unwrap();
    files::replace(&profile, TWIN.as_bytes(), 0o600).unwrap();
    let up = twin(lab, &["up", SITE, "--yes", "--output", "json"]);
    assert_eq!(up.code(), 4, "{}", up.stdout);
    let failed = up.events_of("failed");
    assert_eq!(failed.len(), 1, "{}", up.stdout);
    assert_eq!(failed[0]["step"], "a/registration/account");
    assert!(
        failed[0].to_string().contains("belongs to a different site that is also named `mix`"),
        "{}",
        failed[0]
    );
    assert_eq!(differences("a", &at_work, &mix.spokes().await), NOTHING);

    let down = twin(lab, &["down", SITE, "--yes", "--output", "json"]);
    assert_eq!(down.code(), 4, "{}", down.stdout);
    let failed = down.events_of("failed");
    assert_eq!(failed[0]["step"], "a/registration/owned", "{}", down.stdout);
    let written: u64 = down.events_of("applied").iter().filter_map(|event| event["writes"].as_u64()).sum();
    assert_eq!(written, 0, "{}", down.stdout);
    assert_eq!(differences("a", &at_work, &mix.spokes().await), NOTHING);

    // Without the spoke it is a site like any other, and the first one goes on.
    let hub_only = TWIN.split("[spokes.a]").next().unwrap();
    files::replace(&profile, hub_only.as_bytes(), 0o600).unwrap();
    assert_eq!(twin(lab, &["down", SITE, "--yes"]).code(), 0);
    let again = lab.ok(&["up", SITE, "--yes", "--cluster", "a", "--output", "json"]);
    assert_eq!(again.events().last().unwrap()["changes"], 0, "{}", again.stdout);
    lab.ok(&["down", SITE, "--yes"]);
    assert_eq!(crate::kit::world::differences(&mix.before, &mix.spokes().await), NOTHING);
}

/// Runs bridgehead in the other checkout, as on another machine of the same person.
fn twin(lab: &Lab, arguments: &[&str]) -> Outcome {
    let mut command = lab.prepare(arguments);
    command.current_dir(lab.path("twin")).env("XDG_STATE_HOME", lab.path("twin/state"));
    run(command)
}
