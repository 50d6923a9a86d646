//! Hosts over SSH, on a real server.

mod files;
mod keys;
mod lost;
mod run;
mod user;
