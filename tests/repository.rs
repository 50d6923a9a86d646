//! What must hold of the repository itself.

mod layers;
mod make;
mod text;
