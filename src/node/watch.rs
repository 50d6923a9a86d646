//! The watch of Services.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};

use super::pods::{RETRY, WATCH_SECONDS};
use super::services::Services;
use crate::engine::wait::pause;

/// Keeps what is known of Services up to date, for ever.
pub(super) async fn services(client: Client, services: &Arc<Services>) {
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let mut events = pin!(watcher(Api::<Service>::all(client), config));
    let mut listed = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(service)) => {
                listed.insert(key(&service), service);
            }
            Ok(Event::InitDone) => services.set_services(std::mem::take(&mut listed)),
            Ok(Event::Apply(service)) => services.set_service(key(&service), Some(service)),
            Ok(Event::Delete(service)) => services.set_service(key(&service), None),
            Err(error) => {
                tracing::debug!(%error, "services not watched");
                pause(RETRY).await;
            }
        }
    }
}

fn key(service: &Service) -> (String, String) {
    (service.namespace().unwrap_or_default(), service.name_any())
}
