//! The one mechanism behind `plan`, `up`, `status` and `down`: look, compare, change, look again.
//!
//! A [`Tree`] orders [`Step`]s. [`run`](run::run) walks it in one of two [`Mode`](run::Mode)s and tells
//! what happens as [`Event`]s. Nothing in here knows what a cluster is made of, and nothing prints.

pub mod event;
pub mod facts;
pub mod lock;
pub mod run;
pub mod step;
pub mod survey;
pub mod tree;
pub mod wait;
pub mod writer;

pub use event::{Event, Events};
pub use facts::{Access, Credentials, Facts};
pub use step::{BoxFuture, Change, Failure, Observed, Step, StepId, Stop};
pub use tree::Tree;
pub use writer::Writer;
