//! The step `<cluster>/remove/roles`: its roles are gone.

use std::sync::Arc;

use aws_sdk_iam::types::Role;
use futures::future::try_join_all;

use crate::aws::{Account, Answer as _, AwsError};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::provider::eks::cluster::EksCluster;
use crate::provider::eks::roles::{attached, get, subject, tags};
use crate::site::name::ClusterName;

pub(super) struct RemoveRoles(pub(super) Arc<EksCluster>);

impl RemoveRoles {
    /// The roles in the site's path that are this cluster's. A list does not tell the tags of a role.
    async fn ours(&self, account: &Account) -> Result<Vec<Role>, AwsError> {
        let path = self.0.role_path();
        let pages = account.iam.list_roles().path_prefix(&path).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        let found =
            found.map_err(|error| AwsError::of("list", format!("the IAM roles in {path}"), &error))?;
        let roles = try_join_all(found.iter().map(|role| get(account, role.role_name()))).await?;
        Ok(roles.into_iter().flatten().filter(|role| self.0.owns(tags(role))).collect())
    }

    /// Everything has to come off a role before it can go, whoever has put it on.
    async fn delete(&self, account: &Account, name: &str, writer: &Writer) -> Result<(), AwsError> {
        let iam = &account.iam;
        for policy in attached(account, name).await? {
            let detach = iam.detach_role_policy().role_name(name).policy_arn(&policy).send();
            let detached = writer.perform(detach).await;
            detached
                .map_err(|error| AwsError::of("detach a policy from", subject(name), &error))
                .if_present()?;
        }
        let inline = iam.list_role_policies().role_name(name).into_paginator().items().send();
        let inline = inline.collect::<Result<Vec<_>, _>>().await;
        for policy in inline.map_err(|error| AwsError::of("list the policies of", subject(name), &error))? {
            let delete = iam.delete_role_policy().role_name(name).policy_name(&policy).send();
            let deleted = writer.perform(delete).await;
            deleted
                .map_err(|error| AwsError::of("delete a policy of", subject(name), &error))
                .if_present()?;
        }
        // EKS Auto Mode puts its node role into profiles of its own, and may leave one.
        let profiles = iam.list_instance_profiles_for_role().role_name(name).into_paginator().items().send();
        let profiles = profiles.collect::<Result<Vec<_>, _>>().await;
        for profile in
            profiles.map_err(|error| AwsError::of("list the profiles of", subject(name), &error))?
        {
            let profile = profile.instance_profile_name();
            let remove =
                iam.remove_role_from_instance_profile().role_name(name).instance_profile_name(profile);
            let removed = writer.perform(remove.send()).await;
            removed
                .map_err(|error| AwsError::of("take out of its profile", subject(name), &error))
                .if_present()?;
        }
        let deleted = writer.perform(iam.delete_role().role_name(name).send()).await;
        deleted.map_err(|error| AwsError::of("delete", subject(name), &error)).if_present()?;
        Ok(())
    }
}

impl Step for RemoveRoles {
    type Work = Vec<String>;

    fn id(&self) -> StepId {
        self.0.step("remove/roles")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its roles are gone"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Vec<String>>, Stop> {
        let (account, _) = self.0.account().await?;
        let names: Vec<_> = self.ours(&account).await?.into_iter().map(|role| role.role_name).collect();
        if names.is_empty() {
            return Ok(Observed::default());
        }
        let changes = names.iter().map(|name| Change::delete(subject(name))).collect();
        Ok(Observed::differs(changes, names))
    }

    async fn apply(&self, names: Vec<String>, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, _) = self.0.account().await?;
        for name in names {
            self.delete(&account, &name, writer).await?;
        }
        Ok(())
    }
}
