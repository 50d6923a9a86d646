//! The order of `down`: its own tree, not `up` backwards.
