//! Which keys a profile may have, and of what kind. The types beside it hold what fits.

/// What may stand under a key.
#[derive(Debug, Clone, Copy)]
pub(in crate::site) enum Shape {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// An integer.
    Count,
    /// A table with known keys.
    Table(&'static Table),
    /// A table whose keys the person chooses.
    Map(&'static Shape),
    /// Belongs to the product, and this version does nothing with it yet.
    Later,
}

/// A table with known keys.
#[derive(Debug)]
pub(in crate::site) struct Table {
    /// The keys that it may have.
    pub(in crate::site) keys: &'static [(&'static str, Shape)],
    /// The keys that it must have.
    pub(in crate::site) required: &'static [&'static str],
    /// Exactly one of these must be there, if there are any.
    pub(in crate::site) one_of: &'static [&'static str],
}

/// The providers that a cluster's table may name.
const PROVIDERS: &[&str] = &["local", "k3s", "eks", "existing"];

/// The whole profile.
pub(in crate::site) const PROFILE: Table = Table {
    keys: &[
        ("site", Shape::Table(&SITE)),
        ("hub", Shape::Table(&HUB)),
        ("spokes", Shape::Map(&Shape::Table(&SPOKE))),
        ("addons", Shape::Map(&Shape::Flag)),
        ("repos", Shape::Map(&Shape::Table(&REPOSITORY))),
        ("argocd", Shape::Table(&ARGOCD)),
        ("kube", Shape::Later),
        ("secrets", Shape::Later),
        ("registration", Shape::Later),
    ],
    required: &["hub"],
    one_of: &[],
};

const SITE: Table = Table { keys: &[("protect", Shape::Flag)], required: &[], one_of: &[] };

const HUB: Table = Table {
    keys: &[
        ("name", Shape::Text),
        ("environment", Shape::Text),
        ("local", Shape::Table(&LOCAL)),
        ("addons", Shape::Map(&Shape::Flag)),
        ("labels", Shape::Map(&Shape::Text)),
        ("annotations", Shape::Map(&Shape::Text)),
        ("k3s", Shape::Later),
        ("eks", Shape::Later),
        ("existing", Shape::Later),
    ],
    required: &[],
    one_of: PROVIDERS,
};

const SPOKE: Table = Table {
    keys: &[
        ("environment", Shape::Text),
        ("local", Shape::Table(&LOCAL)),
        ("addons", Shape::Map(&Shape::Flag)),
        ("labels", Shape::Map(&Shape::Text)),
        ("annotations", Shape::Map(&Shape::Text)),
        ("k3s", Shape::Later),
        ("eks", Shape::Later),
        ("existing", Shape::Later),
        ("server", Shape::Later),
        ("proxy_url", Shape::Later),
        ("tls_server_name", Shape::Later),
        ("namespaces", Shape::Later),
        ("project", Shape::Later),
    ],
    required: &[],
    one_of: PROVIDERS,
};

const LOCAL: Table = Table { keys: &[("nodes", Shape::Count)], required: &[], one_of: &[] };

const REPOSITORY: Table = Table {
    keys: &[
        ("url", Shape::Text),
        ("basepath", Shape::Text),
        ("path", Shape::Text),
        ("revision", Shape::Text),
    ],
    required: &["url"],
    one_of: &[],
};

const ARGOCD: Table = Table {
    keys: &[
        ("version", Shape::Text),
        ("namespace", Shape::Text),
        ("install", Shape::Later),
        ("manifest", Shape::Later),
        ("sha256", Shape::Later),
        ("ha", Shape::Later),
        ("registry", Shape::Later),
        ("patches", Shape::Later),
        ("server_insecure", Shape::Later),
        ("ingress", Shape::Later),
        ("cm", Shape::Later),
        ("params", Shape::Later),
        ("rbac", Shape::Later),
        ("notifications", Shape::Later),
        ("projects", Shape::Later),
        ("repositories", Shape::Later),
        ("known_hosts", Shape::Later),
        ("target_name", Shape::Later),
        ("cluster_context", Shape::Later),
        ("cluster_name", Shape::Later),
        ("server", Shape::Later),
        ("login_args", Shape::Later),
        ("auto_port_forward", Shape::Later),
    ],
    required: &[],
    one_of: &[],
};
