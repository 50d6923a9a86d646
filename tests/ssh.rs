//! Hosts over SSH, on a real server.

mod files;
mod keys;
mod lost;
mod password;
mod run;
mod sudo;
mod user;
