//! What the tests stand on: a lab with folders of its own, in which bridgehead runs as a user would run it.

pub(crate) mod agent;
pub(crate) mod aws;
pub(crate) mod command;
pub(crate) mod door;
pub(crate) mod fleet;
pub(crate) mod git;
pub(crate) mod hosts;
pub(crate) mod http;
pub(crate) mod lab;
pub(crate) mod mirror;
pub(crate) mod process;
pub(crate) mod profile;
pub(crate) mod proxy;
pub(crate) mod road;
pub(crate) mod site;
pub(crate) mod sshd;
pub(crate) mod standin;
pub(crate) mod terminal;
pub(crate) mod wait;
pub(crate) mod watch;
pub(crate) mod world;

pub(crate) use command::Outcome;
pub(crate) use lab::Lab;
