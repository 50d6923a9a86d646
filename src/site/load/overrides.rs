//! What the command line says instead of the profile.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// What the command line says instead of the profile, checked as if it stood there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--kubeconfig`, for `kube.kubeconfig`.
    pub kubeconfig: Option<String>,
    /// `$KUBECONFIG`, which may be several files: instead of `~/.kube/config` where nothing else says which.
    pub usual_kubeconfig: Option<PathBuf>,
    /// `--hub-context`, for `kube.contexts.argocd` and, of an existing hub, `hub.existing.context`.
    pub hub_context: Option<String>,
    /// `--cluster-context`, for `argocd.cluster_context`.
    pub cluster_context: Option<String>,
    /// `--k3s-target`, for `hub.k3s.servers`.
    pub k3s_target: Option<String>,
    /// `--argocd-target`, for `argocd.target_name`.
    pub argocd_target: Option<String>,
    /// `--argocd-server`, for `argocd.server`.
    pub argocd_server: Option<String>,
    /// `--argocd-login-args`, for `argocd.login_args`.
    pub argocd_login_args: Option<String>,
    /// `--argocd-auto-port-forward`, for `argocd.auto_port_forward`.
    pub argocd_auto_port_forward: Option<bool>,
    /// `--k3s-kubeconfig`: where the site's own kubeconfig is saved. No key of the profile says it.
    pub k3s_kubeconfig: Option<PathBuf>,
}

impl Overrides {
    /// Each option that is given: its name, its value, and the keys of the profile that it stands for.
    fn given(&self) -> Vec<Given<'_>> {
        let flag = self.argocd_auto_port_forward.map(Value::Flag);
        let all: [(&str, Option<Value<'_>>, &[&str]); 8] = [
            ("kubeconfig", text(self.kubeconfig.as_ref()), &["kube", "kubeconfig"]),
            ("hub-context", text(self.hub_context.as_ref()), &["kube", "contexts", "argocd"]),
            ("cluster-context", text(self.cluster_context.as_ref()), &["argocd", "cluster_context"]),
            ("k3s-target", self.k3s_target.as_deref().map(Value::Element), &["hub", "k3s", "servers"]),
            ("argocd-target", text(self.argocd_target.as_ref()), &["argocd", "target_name"]),
            ("argocd-server", text(self.argocd_server.as_ref()), &["argocd", "server"]),
            ("argocd-login-args", text(self.argocd_login_args.as_ref()), &["argocd", "login_args"]),
            ("argocd-auto-port-forward", flag, &["argocd", "auto_port_forward"]),
        ];
        let given =
            all.into_iter().filter_map(|(name, value, path)| Some(Given { name, value: value?, path }));
        given.collect()
    }

    /// Puts what is given where the profile would say it. Spans are those of the text that [`Display`](fmt::Display)
    /// writes, from `start`.
    pub(super) fn apply(&self, profile: &mut DeTable<'_>, start: usize) {
        let mut written = start;
        for given in self.given() {
            let end = written + given.to_string().len();
            let span = written + "--".len() + given.name.len() + " ".len()..end;
            written = end + " ".len();
            let typed = || Spanned::new(span.clone(), given.value.typed(&span));
            set(profile, given.path, typed());
            let hub = profile.get("hub").and_then(|hub| hub.get_ref().as_table());
            if given.name == "hub-context" && hub.is_some_and(|hub| hub.contains_key("existing")) {
                set(profile, &["hub", "existing", "context"], typed());
            }
        }
    }
}

fn text(value: Option<&String>) -> Option<Value<'_>> {
    value.map(|text| Value::Text(text))
}

/// An option that is given.
struct Given<'a> {
    name: &'static str,
    value: Value<'a>,
    path: &'static [&'static str],
}

enum Value<'a> {
    Text(&'a str),
    /// The only element of an array.
    Element(&'a str),
    Flag(bool),
}

impl Value<'_> {
    fn typed(&self, span: &Range<usize>) -> DeValue<'static> {
        match *self {
            Self::Text(text) => DeValue::String(text.to_owned().into()),
            Self::Flag(flag) => DeValue::Boolean(flag),
            Self::Element(text) => {
                let mut array = DeArray::new();
                array.push(Spanned::new(span.clone(), DeValue::String(text.to_owned().into())));
                DeValue::Array(array)
            }
        }
    }
}

impl fmt::Display for Given<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Value::Text(text) | Value::Element(text) => write!(formatter, "--{} {text}", self.name),
            Value::Flag(flag) => write!(formatter, "--{} {flag}", self.name),
        }
    }
}

/// The options that are given, as they would be typed.
impl fmt::Display for Overrides {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<_> = self.given().iter().map(ToString::to_string).collect();
        formatter.write_str(&options.join(" "))
    }
}

/// Puts a value where it would stand; not where something else than a table is on the way, which is found later.
fn set<'a>(table: &mut DeTable<'a>, path: &[&'static str], value: Spanned<DeValue<'a>>) {
    let [first, rest @ ..] = path else { return };
    let key = Spanned::new(value.span(), DeString::Borrowed(first));
    if rest.is_empty() {
        table.remove(*first);
        table.insert(key, value);
        return;
    }
    if !table.contains_key(*first) {
        table.insert(key, Spanned::new(value.span(), DeValue::Table(DeTable::new())));
    }
    if let Some(DeValue::Table(below)) = table.get_mut(*first).map(Spanned::get_mut) {
        set(below, rest, value);
    }
}
