//! The step `site/profile`: the profile says what was asked for.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::site::name::{ClusterName, SiteName};
use crate::site::{Site, load};

/// An edit of a profile. It is made from the text as it is at that moment: what somebody else saves before that stays.
pub(super) struct Profile {
    path: PathBuf,
    site: SiteName,
    overrides: load::Overrides,
    /// Whether there was no file yet, and the site is the one that is built in.
    built_in: bool,
    /// What is said that was not said before.
    detail: String,
    edit: Box<EditText>,
}

/// Makes another text of a profile's.
type EditText = dyn Fn(&str) -> Result<String, Failure> + Send + Sync;

/// The text of a profile as it is, if there is one, and as it is to be.
pub(super) struct Edit {
    before: Option<String>,
    after: String,
}

/// Somebody else saved the profile in the moment between the edit and its writing.
#[derive(Debug, thiserror::Error)]
#[error("the profile `{}` was changed by another program while it was being edited", .0.display())]
struct Changed(PathBuf);

impl Profile {
    /// The edit of the profile of `site` that is, or is to be, the file at `path`. `edit` leaves a text as it is that
    /// says so already.
    pub(super) fn new(
        site: &Site,
        path: PathBuf,
        detail: String,
        edit: impl Fn(&str) -> Result<String, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self {
            path,
            site: site.name.clone(),
            overrides: site.overrides.clone(),
            built_in: site.profile.is_none(),
            detail,
            edit: Box::new(edit),
        }
    }

    /// The site as its profile will say it. Nothing is written.
    ///
    /// # Errors
    /// When the profile cannot be edited, or would no longer be valid.
    pub(super) fn site(&self) -> Result<Arc<Site>, Failure> {
        Ok(Arc::new(self.look()?.1))
    }

    fn look(&self) -> Result<(Edit, Site), Failure> {
        let before =
            if self.built_in { files::read_if_present(&self.path)? } else { Some(files::read(&self.path)?) };
        let after = (self.edit)(before.as_deref().unwrap_or(load::DEFAULT))?;
        let site = load::from_text(Some(&self.path), &self.site, &after, &self.overrides)?;
        Ok((Edit { before, after }, Site { profile: Some(self.path.clone()), ..site }))
    }
}

impl Edit {
    /// Editors know no lock: the file is looked at once more, right before it is replaced.
    fn write(&self, path: &Path) -> Result<(), Failure> {
        if files::read_if_present(path)? != self.before {
            let hint =
                "what was saved is kept; run the command again, and it edits the profile as it is then";
            return Err(Failure::from(Changed(path.to_owned())).with_hint(hint));
        }
        // Whoever may read it now may read it afterwards; a link stays one.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mode = path.metadata().map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
        Ok(files::replace(&path, self.after.as_bytes(), mode)?)
    }
}

impl Step for Profile {
    type Work = Edit;

    fn id(&self) -> StepId {
        StepId::site("profile")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "the profile says what was asked for"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed<Edit>, Stop> {
        let (edit, _) = self.look()?;
        if edit.before.as_ref() == Some(&edit.after) {
            return Ok(Observed::default());
        }
        // The edit is the decision, not the text around it, which is somebody else's.
        let subject = self.path.display().to_string();
        let change = Change::update(subject, &self.detail).with_content(&self.detail);
        Ok(Observed::differs(vec![change], edit))
    }

    async fn apply(&self, edit: Edit, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        writer.perform(async { edit.write(&self.path) }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(path: &Path) -> Profile {
        let name = "home".parse().expect("valid");
        let text = files::read(path).expect("it is there");
        let site = load::from_text(Some(path), &name, &text, &load::Overrides::default()).expect("valid");
        let site = Site { profile: Some(path.to_owned()), ..site };
        let line = "[addons]\nmetrics_server = true\n";
        let edit = move |text: &str| {
            let more = if text.contains(line) { "" } else { line };
            Ok(format!("{text}{more}"))
        };
        Profile::new(&site, path.to_owned(), "switch it on".to_owned(), edit)
    }

    #[tokio::test]
    async fn what_somebody_saves_meanwhile_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("profile.toml");
        let save = |text: &str| files::replace(&path, text.as_bytes(), 0o640).expect("saved");
        save("[hub.local]\n");
        let step = step(&path);
        let observe = async || step.observe(&Facts::default()).await.expect("it can be edited");
        let first = observe().await;

        // Before the look: the edit is made in the new text, and is the same decision.
        save("# mine\n[hub.local]\n");
        let second = observe().await;
        assert_eq!(first.changes, second.changes);

        // After the look: it is refused, and nothing is lost.
        save("# mine, too\n[hub.local]\n");
        let refused = second.work.expect("there is something to do").write(&path).expect_err("it changed");
        assert!(refused.to_string().contains("changed by another program"), "{refused}");
        assert!(refused.hint().is_some_and(|hint| hint.contains("run the command again")));
        assert_eq!(files::read(&path).expect("it is there"), "# mine, too\n[hub.local]\n");

        observe().await.work.expect("there is something to do").write(&path).expect("it is written");
        let text = files::read(&path).expect("it is there");
        assert_eq!(text, "# mine, too\n[hub.local]\n[addons]\nmetrics_server = true\n");
        assert!(observe().await.changes.is_empty());
    }
}
