//! What a person wants to know after `up`.
