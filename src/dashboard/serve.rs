//! The listener: plain HTTP until the end, with a deadline for the end.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use tokio_util::sync::CancellationToken;

use crate::dashboard::DRAIN;

/// Serves `router` until `shutdown`, then lets open requests end for at most [`DRAIN`].
///
/// # Errors
/// The listener does not work.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    listener
        .set_nonblocking(true)
        .context("preparing the listener")?;
    let listener = tokio::net::TcpListener::from_std(listener)
        .context("preparing the listener")?
        // Acknowledgements and lines are small messages that somebody waits for: without this they may wait 40 ms.
        .tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("a connection stays slow: {error}");
            }
        });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served =
        axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = served.into_future() => served.context("serving"),
        () = deadline => Ok(()),
    }
}
