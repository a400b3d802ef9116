//! The HTTP interface.

pub mod access;
pub mod assets;
pub mod error;
pub mod security;
