//! Plans that were shown, kept beside this machine's logs by their digest: so that a run that finds another plan than the
//! expected one can say what is different.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::environment;
use super::error::CommandError;
use crate::engine::run::{DigestKey, Plan};
use crate::env::Env;
use crate::files;
use crate::site::name::SiteName;
use crate::site::secret::Secret;

/// How many plans are kept of a site.
const KEPT: usize = 20;

/// The digest of a plan, which is kept under it.
///
/// # Errors
/// When the files cannot be read or written.
pub(super) fn keep(env: &Env, site: &SiteName, plan: &Plan) -> Result<String, CommandError> {
    let digest = digest(env, plan)?;
    let folder = folder(env, site);
    files::make_folder(&folder)?;
    forget_old(&folder);
    files::replace(&folder.join(&digest), lines(plan).join("\n").as_bytes(), 0o600)?;
    Ok(digest)
}

/// Checks that a plan is the one that has the digest `expected`.
///
/// # Errors
/// When it is another one: what is different, as far as the expected one was shown on this machine.
pub(super) fn expect(env: &Env, site: &SiteName, plan: &Plan, expected: &str) -> Result<(), CommandError> {
    let found = digest(env, plan)?;
    if found == expected {
        return Ok(());
    }
    let was_shown = |text: String| text.lines().map(ToOwned::to_owned).collect::<BTreeSet<_>>();
    let shown = files::read_if_present(&folder(env, site).join(expected)).ok().flatten().map(was_shown);
    let now: BTreeSet<_> = lines(plan).into_iter().collect();
    let differences = shown.map(|shown| {
        let gone = shown.difference(&now).map(|line| format!("- {line}"));
        gone.chain(now.difference(&shown).map(|line| format!("+ {line}"))).collect()
    });
    Err(CommandError::OtherPlan { expected: expected.to_owned(), found, differences })
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.changes().map(|(step, change)| format!("{step}: {change}").replace('\n', " ")).collect()
}

fn folder(env: &Env, site: &SiteName) -> PathBuf {
    env.state.join("log").join("plans").join(site.as_str())
}

/// Old plans are of no use to anybody, and it does no harm if they stay.
fn forget_old(folder: &Path) {
    let Ok(names) = files::names(folder) else { return };
    if names.len() >= KEPT {
        for name in names {
            let _ = files::remove(&folder.join(name));
        }
    }
}

fn digest(env: &Env, plan: &Plan) -> Result<String, CommandError> {
    let key = if plan.holds_secrets() { key(env)? } else { Secret::new([0; 32]) };
    Ok(plan.digest(&key))
}

/// The key of this machine, or the one that machines share which review each other's plans.
fn key(env: &Env) -> Result<DigestKey, CommandError> {
    let of = |text: &str| Secret::new(Sha256::digest(text.as_bytes()).into());
    if let Some(shared) = environment::digest_key() {
        return Ok(of(shared.expose()));
    }
    let path = env.state.join("log").join("digest-key");
    if files::read_if_present(&path)?.is_none_or(|key| key.is_empty()) {
        let mut random = [0_u8; 32];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .map_err(|errno| CommandError::Runtime(errno.into()))?;
        let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        files::make_folder(&env.state.join("log"))?;
        files::replace(&path, text.as_bytes(), 0o600)?;
    }
    Ok(of(&files::read(&path)?))
}
