//! The command line where no cluster is needed: help, exit codes, and what goes to which stream.

mod help;
mod init;
mod profile;
mod run;
mod schema;
