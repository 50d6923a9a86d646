//! The hosts of the tests are what the other tests take them for.

mod machines;
mod mirror;
mod people;
mod world;
