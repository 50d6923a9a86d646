//! Whether an access really reaches a cluster, and what it may do there.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::engine::Access;
use crate::k8s::{ApiError, ClientError, Clients};

/// It cannot be found out what an access is good for, or the server does not know the identity.
#[derive(Debug, thiserror::Error)]
pub(in crate::gitops) enum ProofError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl ProofError {
    /// Whether the server does not know the identity.
    pub(in crate::gitops) fn is_unauthorized(&self) -> bool {
        self.code() == Some(401)
    }

    /// Whether the server has answered that the identity is no good, or not good enough even to be asked about.
    pub(in crate::gitops) fn is_refusal(&self) -> bool {
        matches!(self.code(), Some(401 | 403))
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Api(error) => error.status().map(|status| status.code),
            Self::Client(_) => None,
        }
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

/// What an identity may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gitops) enum Rights {
    /// Everything.
    All,
    /// Some things.
    Some,
}

/// Asks the cluster whether the identity may do everything: one question that proves the way there, the credentials
/// and the rights, and leaves no trace.
pub(in crate::gitops) async fn prove(clients: &Clients, access: &Access) -> Result<Rights, ProofError> {
    let client = clients.get(access).await?;
    let review = may_everything(client).await;
    let review = review.map_err(|error| ApiError::of("ask for the rights at", &access.server, error))?;
    Ok(if review.status.is_some_and(|status| status.allowed) { Rights::All } else { Rights::Some })
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
