//! Hosts over SSH, on a real server and on real machines.

mod files;
mod keys;
mod lost;
mod machines;
mod run;
mod user;
