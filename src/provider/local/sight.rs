//! Whether a cluster that is to be taken away is there.

use super::{LocalCluster, processes, provision, state};
use crate::engine::facts::{Unreachable, WithoutApi};
use crate::provider::presence::{Sighting, unreachable};

/// It is gone when neither a process nor its folder is left, or when its removal has begun.
pub(super) async fn sight(cluster: &LocalCluster) -> Sighting {
    let layout = &cluster.layout;
    let no_process = processes::find(layout).is_empty();
    if no_process && layout.folder().symlink_metadata().is_err() {
        return Sighting::Gone("neither a process nor its folder is left".to_owned());
    }
    if no_process && layout.leaving().exists() {
        return Sighting::Gone("its removal has begun".to_owned());
    }
    match (state::ask(layout).await, provision::access(cluster)) {
        (Ok(Some(_)), Some(access)) => Sighting::At(access, WithoutApi::DestroyAll),
        (Ok(Some(_)), None) => out_of_reach("its files are not there", None),
        (Ok(None), _) => {
            let hint = format!("`bridgehead up {}` starts it again", cluster.site);
            out_of_reach("its supervisor does not run", Some(hint))
        }
        (Err(error), _) => Sighting::Unknown(unreachable(&error.into(), true, WithoutApi::DestroyAll)),
    }
}

fn out_of_reach(cause: &str, hint: Option<String>) -> Sighting {
    let provider = WithoutApi::DestroyAll;
    Sighting::Unknown(Unreachable { cause: cause.to_owned(), hint, is_passing: false, provider })
}
