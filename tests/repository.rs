//! What must hold of the repository itself.

mod layers;
mod text;
