//! The hosts of the tests are what the other tests take them for.

mod end;
mod machines;
mod mirror;
mod people;
mod world;
