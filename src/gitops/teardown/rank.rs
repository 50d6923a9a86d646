//! Which Applications go first: those that use what others provide.
//!
//! A Service whose load balancer controller is gone, a claim without its volume driver, a certificate without its
//! issuer: they wait for ever for somebody to take off their finalizers, or leave behind what was made for them
//! elsewhere. So controllers of such things go once everything else is gone.

use crate::gitops::application::Application;
use crate::gitops::application_set::ApplicationSet;
use crate::gitops::fleet::Fleet;

/// The order on one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Everything that nothing else is known to need.
    First,
    /// What others may need to go cleanly.
    Last,
}

/// What Argo CD syncs first may be what others need.
const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

/// Addons that make or keep something for others, by what that is.
const PROVIDERS: [(&str, &[&str]); 7] = [
    (
        "load balancers",
        &[
            "aws_load_balancer_controller",
            "aws_gateway_api_controller",
            "ingress_nginx",
            "metallb",
            "traefik",
        ],
    ),
    (
        "volumes",
        &[
            "aws_ebs_csi_resources",
            "aws_ebs_csi_driver",
            "aws_efs_csi_driver",
            "aws_fsx_csi_driver",
            "longhorn",
            "volume_snapshot_controller",
        ],
    ),
    ("certificates", &["aws_privateca_issuer", "cert_manager", "trust_manager"]),
    ("nodes", &["cluster_autoscaler", "karpenter"]),
    ("DNS records", &["external_dns"]),
    ("secrets", &["aws_secrets_store_csi_driver_provider", "external_secrets", "secrets_store_csi_driver"]),
    // They also keep webhooks, without which nothing of their kinds can be changed.
    (
        "resources of other kinds",
        &["ack", "argo_rollouts", "crossplane", "gatekeeper", "keda", "kube_prometheus_stack", "kyverno"],
    ),
];

impl Rank {
    /// When an Application goes: last, if it is an addon's that provides for others, or was made before others.
    pub(super) fn of(fleet: &Fleet, application: &Application) -> Self {
        let set = application.owner().and_then(|owner| fleet.set(owner));
        let addons = set.map(ApplicationSet::addons).unwrap_or_default();
        let annotations = application.metadata.annotations.as_ref();
        let wave = annotations.and_then(|annotations| annotations.get(SYNC_WAVE)?.parse::<i64>().ok());
        let provides = addons.iter().any(|addon| provision(addon).is_some());
        if provides || wave.is_some_and(|wave| wave < 0) { Self::Last } else { Self::First }
    }
}

/// What an addon provides for others, if anything. A name may go on, as in `crossplane_aws_provider`.
fn provision(addon: &str) -> Option<&'static str> {
    let is_of =
        |name: &&str| addon.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    PROVIDERS.iter().find(|(_, names)| names.iter().any(&is_of)).map(|(what, _)| *what)
}

#[cfg(test)]
mod tests {
    use super::provision;

    #[test]
    fn controllers_of_what_others_use_are_known_by_their_addons() {
        assert_eq!(provision("cert_manager"), Some("certificates"));
        assert_eq!(provision("crossplane_aws_provider"), Some("resources of other kinds"));
        assert_eq!(provision("external_dns"), Some("DNS records"));
        for other in ["cert_manager2", "argocd", "priority_classes"] {
            assert_eq!(provision(other), None, "{other}");
        }
    }
}
