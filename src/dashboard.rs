//! The one central program.

pub mod access;
pub mod app;
pub mod args;
pub mod config;
pub mod http;
pub mod store;
pub mod tls;
