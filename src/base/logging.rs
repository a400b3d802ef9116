//! Logging to standard error, in the journal's priority format when systemd reads it.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging at `level` (`error`, `warn`, `info`, `debug`, `trace`, or filters by module such as
/// `warn,nixfleet=debug`). Calling it again changes nothing, so that a program can run inside a test.
///
/// Filters are by module and level alone: those by span and field would bring an engine for regular expressions, a tenth
/// of the agent.
///
/// # Errors
/// A level that is none of those, with the ones that are.
pub fn start(level: &str) -> anyhow::Result<()> {
    let filter = level.parse::<Targets>().map_err(|error| {
        anyhow::anyhow!("log level `{level}`: {error}; write error, warn, info, debug or trace")
    })?;
    // Under systemd the journal adds its own time stamps; a person at a terminal wants them.
    let in_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(!in_journal && std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let subscriber = tracing_subscriber::registry().with(filter);
    let started = if in_journal {
        subscriber.with(lines.without_time()).try_init()
    } else {
        subscriber.with(lines).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was already started");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_names_the_right_ones() {
        let error = start("nixfleet=loud").unwrap_err().to_string();
        assert!(error.contains("`nixfleet=loud`"), "{error}");
        assert!(
            error.contains("error, warn, info, debug or trace"),
            "{error}"
        );
        let known = Targets::new().with_target("nixfleet", tracing::Level::DEBUG);
        let parsed: Targets = "nixfleet=debug".parse().unwrap();
        assert_eq!(parsed, known);
    }
}
