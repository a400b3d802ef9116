//! What every program needs; knows no other layer.

pub mod backoff;
pub mod clock;
pub mod config_file;
pub mod logging;
pub mod secret;
pub mod shutdown;

/// The version that programs report of themselves.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
