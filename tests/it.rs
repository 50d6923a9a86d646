//! The tests that run bridgehead as a user would, on real servers.
