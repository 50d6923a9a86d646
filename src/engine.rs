//! The one mechanism behind `plan`, `up`, `status` and `down`: look, compare, change, look again.
//!
//! A [`Tree`] orders [`Step`]s. [`run`](run::Run) walks it in one of two [`Mode`](run::Mode)s and tells
//! what happens as [`Event`]s. Nothing in here knows what a cluster is made of, and nothing prints.

pub mod change;
pub mod crowd;
pub mod event;
pub mod facts;
pub mod guard;
pub mod lock;
pub mod run;
pub mod step;
mod stop;
pub mod survey;
pub mod tree;
pub mod wait;
pub mod within;
pub mod writer;

pub use change::{Change, ChangeKind};
pub use event::{Event, Events};
pub use facts::{Access, Credentials, Facts};
pub use step::{BoxFuture, Observed, Step, StepId};
pub use stop::{Failure, Hint, Stop, innermost};
pub use tree::Tree;
pub use writer::Writer;
