//! The HTTP interface.

pub mod error;
