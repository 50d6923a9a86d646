//! What can be changed of a cluster: as EKS tells it, and as EKS is asked for it.

use aws_sdk_eks::types::builders::VpcConfigRequestBuilder;
use aws_sdk_eks::types::{Cluster, LogSetup, LogType, Logging, VpcConfigRequest, VpcConfigResponse};

use crate::site::EksEndpoint;

pub(super) fn vpc_config(endpoint: &EksEndpoint) -> VpcConfigRequestBuilder {
    VpcConfigRequest::builder()
        .endpoint_public_access(endpoint.public.is_some())
        .endpoint_private_access(endpoint.private)
        .set_public_access_cidrs(endpoint.public.clone())
}

pub(super) fn endpoint(cluster: &Cluster) -> EksEndpoint {
    let config = cluster.resources_vpc_config();
    let mut cidrs = config.map(|config| config.public_access_cidrs().to_vec()).unwrap_or_default();
    cidrs.sort();
    EksEndpoint {
        public: config.is_some_and(VpcConfigResponse::endpoint_public_access).then_some(cidrs),
        private: config.is_some_and(VpcConfigResponse::endpoint_private_access),
    }
}

pub(super) fn described(endpoint: &EksEndpoint) -> String {
    let public = endpoint.public.as_ref().map(|cidrs| format!("public (from {})", cidrs.join(", ")));
    let private = endpoint.private.then(|| "private".to_owned());
    public.into_iter().chain(private).collect::<Vec<_>>().join(" and ")
}

pub(super) fn logging(wanted: &[String]) -> Logging {
    let all = LogType::values();
    let (on, off): (Vec<_>, Vec<_>) =
        all.iter().partition(|kind| wanted.iter().any(|wanted| wanted == *kind));
    let setup = |kinds: Vec<&&str>, enabled| {
        let kinds = kinds.into_iter().map(|kind| LogType::from(*kind)).collect();
        LogSetup::builder().enabled(enabled).set_types(Some(kinds)).build()
    };
    let mut logging = Logging::builder();
    if !on.is_empty() {
        logging = logging.cluster_logging(setup(on, true));
    }
    if !off.is_empty() {
        logging = logging.cluster_logging(setup(off, false));
    }
    logging.build()
}

pub(super) fn logs(cluster: &Cluster) -> Vec<String> {
    let setups = cluster.logging.as_ref().map(Logging::cluster_logging).unwrap_or_default();
    let on = setups.iter().filter(|setup| setup.enabled().unwrap_or_default());
    let mut logs: Vec<_> = on.flat_map(LogSetup::types).map(|kind| kind.as_str().to_owned()).collect();
    logs.sort();
    logs
}
