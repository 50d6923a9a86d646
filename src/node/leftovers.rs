//! Processes that outlive what started them: children of a program that was killed (git, helm), which neither its
//! process group nor its parent's death reaches. Every process of a pod inherits a variable that names its folder.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::files;

/// The variable with the folder of the pod that a process belongs to.
pub(super) const MARK: &str = "BRIDGEHEAD_POD_FOLDER";

/// Ends every process that belongs to a folder or one below it.
pub(super) fn end(folder: &Path) {
    let processes = files::names(Path::new("/proc")).unwrap_or_default();
    let processes = processes.iter().filter_map(|name| Pid::from_raw(name.parse().ok()?));
    for process in processes {
        let environment = format!("/proc/{}/environ", process.as_raw_nonzero());
        // Processes of other users cannot be read, and are not ours.
        let environment = files::read_bytes(Path::new(&environment)).unwrap_or_default();
        if is_marked(&environment, folder) {
            tracing::info!(process = process.as_raw_nonzero(), "leftover process ended");
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

fn is_marked(environment: &[u8], folder: &Path) -> bool {
    let mut variables = environment.split(|byte| *byte == 0);
    let mark = variables.find_map(|variable| variable.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="));
    mark.and_then(|mark| std::str::from_utf8(mark).ok())
        .is_some_and(|mark| Path::new(mark).starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processes_of_the_folder_are_marked() {
        let environment = b"HOME=/root\0BRIDGEHEAD_POD_FOLDER=/state/hub/pods/1\0";
        assert!(is_marked(environment, Path::new("/state/hub/pods")));
        assert!(!is_marked(environment, Path::new("/state/hub/pods/12")));
        assert!(!is_marked(b"BRIDGEHEAD_POD_FOLDERS=/state/hub", Path::new("/state/hub")));
    }
}
