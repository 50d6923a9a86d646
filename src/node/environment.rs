//! The environment of a container, as its specification composes it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, EnvVarSource, Pod};
use kube::ResourceExt;

use super::field::field;
use super::sources::{Data, Kind, Look, SourceError};

/// Adds what the specification says to the variables that are there already.
pub(super) async fn add(
    variables: &mut BTreeMap<String, String>,
    pod: &Pod,
    address: Ipv4Addr,
    container: &Container,
    look: &Look,
) -> Result<(), SourceError> {
    let namespace = pod.namespace().unwrap_or_default();
    for source in container.env_from.iter().flatten() {
        variables.extend(all(source, &namespace, look).await?);
    }
    for variable in container.env.iter().flatten() {
        let value = match &variable.value_from {
            None => Some(expand(variable.value.as_deref().unwrap_or_default(), variables)),
            Some(source) => one(variable, source, (pod, address), look).await?,
        };
        if let Some(value) = value {
            variables.insert(variable.name.clone(), value);
        }
    }
    Ok(())
}

async fn all(
    source: &EnvFromSource,
    namespace: &str,
    look: &Look,
) -> Result<BTreeMap<String, String>, SourceError> {
    let (kind, name, optional) = match (&source.config_map_ref, &source.secret_ref) {
        (Some(object), _) => (Kind::ConfigMap, &object.name, object.optional),
        (None, Some(object)) => (Kind::Secret, &object.name, object.optional),
        (None, None) => return Ok(BTreeMap::new()),
    };
    let data = look.data(kind, namespace, name, optional.unwrap_or_default()).await?;
    let prefix = source.prefix.as_deref().unwrap_or_default();
    Ok(prefixed(prefix, data.as_deref()))
}

fn prefixed(prefix: &str, data: Option<&Data>) -> BTreeMap<String, String> {
    let entries = data.into_iter().flatten();
    entries.map(|(key, value)| (format!("{prefix}{key}"), text(value))).collect()
}

async fn one(
    variable: &EnvVar,
    source: &EnvVarSource,
    (pod, address): (&Pod, Ipv4Addr),
    look: &Look,
) -> Result<Option<String>, SourceError> {
    let (kind, name, key, optional) = match source {
        EnvVarSource { field_ref: Some(reference), .. } => {
            return Ok(field(pod, address, &reference.field_path));
        }
        EnvVarSource { config_map_key_ref: Some(reference), .. } => {
            (Kind::ConfigMap, &reference.name, &reference.key, reference.optional)
        }
        EnvVarSource { secret_key_ref: Some(reference), .. } => {
            (Kind::Secret, &reference.name, &reference.key, reference.optional)
        }
        _ => {
            tracing::warn!(variable = variable.name, "the variable's source is not known here: left out");
            return Ok(None);
        }
    };
    let namespace = pod.namespace().unwrap_or_default();
    let value = look.value(kind, &namespace, (name, key), optional.unwrap_or_default()).await?;
    Ok(value.as_deref().map(text))
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Replaces `$(NAME)`; an unknown name stays as it is, and `$$` stands for one `$`.
pub(super) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let reference = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = reference {
            match variables.get(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded() {
        let variables = BTreeMap::from([("NAME".to_owned(), "value".to_owned())]);
        let expand = |text| expand(text, &variables);
        assert_eq!(expand("--a=$(NAME)/$(NAME)"), "--a=value/value");
        assert_eq!(expand("$(UNKNOWN) $$(NAME) 5$"), "$(UNKNOWN) $(NAME) 5$");
        assert_eq!(expand("$(NAME"), "$(NAME");
    }

    #[test]
    fn a_whole_object_is_prefixed() {
        let data = Data::from([("key".to_owned(), b"value".to_vec())]);
        assert_eq!(prefixed("A_", Some(&data)), [("A_key".to_owned(), "value".to_owned())].into());
        assert!(prefixed("A_", None).is_empty());
    }
}
