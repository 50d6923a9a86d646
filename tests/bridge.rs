//! The bridge on real servers: cluster Secrets as the contract says, sets that others wrote at work on them, and
//! the accounts and Secrets that somebody else has had a hand in.

mod charts;
mod contract;
mod hub;
mod others;
mod registration;
mod strangers;

use crate::kit::{Lab, Outcome};

/// A fleet with everything that the contract speaks of; each part works on what the one before it left.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_follow_the_contract_and_sets_of_others_work_on_them() {
    let lab = Lab::new();
    lab.write_profile("fleet", include_str!("bridge/files/fleet.toml"));
    let _charts = others::add_to(&lab);
    lab.ok(&["up", "fleet"]);
    contract::every_secret_is_as_written_there(&lab).await;
    others::sets_of_others_reach_every_cluster(&lab).await;
    others::one_name_for_all_clusters_collides_and_ours_does_not(&lab).await;
    others::an_edited_file_is_on_the_spokes_after_the_next_up(&lab).await;
    contract::keys_of_others_stay_and_keys_no_longer_wanted_go(&lab).await;
    assert_eq!(written(&lab.ok(&["up", "fleet", "--output", "json"])), 0, "one more `up` changed something");
    lab.ok(&["down", "fleet"]);
    assert!(lab.processes().is_empty() && !lab.state("fleet").exists(), "`down` left something");
}

/// A site without repositories, on a hub that somebody registered before bridgehead did; its spoke comes later.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_secrets_are_healed_and_those_of_others_adopted() {
    let lab = Lab::new();
    lab.write_profile("bare", "[hub.local]\n");
    lab.ok(&["argocd", "install", "bare"]);
    strangers::register_the_hub_by_hand(&lab).await;
    lab.write_profile("bare", "[hub.local]\n[spokes.dev.local]\n");
    lab.ok(&["up", "bare"]);
    strangers::the_hubs_secret_is_adopted(&lab).await;
    registration::a_cluster_without_applications_says_so(&lab);
    registration::the_account_has_its_well_known_names(&lab).await;
    registration::a_spoke_that_locks_argo_cd_out_lets_it_in_again(&lab).await;
    strangers::two_secrets_for_one_server_are_refused(&lab).await;
    strangers::a_secret_made_by_hand_is_adopted(&lab).await;
}

/// How many writes a run did.
fn written(outcome: &Outcome) -> u64 {
    outcome.events_of("applied").iter().filter_map(|event| event["writes"].as_u64()).sum()
}
