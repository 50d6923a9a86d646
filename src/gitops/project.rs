//! Projects of Argo CD, as far as they say when an Application may be synced.
//!
//! The rules are those of Argo CD's `SyncWindows.CanSync`: an active `deny` denies; else an active `allow` allows; else
//! any `allow` denies, because it is not active now.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::application::Application;

/// How long Argo CD may take to hear of one that was just made.
const NEWS: SignedDuration = SignedDuration::from_secs(5);

/// A project.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Project {
    metadata: ObjectMeta,
    spec: Spec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    sync_windows: Vec<Window>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Window {
    kind: String,
    schedule: String,
    duration: String,
    applications: Vec<String>,
    namespaces: Vec<String>,
    clusters: Vec<String>,
    time_zone: String,
    and_operator: bool,
}

impl Project {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Whether it has been there for so long that Argo CD knows it.
    pub(super) fn is_known(&self, now: Timestamp) -> bool {
        let made = self.metadata.creation_timestamp.as_ref().map(|made| made.0);
        made.is_some_and(|made| made + NEWS < now)
    }

    /// Why no automated sync of an Application may begin now, if so.
    pub(super) fn denial(&self, application: &Application, now: Timestamp) -> Option<String> {
        let windows = self.spec.sync_windows.iter().filter(|window| window.matches(application));
        // Argo CD syncs nothing where it does not understand a window. What only we do not understand is not claimed.
        let windows: Option<Vec<_>> = windows.map(|window| Some((window, window.is_active(now)?))).collect();
        let windows = windows?;
        let find = |kind, is_active| {
            let mut found =
                windows.iter().filter(|(window, active)| window.kind == kind && *active == is_active);
            found.next().map(|(window, _)| window)
        };
        let (project, window) = match (find("deny", true), find("allow", true), find("allow", false)) {
            (Some(denying), ..) => (self.name(), denying),
            (None, None, Some(closed)) => (self.name(), closed),
            _ => return None,
        };
        Some(format!("the sync window `{window}` of its project {project} does not let it be synced now"))
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, schedule, duration, time_zone, .. } = self;
        write!(formatter, "{kind} {schedule} for {duration}")?;
        if time_zone.is_empty() { Ok(()) } else { write!(formatter, " in {time_zone}") }
    }
}

impl Window {
    /// Whether it is about an Application: by its name, its cluster or its namespace.
    fn matches(&self, application: &Application) -> bool {
        let destination = &application.spec.destination;
        let (name, server) = (destination.name.as_deref(), destination.server.as_deref());
        let criteria = [
            (&self.applications, [Some(application.name()), None]),
            (&self.clusters, [name, server]),
            (&self.namespaces, [destination.namespace.as_deref(), None]),
        ];
        let is_said = |(patterns, texts): &(&Vec<String>, [Option<&str>; 2])| {
            patterns.iter().any(|pattern| texts.iter().flatten().any(|text| is_like(text, pattern)))
        };
        let said = criteria.iter().filter(|(patterns, _)| !patterns.is_empty()).map(is_said);
        let said: Vec<_> = said.collect();
        if self.and_operator { !said.is_empty() && !said.contains(&false) } else { said.contains(&true) }
    }

    /// Whether it is open; `None` if that cannot be told.
    fn is_active(&self, now: Timestamp) -> Option<bool> {
        let duration: SignedDuration = self.duration.parse().ok()?;
        let zone = if self.time_zone.is_empty() { "UTC" } else { &self.time_zone };
        let schedule = cronexpr::parse_crontab(&format!("{} {zone}", self.schedule)).ok()?;
        let opened = schedule.find_next(now.checked_sub(duration).ok()?.to_string().as_str()).ok()?;
        Some(opened.timestamp() <= now)
    }
}

/// Whether a text is like a pattern, in which `*` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(text) = text.strip_prefix(start) else { return false };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().any(|at| is_like(&text[at..], rest))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn denial(windows: &Value, now: &str) -> Option<String> {
        let project = json!({ "metadata": { "name": "p" }, "spec": { "syncWindows": windows } });
        let project: Project = serde_json::from_value(project).expect("it is a project");
        let application = json!({ "metadata": { "name": "web-dev" }, "spec": {
            "project": "p", "destination": { "name": "dev", "namespace": "web" } } });
        let application = serde_json::from_value(application).expect("it is an Application");
        project.denial(&application, now.parse().expect("a time"))
    }

    fn window(kind: &str, more: &Value) -> Value {
        let mut window = json!({ "kind": kind, "schedule": "0 22 * * *", "duration": "1h30m" });
        window.as_object_mut().expect("it is one").extend(more.as_object().cloned().unwrap_or_default());
        window
    }

    #[test]
    fn a_window_is_open_from_its_schedule_on_for_its_duration() {
        let deny = |now| denial(&json!([window("deny", &json!({ "applications": ["*"] }))]), now).is_some();
        assert!(deny("2026-01-01T22:00:30Z") && deny("2026-01-01T23:29:00Z"));
        assert!(!deny("2026-01-01T21:59:00Z") && !deny("2026-01-01T23:31:00Z"));
        let berlin = json!([window("deny", &json!({ "applications": ["*"], "timeZone": "Europe/Berlin" }))]);
        assert!(
            denial(&berlin, "2026-01-01T21:10:00Z").is_some_and(|text| text.contains("in Europe/Berlin"))
        );
    }

    #[test]
    fn an_allow_that_is_closed_denies_unless_another_is_open() {
        let closed = window("allow", &json!({ "clusters": ["d*"] }));
        let open = window("allow", &json!({ "clusters": ["dev"], "schedule": "* * * * *" }));
        let noon = "2026-01-01T12:00:00Z";
        assert!(
            denial(&json!([closed]), noon).is_some_and(|text| text.contains("allow 0 22 * * * for 1h30m"))
        );
        assert_eq!(denial(&json!([closed, open]), noon), None);
    }

    #[test]
    fn a_window_is_about_applications_by_name_or_cluster_or_namespace() {
        let always = |more: Value| denial(&json!([window("deny", &more)]), "2026-01-01T22:10:00Z").is_some();
        assert!(always(json!({ "namespaces": ["web"] })) && always(json!({ "applications": ["*-dev"] })));
        assert!(!always(json!({ "namespaces": ["other"] })) && !always(json!({})));
        assert!(always(json!({ "applications": ["x"], "clusters": ["dev"] })));
        assert!(!always(json!({ "applications": ["x"], "clusters": ["dev"], "andOperator": true })));
        assert!(always(json!({ "applications": ["web*"], "clusters": ["dev"], "andOperator": true })));
    }
}
