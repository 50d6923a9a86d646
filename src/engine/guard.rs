//! What a run has to hold before it writes anything, besides the lock of this machine.

use super::facts::Facts;
use super::step::BoxFuture;

/// Another run holds it.
#[derive(Debug, thiserror::Error)]
#[error("another run is at work on this site: {holder}, since {since}")]
pub struct Held {
    /// Who, as they said.
    pub holder: String,
    /// Since when, as they said.
    pub since: String,
}

/// Why a guard does not let a run go on.
#[derive(Debug)]
pub enum Refusal {
    /// Another run holds it.
    Held(Held),
    /// It cannot be had.
    Failed(super::stop::Failure),
}

/// Asked before the work of every step; the first time that it can be taken, it is taken, and kept from then on.
pub trait Guard: Send + Sync {
    /// Takes or keeps it, in view of what is known: before there is a hub, there is nothing to take.
    ///
    /// # Errors
    /// When another run holds it, or it cannot be had.
    fn hold<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Gives it back at the end of a run, also what a run that died here before has left. What cannot be given back ends
    /// by itself.
    fn release<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, ()>;
}
