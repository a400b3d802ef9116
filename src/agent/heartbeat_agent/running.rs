//! An agent at work, owned by the program that started it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Client;
use crate::agent::subjects::handlers::{Handler, Start};
use crate::agent::uplink::Uplink;

/// How long the good-bye may take.
const STOP: Duration = Duration::from_secs(5);

/// A running agent. Everything that a [`Client`] can do it can do itself. When it is dropped, the agent stops; [`stop`](Self::stop)
/// waits for it.
#[derive(Debug)]
pub struct RunningAgent {
    client: Client,
    shutdown: CancellationToken,
    /// How it ended, until somebody has asked.
    ended: Option<oneshot::Receiver<anyhow::Result<()>>>,
    /// The handlers' tasks; they end with it.
    works: JoinSet<()>,
    _stop_on_drop: DropGuard,
}

impl Deref for RunningAgent {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl RunningAgent {
    pub(super) fn start(
        uplink: Uplink,
        client: Client,
        handlers: Vec<(Arc<Handler>, Start)>,
    ) -> anyhow::Result<Self> {
        let here = runtime::Handle::try_current()
            .context("an agent is started within a tokio runtime, on which its handlers work")?;
        let shutdown = CancellationToken::new();
        let (done, ended) = oneshot::channel();
        let token = shutdown.clone();
        // A thread and a runtime of its own: what the program does with its own threads delays no heartbeat.
        std::thread::Builder::new()
            .name("nixfleet-agent".into())
            .spawn(move || {
                let ended = serve(&uplink, &token);
                // Who started it may have gone.
                let _ = done.send(ended);
            })
            .context("the agent's thread cannot be started")?;
        let mut works = JoinSet::new();
        for (handler, start) in handlers {
            works.spawn_on(async move { handler.work(start).await }, &here);
        }
        Ok(Self {
            client,
            _stop_on_drop: shutdown.clone().drop_guard(),
            shutdown,
            ended: Some(ended),
            works,
        })
    }

    /// A front that can be cloned and kept anywhere.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Waits until the agent ends by itself: its attempts to connect are used up ([`Reconnect`](super::Reconnect)). With the
    /// usual policy that is never.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        let Some(ended) = &mut self.ended else {
            return Ok(());
        };
        let result = ended.await;
        self.ended = None;
        // Without a word, its thread is gone.
        result.unwrap_or_else(|_| Err(anyhow::anyhow!("the agent's thread has ended")))
    }

    /// Says good-bye to the dashboard and ends; handlers that are at work are given up. Takes at most 5 s.
    ///
    /// # Errors
    /// It had ended before, and why; or the good-bye took too long.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let ended = timeout(STOP, self.ended()).await;
        self.works.shutdown().await;
        ended.unwrap_or_else(|_| {
            Err(anyhow::anyhow!(
                "the agent did not end within {} s",
                STOP.as_secs()
            ))
        })
    }
}

fn serve(uplink: &Uplink, token: &CancellationToken) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_name("nixfleet-agent-io")
        .build()
        .context("the agent's runtime cannot be started")?;
    let ended = runtime.block_on(uplink.run(token));
    // A look-up of a name may still be under way.
    runtime.shutdown_background();
    ended
}
