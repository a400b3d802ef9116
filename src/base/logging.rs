//! Logging to standard error, in the journal's priority format when systemd reads it.

use tracing_subscriber::EnvFilter;

/// Starts logging at `level` (`error`, `warn`, `info`, `debug`, `trace`, or a filter such as `nixfleet=debug`).
/// Calling it again changes nothing, so that a program can run inside a test.
///
/// # Errors
/// A level that is none of those, with the ones that are.
pub fn start(level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(level).map_err(|error| {
        anyhow::anyhow!("log level `{level}`: {error}; write error, warn, info, debug or trace")
    })?;
    // Under systemd the journal adds its own time stamps; a person at a terminal wants them.
    let in_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(!in_journal && std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let started = if in_journal {
        builder.without_time().try_init()
    } else {
        builder.try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was already started");
    }
    Ok(())
}
