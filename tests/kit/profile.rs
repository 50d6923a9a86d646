//! The profile that most tests begin with.

/// A `local` hub and spokes that are their own environments, with this repository's addons and workloads.
pub(crate) fn fleet(spokes: &[&str]) -> String {
    let spoke = |name: &&str| format!("[spokes.{name}]\nenvironment = \"{name}\"\n[spokes.{name}.local]\n");
    let spokes: String = spokes.iter().map(spoke).collect();
    format!("[hub.local]\n{spokes}{REST}")
}

const REST: &str = r#"
[addons]
priority_classes = true
[repos.addons]
url = "../.."
basepath = "addons/"
path = "bootstrap"
[repos.workload]
url = "../.."
basepath = "workloads/"
path = "demo"
"#;
