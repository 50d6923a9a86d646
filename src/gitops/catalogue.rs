//! The addons of the ecosystem's repositories that read where they belong from a cluster Secret's annotations.
//!
//! A set that finds such an annotation absent makes an Application with the unreplaced placeholder as its
//! namespace, so that every cluster with the addon on gets them, whatever made it. The names are those of the
//! GitOps Bridge's control-plane template.

use crate::site::name::AddonName;

/// Where an addon belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    addon: &'static str,
    namespace: &'static str,
    accounts: Accounts,
}

/// The service accounts that an addon runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accounts {
    None,
    One(&'static str),
    /// A storage driver has one for its controller and one for its part on every node.
    ControllerAndNode(&'static str, &'static str),
}

use Accounts::{ControllerAndNode, One};

const CATALOGUE: &[Entry] = &[
    entry("ack_apigatewayv2", "ack-system", One("ack-apigatewayv2")),
    entry("ack_dynamodb", "ack-system", One("ack-dynamodb")),
    entry("ack_emrcontainers", "ack-system", One("ack-emrcontainers")),
    entry("ack_eventbridge", "ack-system", One("ack-eventbridge")),
    entry("ack_prometheusservice", "ack-system", One("ack-prometheusservice")),
    entry("ack_rds", "ack-system", One("ack-rds")),
    entry("ack_s3", "ack-system", One("ack-s3")),
    entry("ack_sfn", "ack-system", One("ack-sfn")),
    entry("argo_workflows", "argo-workflows", Accounts::None),
    entry("aws_cloudwatch_metrics", "amazon-cloudwatch", One("aws-cloudwatch-metrics")),
    entry("aws_efs_csi_driver", "kube-system", ControllerAndNode("efs-csi-controller-sa", "efs-csi-node-sa")),
    entry("aws_for_fluentbit", "kube-system", One("aws-for-fluent-bit-sa")),
    entry(
        "aws_fsx_csi_driver",
        "kube-system",
        ControllerAndNode("aws-fsx-csi-controller-sa", "aws-fsx-csi-node-sa"),
    ),
    entry("aws_gateway_api_controller", "aws-application-networking-system", One("gateway-api-controller")),
    entry("aws_load_balancer_controller", "kube-system", One("aws-load-balancer-controller-sa")),
    entry(
        "aws_node_termination_handler",
        "aws-node-termination-handler",
        One("aws-node-termination-handler-sa"),
    ),
    entry("aws_privateca_issuer", "cert-manager", One("aws-privateca-issuer-sa")),
    entry("cert_manager", "cert-manager", One("cert-manager")),
    entry("cluster_autoscaler", "kube-system", One("cluster-autoscaler-sa")),
    entry("external_dns", "external-dns", One("external-dns-sa")),
    entry("external_secrets", "external-secrets", One("external-secrets-sa")),
    entry("karpenter", "karpenter", One("karpenter")),
    entry("velero", "velero", One("velero-server")),
];

const fn entry(addon: &'static str, namespace: &'static str, accounts: Accounts) -> Entry {
    Entry { addon, namespace, accounts }
}

/// The annotations that an addon's sets read, if it is one of those that read any.
#[must_use]
pub fn annotations(addon: &AddonName) -> Vec<(String, &'static str)> {
    CATALOGUE.iter().find(|entry| entry.addon == addon.as_str()).map_or_else(Vec::new, Entry::annotations)
}

impl Entry {
    fn annotations(&self) -> Vec<(String, &'static str)> {
        let key = |suffix: &str| format!("{}_{suffix}", self.addon);
        let mut annotations = vec![(key("namespace"), self.namespace)];
        match self.accounts {
            Accounts::None => {}
            One(account) => annotations.push((key("service_account"), account)),
            ControllerAndNode(controller, node) => {
                annotations.push((key("controller_service_account"), controller));
                annotations.push((key("node_service_account"), node));
            }
        }
        annotations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(addon: &str) -> Vec<(String, &'static str)> {
        annotations(&addon.parse().expect("it is an addon's name"))
    }

    #[test]
    fn an_addon_has_the_keys_that_its_sets_read() {
        let owned = |key: &str, value| (key.to_owned(), value);
        assert_eq!(
            of("cert_manager"),
            [
                owned("cert_manager_namespace", "cert-manager"),
                owned("cert_manager_service_account", "cert-manager"),
            ]
        );
        assert_eq!(of("aws_efs_csi_driver")[2].0, "aws_efs_csi_driver_node_service_account");
        assert_eq!(of("metrics_server"), []);
    }

    #[test]
    fn every_entry_is_found_by_its_name() {
        for (entry, next) in CATALOGUE.iter().zip(&CATALOGUE[1..]) {
            assert!(entry.addon < next.addon, "{} is out of order or there twice", next.addon);
            assert_eq!(of(entry.addon), entry.annotations());
        }
    }
}
