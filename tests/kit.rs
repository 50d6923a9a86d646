//! What the tests stand on: a lab with folders of its own, in which bridgehead runs as a user would run it.

pub(crate) mod lab;
pub(crate) mod world;

pub(crate) use lab::{Lab, Outcome};
