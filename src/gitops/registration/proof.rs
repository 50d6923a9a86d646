//! Whether an access really reaches a cluster and may do everything there.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::engine::Access;
use crate::k8s::{ApiError, ClientError, Clients};

/// An access does not do what the hub's Argo CD needs.
#[derive(Debug, thiserror::Error)]
pub(in crate::gitops) enum ProofError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("the account may not do everything at {server}")]
    NotAllowed { server: String },
}

impl ProofError {
    /// Whether the server does not know the identity.
    pub(in crate::gitops) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Api(error) if error.status().is_some_and(|status| status.code == 401))
    }

    /// The whole of it in one line.
    pub(in crate::gitops) fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        reason
    }
}

/// Asks the cluster for its version, and whether the identity may do everything. Neither leaves a trace there.
pub(in crate::gitops) async fn prove(clients: &Clients, access: &Access) -> Result<(), ProofError> {
    let client = clients.get(access).await?;
    let server = || access.server.clone();
    let version = client.apiserver_version().await;
    version.map_err(|error| ApiError::of("ask for the version of", server(), error))?;
    let review = may_everything(client).await;
    let review = review.map_err(|error| ApiError::of("ask for the rights at", server(), error))?;
    if review.status.is_some_and(|status| status.allowed) {
        Ok(())
    } else {
        Err(ProofError::NotAllowed { server: server() })
    }
}

async fn may_everything(client: Client) -> Result<SelfSubjectAccessReview, kube::Error> {
    let all = || Some("*".to_owned());
    let resource_attributes = Some(ResourceAttributes {
        verb: all(),
        group: all(),
        resource: all(),
        ..ResourceAttributes::default()
    });
    let spec = SelfSubjectAccessReviewSpec { resource_attributes, ..SelfSubjectAccessReviewSpec::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    Api::all(client).create(&PostParams::default(), &review).await
}
