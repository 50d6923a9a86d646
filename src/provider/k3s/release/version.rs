//! Versions of k3s, and which may follow which.

use std::fmt;

/// A version such as `v1.34.4+k3s1` or `v1.35.0-rc2+k3s1`, in the order of releases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::provider::k3s) struct Version {
    kubernetes: semver::Version,
    /// Semantic versioning gives what stands behind `+` no order, and k3s does.
    build: u64,
}

impl Version {
    /// Reads a version; `None` if the text is none.
    pub(in crate::provider::k3s) fn parse(text: &str) -> Option<Self> {
        let (kubernetes, build) = text.strip_prefix('v')?.split_once("+k3s")?;
        Some(Self { kubernetes: kubernetes.parse().ok()?, build: build.parse().ok()? })
    }

    /// Why a host that has this version must not get another.
    pub(in crate::provider::k3s) fn refuses(&self, other: &Self) -> Option<Refusal> {
        let semver::Version { major, minor, .. } = self.kubernetes;
        if other < self {
            Some(Refusal::Downgrade)
        } else if (other.kubernetes.major, other.kubernetes.minor) > (major, minor + 1) {
            Some(Refusal::SkippedMinor(format!("v{major}.{}", minor + 1)))
        } else {
            None
        }
    }
}

/// Why a version must not follow another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider::k3s) enum Refusal {
    /// What is stored is of the newer one.
    Downgrade,
    /// Kubernetes goes from one minor version to the next; this one comes first.
    SkippedMinor(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Downgrade => formatter.write_str("k3s cannot go back to an older version"),
            Self::SkippedMinor(next) => {
                write!(formatter, "k3s must not skip a minor version: {next} comes first")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(from: &str, to: &str) -> Option<Refusal> {
        Version::parse(from).unwrap().refuses(&Version::parse(to).unwrap())
    }

    #[test]
    fn only_forward_and_one_minor_at_a_time() {
        assert_eq!(refusal("v1.34.4+k3s1", "v1.34.4+k3s1"), None);
        assert_eq!(refusal("v1.34.4+k3s1", "v1.34.10+k3s1"), None);
        assert_eq!(refusal("v1.34.4+k3s1", "v1.35.0+k3s1"), None);
        assert_eq!(refusal("v1.35.0-rc1+k3s1", "v1.35.0+k3s1"), None);
        assert_eq!(refusal("v1.34.4+k3s2", "v1.34.4+k3s1"), Some(Refusal::Downgrade));
        assert_eq!(refusal("v1.34.10+k3s1", "v1.34.9+k3s1"), Some(Refusal::Downgrade));
        assert_eq!(refusal("v1.33.4+k3s1", "v1.35.0+k3s1"), Some(Refusal::SkippedMinor("v1.34".into())));
    }

    #[test]
    fn what_is_no_version_is_not_read() {
        for text in ["1.34.4+k3s1", "v1.34+k3s1", "v1.34.4", "v1.34.4+rke2r1", "v1.x.4+k3s1", ""] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
