//! Steps that hold Argo CD's generator still and let it go on.
//!
//! An Application that is taken away by itself, or changed, would come back as its ApplicationSet wants it. What is
//! paused says so: the run that paused it lets it go on also when it fails or is interrupted, and after a kill the next
//! `up` or `down` does.

use std::sync::Arc;

use super::Scope;
use super::argocd;
use super::fleet::Fleet;
use super::hub::Hub;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::k8s::{Object, unready};
use crate::site::Site;
use crate::site::name::ClusterName;

/// The step `<hub>/gitops/paused`: as long as `needed` says so, no Application is made, changed or deleted by an
/// ApplicationSet. A hub that is gone, or has no such controller, is still enough.
pub(super) fn paused<N>(scope: &Scope, needed: N) -> impl Step + use<N>
where
    N: Fn(&Fleet) -> bool + Send + Sync + 'static,
{
    Pause { scope: scope.clone(), wanted: Wanted::Paused(Box::new(needed)) }
}

/// The step `<hub>/gitops/resumed`: the controller works again, if it was paused.
pub fn resumed(site: &Arc<Site>, env: &Arc<Env>) -> impl Step + use<> {
    Pause { scope: Scope::new(site, env), wanted: Wanted::Resumed }
}

enum Wanted {
    Paused(Box<dyn Fn(&Fleet) -> bool + Send + Sync>),
    Resumed,
}

struct Pause {
    scope: Scope,
    wanted: Wanted,
}

impl Pause {
    async fn look(&self, hub: Hub) -> Result<Observed<(Hub, Object)>, Failure> {
        let namespace = self.scope.namespace();
        let Some((deployment, has_pods)) = argocd::look(&hub.client, namespace).await? else {
            return Ok(Observed::default());
        };
        let subject = deployment.to_string();
        let changes = match (&self.wanted, argocd::is_paused(&deployment)) {
            (Wanted::Paused(needed), _) if !needed(&*Fleet::look(&hub, &self.scope.site).await?) => {
                Vec::new()
            }
            (Wanted::Paused(_), false) => vec![Change::ask(subject, "pause it")],
            (Wanted::Paused(_), true) if has_pods => vec![Change::wait(subject, "its pod is stopping")],
            (Wanted::Paused(_), true) => Vec::new(),
            (Wanted::Resumed, true) => vec![Change::ask(subject, "let it go on")],
            (Wanted::Resumed, false) => {
                unready(&hub.client, namespace, std::slice::from_ref(&deployment)).await?
            }
        };
        Ok(Observed::differs(changes, (hub, deployment)))
    }
}

impl Step for Pause {
    type Work = (Hub, Object);

    fn id(&self) -> StepId {
        let path = match &self.wanted {
            Wanted::Paused(_) => "gitops/paused",
            Wanted::Resumed => "gitops/resumed",
        };
        StepId::of(self.scope.hub(), path)
    }

    /// Whatever is selected, what happens to it needs this.
    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        match &self.wanted {
            Wanted::Paused(_) => "no ApplicationSet makes, changes or deletes an Application",
            Wanted::Resumed => "ApplicationSets are worked on again",
        }
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Self::Work>, Stop> {
        match Hub::standing(&self.scope, facts).await? {
            Some(hub) => Ok(self.look(hub).await?),
            None => Ok(Observed::default()),
        }
    }

    async fn apply(&self, (hub, generator): Self::Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        match &self.wanted {
            Wanted::Paused(_) => argocd::pause(&hub.client, &generator, writer).await?,
            Wanted::Resumed => argocd::resume(&hub.client, &generator, writer).await?,
        }
        Ok(())
    }
}
