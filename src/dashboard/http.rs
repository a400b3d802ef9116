//! The HTTP interface.

pub mod access;
pub mod error;
pub mod security;
