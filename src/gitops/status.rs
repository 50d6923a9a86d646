//! What Argo CD has deployed where.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Scope;
use super::application::ApplicationSummary;
use super::fleet::Fleet;
use super::hub::Hub;
use crate::engine::{Facts, Stop};
use crate::env::Env;
use crate::site::Site;
use crate::site::name::ClusterName;

/// What Argo CD has deployed to one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// The cluster.
    pub cluster: ClusterName,
    /// Whether Argo CD knows it.
    pub registered: bool,
    /// Its Applications, by name.
    pub applications: Vec<ApplicationSummary>,
}

/// The whole in one line, for people.
impl fmt::Display for Deployed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unsettled = self.applications.iter().filter(|application| application.reason.is_some()).count();
        match (self.registered, self.applications.len(), unsettled) {
            (false, 0, _) => formatter.write_str("not registered"),
            // Argo CD itself would call this `Unknown`.
            (true, 0, _) => formatter.write_str("registered, nothing deployed yet"),
            (_, 1, 0) => formatter.write_str("1 Application, synced and healthy"),
            (_, all, 0) => write!(formatter, "{all} Applications, all synced and healthy"),
            (_, all, unsettled) => {
                write!(formatter, "{unsettled} of {all} Applications not synced and healthy")
            }
        }
    }
}

/// What Argo CD has deployed to each cluster of the site.
///
/// # Errors
/// [`Stop::Blocked`] when it is not known how to reach the hub; [`Stop::Failed`] when it cannot be asked.
pub async fn deployed(site: &Arc<Site>, env: &Arc<Env>, facts: &Facts) -> Result<Vec<Deployed>, Stop> {
    let hub = Hub::of(&Scope::new(site, env), facts).await?;
    let fleet = Fleet::look(&hub, site).await?;
    Ok(site.clusters().map(|cluster| of_cluster(&fleet, &cluster.name)).collect())
}

fn of_cluster(fleet: &Fleet, cluster: &ClusterName) -> Deployed {
    let registered = fleet.registered(cluster);
    let mine = registered.into_iter().flat_map(|registered| fleet.on(registered));
    let mut applications: Vec<_> = mine.map(|application| fleet.summary(application)).collect();
    applications.sort_by(|one, other| one.name.cmp(&other.name));
    Deployed { cluster: cluster.clone(), registered: registered.is_some(), applications }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_without_applications_is_not_called_unknown() {
        let deployed = |registered: bool, reasons: &[Option<&str>]| {
            let applications = reasons.iter().map(|reason| ApplicationSummary {
                name: "a".to_owned(),
                sync: "Synced".to_owned(),
                health: "Healthy".to_owned(),
                reason: reason.map(ToOwned::to_owned),
            });
            let cluster = "dev".parse().expect("valid");
            Deployed { cluster, registered, applications: applications.collect() }.to_string()
        };
        assert_eq!(deployed(false, &[]), "not registered");
        assert_eq!(deployed(true, &[]), "registered, nothing deployed yet");
        assert_eq!(deployed(true, &[None]), "1 Application, synced and healthy");
        assert_eq!(deployed(true, &[None, Some("x")]), "1 of 2 Applications not synced and healthy");
    }
}
