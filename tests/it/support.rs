//! The programs as a user starts them: processes with configuration files, on ports of their own, cleaned up on drop.

pub mod api;
pub mod fleet;
pub mod helper;
pub mod process;
pub mod throttle;

pub use fleet::Fleet;
