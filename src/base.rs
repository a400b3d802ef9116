//! What every program needs; knows no other layer.

pub mod backoff;
pub mod clock;
pub mod config_file;
pub mod logging;
pub mod secret;
pub mod shutdown;

/// The version that programs report of themselves: the package's, unless whoever builds it says otherwise (with the
/// revision behind a `+`, say) by setting `NIXFLEET_VERSION` for the build.
pub const VERSION: &str = match option_env!("NIXFLEET_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
