//! The one central program.

pub mod http;
pub mod store;
