//! The one central program.

pub mod access;
pub mod app;
pub mod http;
pub mod store;
