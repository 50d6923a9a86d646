//! The command `k3s kubectl`: a real one if it is among the components, or else the one request that needs none.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::data::components;
use crate::fatal::Fatal;
use crate::system::variable;

const KUBECONFIG: &str = "/etc/rancher/k3s/k3s.yaml";

pub(crate) fn run(arguments: &[&str]) -> Result<(), Fatal> {
    let kubectl = components().join("kubectl");
    if !kubectl.exists() {
        return Err(Fatal::new("there is no kubectl among the components of the stand-in for k3s"));
    }
    let kubeconfig = variable("KUBECONFIG").unwrap_or_else(|| KUBECONFIG.to_owned());
    if let Err(error) = std::fs::File::open(Path::new(&kubeconfig)) {
        return Err(Fatal::of(
            &format!(
                "Unable to read {kubeconfig}, please start server with --write-kubeconfig-mode or --write-kubeconfig-group to modify kube config permissions"
            ),
            &error,
        ));
    }
    let error = Command::new(kubectl).args(arguments).env("KUBECONFIG", kubeconfig).exec();
    Err(Fatal::of("kubectl", &error))
}
