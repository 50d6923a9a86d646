//! Options that win over the profile.

use std::path::PathBuf;

use clap::Args;

use crate::site::load::Overrides;

/// What every command that loads a profile takes instead of what it says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Instead of what the profile says")]
pub(super) struct OverrideOptions {
    /// The main kubeconfig, for `kube.kubeconfig`
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The hub's context, for `kube.contexts.argocd`
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    hub_context: Option<String>,
    /// The context of the spoke of the short form, for `argocd.cluster_context`
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    cluster_context: Option<String>,
    /// The host of the hub's k3s server, for `hub.k3s.servers`
    #[arg(long, global = true, hide_short_help = true, value_name = "HOST")]
    k3s_target: Option<String>,
    /// Where the site's own kubeconfig is saved [default: ~/.kube/SITE.yml]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    k3s_kubeconfig: Option<PathBuf>,
    /// The host that Argo CD is on, for `argocd.target_name`
    #[arg(long, global = true, hide_short_help = true, value_name = "HOST")]
    argocd_target: Option<String>,
    /// Where a person reaches Argo CD, for `argocd.server`
    #[arg(long, global = true, hide_short_help = true, value_name = "HOST[:PORT]")]
    argocd_server: Option<String>,
    /// Arguments of the `argocd login` that is shown, for `argocd.login_args`
    #[arg(long, global = true, hide_short_help = true, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    argocd_login_args: Option<String>,
    /// Whether that login goes through a port-forward, for `argocd.auto_port_forward`
    #[arg(long, global = true, hide_short_help = true, value_name = "true|false")]
    argocd_auto_port_forward: Option<bool>,
}

impl OverrideOptions {
    pub(super) fn resolve(&self) -> Overrides {
        Overrides {
            kubeconfig: self.kubeconfig.clone().map(|path| absolute(path).to_string_lossy().into_owned()),
            usual_kubeconfig: super::environment::kubeconfig(),
            hub_context: self.hub_context.clone(),
            cluster_context: self.cluster_context.clone(),
            k3s_target: self.k3s_target.clone(),
            argocd_target: self.argocd_target.clone(),
            argocd_server: self.argocd_server.clone(),
            argocd_login_args: self.argocd_login_args.clone(),
            argocd_auto_port_forward: self.argocd_auto_port_forward,
            k3s_kubeconfig: self.k3s_kubeconfig.clone().map(absolute),
        }
    }
}

/// A path is relative to the current folder here, not to the profile's. One that begins with `~` is left to the
/// profile's rules: make passes it on as it was typed.
fn absolute(path: PathBuf) -> PathBuf {
    if path.starts_with("~") {
        return path;
    }
    std::path::absolute(&path).unwrap_or(path)
}
