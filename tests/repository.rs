//! What must hold of the repository itself.

mod layers;
mod make;
mod providers;
mod text;
