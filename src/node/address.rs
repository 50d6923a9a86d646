//! Addresses by which programs in a cluster reach a Service.

/// An address that may name a Service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// With `://`, or empty.
    pub(super) scheme: &'a str,
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) port: u16,
    /// Whether no name server outside of a cluster could know it.
    pub(super) only_in_cluster: bool,
}

impl<'a> Address<'a> {
    /// `[scheme://]name[.namespace[.svc[.cluster.local]]]:port`
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let start = value.find("://").map_or(0, |index| index + "://".len());
        let (scheme, rest) = value.split_at(start);
        let (host, port) = rest.split_once(':')?;
        let (name, rest) = host.split_once('.').map_or((host, None), |(name, rest)| (name, Some(rest)));
        let (namespace, suffix) = match rest.map(|rest| rest.split_once('.').unwrap_or((rest, ""))) {
            None => (None, ""),
            Some((namespace, suffix)) => (Some(namespace), suffix),
        };
        let is_label = |text: &str| {
            !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        };
        let is_name = is_label(name) && namespace.is_none_or(is_label);
        if !is_name || name == "localhost" || !["", "svc", "svc.cluster.local"].contains(&suffix) {
            return None;
        }
        let only_in_cluster = namespace.is_none() || !suffix.is_empty();
        Some(Self { scheme, name, namespace, port: port.parse().ok()?, only_in_cluster })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_services_are_told_from_others() {
        let parsed = Address::parse("https://argocd-repo-server.argocd.svc.cluster.local:8081").unwrap();
        assert_eq!(
            (parsed.scheme, parsed.name, parsed.namespace),
            ("https://", "argocd-repo-server", Some("argocd"))
        );
        assert!(parsed.only_in_cluster);
        assert!(Address::parse("argocd-redis:6379").unwrap().only_in_cluster);
        assert!(!Address::parse("redis.example:6379").unwrap().only_in_cluster, "could be a host's name");
        for other in ["localhost:1", "10.0.0.1:80", "redis.example.com:6379", "argocd-redis", "a b:1", "x:y"]
        {
            assert_eq!(Address::parse(other), None, "{other}");
        }
    }
}
