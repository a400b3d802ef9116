//! One cancellation token per process, made from SIGTERM and SIGINT.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Answers a token that is cancelled by the first SIGTERM or SIGINT. The listening task belongs to `tasks`.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn on_signals(tasks: &TaskTracker) -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let cancelled = token.clone();
    tasks.spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = cancelled.cancelled() => return,
        };
        tracing::info!("{name}: stopping");
        cancelled.cancel();
    });
    Ok(token)
}
