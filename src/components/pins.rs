//! Which components, in which version, and why that one.
//!
//! They are built from Go modules, all by the one `go.mod` beside this file, whose `go.sum` pins every source by
//! its hash. So the versions have to agree with each other: that is most of the reasons.

/// A program that a `local` cluster is made of.
#[derive(Debug)]
pub(super) struct Component {
    /// The name of its executable.
    pub(super) name: &'static str,
    /// The Go module that it comes from.
    pub(super) module: &'static str,
    /// Its main package, below the module.
    pub(super) package: &'static str,
    /// The module's version.
    pub(super) version: &'static str,
    /// Why this version.
    pub(super) reason: &'static str,
    /// Variables that a release build sets, with their values.
    pub(super) variables: &'static [(&'static str, &'static str)],
}

const KUBERNETES: Component = Component {
    name: "",
    module: "k8s.io/kubernetes",
    package: "",
    version: "v1.34.4",
    reason: "the line that Argo CD v3.2 is built with, so that one go.mod builds both",
    variables: &[
        ("k8s.io/component-base/version.gitVersion", "v1.34.4"),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "34"),
    ],
};

/// Every program, quick builds first.
pub(super) const COMPONENTS: [Component; 8] = [
    Component {
        name: "redis",
        module: "github.com/alicebob/miniredis/v2",
        package: "",
        version: "v2.35.0",
        reason: "speaks the Redis protocol in one small process without files; Argo CD keeps only a cache there",
        variables: &[],
    },
    Component {
        name: "etcd",
        module: "go.etcd.io/etcd/server/v3",
        package: "",
        version: "v3.6.4",
        reason: "the version that Kubernetes v1.34 is released and tested with",
        variables: &[],
    },
    Component { name: "kube-apiserver", package: "/cmd/kube-apiserver", ..KUBERNETES },
    Component { name: "kube-controller-manager", package: "/cmd/kube-controller-manager", ..KUBERNETES },
    Component { name: "kube-scheduler", package: "/cmd/kube-scheduler", ..KUBERNETES },
    Component {
        name: "kustomize",
        module: "sigs.k8s.io/kustomize/kustomize/v5",
        package: "",
        version: "v5.7.1",
        reason: "the newest that builds with Go 1.26, which the other components are built with",
        variables: &[],
    },
    Component {
        name: "helm",
        module: "helm.sh/helm/v3",
        package: "/cmd/helm",
        version: "v3.18.6",
        reason: "of the line that Argo CD v3.2 is released with",
        variables: &[],
    },
    Component {
        name: "argocd",
        module: ARGOCD,
        package: "/cmd",
        version: crate::site::ARGOCD_VERSION,
        reason: "the newest release that builds from its published module: v3.2.12 does not compile, and later \
                 lines need a nested module that is not published",
        variables: &[("github.com/argoproj/argo-cd/v3/common.version", ARGOCD_NUMBER)],
    },
];

const ARGOCD: &str = "github.com/argoproj/argo-cd/v3";
const ARGOCD_NUMBER: &str = "3.2.11";

/// A file of a Go module that is used as it is.
#[derive(Debug)]
pub(super) struct Manifest {
    /// The name of our copy.
    pub(super) name: &'static str,
    /// The Go module that it comes from.
    pub(super) module: &'static str,
    /// Where it is in the module.
    pub(super) path: &'static str,
    /// The module's version.
    pub(super) version: &'static str,
    /// Why this version.
    pub(super) reason: &'static str,
    /// Its SHA-256 in hexadecimal digits.
    pub(super) sha256: &'static str,
}

/// What installs Argo CD.
pub(super) const MANIFEST: Manifest = Manifest {
    name: "argocd-install.yaml",
    module: ARGOCD,
    path: "manifests/install.yaml",
    version: crate::site::ARGOCD_VERSION,
    reason: "the manifest of the Argo CD above",
    sha256: "6cdd269e07f27b50f9e481cc7e685443b26b79372001ff7868ff1543610417bd",
};

/// What builds the components, as files of a folder of their own.
pub(super) const SOURCES: [(&str, &str); 3] = [
    ("go.mod", include_str!("go/go.mod")),
    ("go.sum", include_str!("go/go.sum")),
    ("redis/main.go", include_str!("go/redis/main.go")),
];

impl Component {
    /// What `go build` is asked for. Redis is our few lines around its module.
    pub(super) fn target(&self) -> String {
        match self.name {
            "redis" => "./redis".to_owned(),
            _ => format!("{}{}", self.module, self.package),
        }
    }

    /// What `go build` tells the linker: no tables for debuggers, and the variables.
    pub(super) fn linker_flags(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!(" -X {name}={value}"));
        std::iter::once("-s -w".to_owned()).chain(variables).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_and_go_mod_say_the_same() {
        let (_, go_mod) = SOURCES[0];
        for component in &COMPONENTS {
            let line = format!("{} {}", component.module, component.version);
            assert!(
                go_mod.lines().any(|found| found.trim().trim_start_matches("require ").starts_with(&line)),
                "{line}"
            );
            let tool = component.target();
            assert!(tool == "./redis" || go_mod.lines().any(|found| found.trim() == tool), "{tool}");
        }
        assert_eq!(MANIFEST.version.trim_start_matches('v'), ARGOCD_NUMBER);
        assert_eq!(KUBERNETES.linker_flags().matches(KUBERNETES.version).count(), 1);
    }
}
