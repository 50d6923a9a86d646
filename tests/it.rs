//! The tests that run bridgehead as a user would, on real servers: API servers, controllers, Argo CD, git.
//!
//! `kit` holds what they stand on. Every test has folders of its own and takes away what it started.

#![cfg(test)]

mod addon;
mod argocd;
mod bridge;
mod cli;
mod document;
mod down;
mod drift;
mod eks;
mod emulator;
mod existing;
mod fleet;
mod held;
mod hosts;
mod interrupt;
mod inventory;
mod k3s;
mod kill;
mod kit;
mod kubeconfig;
mod lease;
mod limits;
mod local;
mod node;
mod objects;
mod plan_is_run;
mod repository;
mod secrets;
mod settings;
mod sites;
mod ssh;
mod standin;
mod timeout;
