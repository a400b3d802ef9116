//! The agent as a library: a Rust program that shows itself on the dashboard, beats, and talks by subject.
//!
//! ```no_run
//! use nixfleet::agent::HeartbeatAgent;
//! use serde_json::json;
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let agent = HeartbeatAgent::builder()
//!     .url("wss://fleet.example.org")
//!     .hostname("worker-1")
//!     .key_file("/var/lib/worker/agent.key")
//!     .organization("acme")
//!     .interval(Duration::from_secs(30))
//!     .on("tasks.*.new", |message| async move {
//!         println!("{} says {}", message.from(), message.payload());
//!         if message.awaits_reply() {
//!             let _ = message.reply(json!({ "accepted": true })).await;
//!         }
//!     })
//!     .build()?
//!     .start()
//!     .await?;
//! agent.connected(Duration::from_secs(20)).await?;
//! agent.publish("tasks.web.new", json!({ "id": 7 })).await?;
//! let health = agent.connection_health();
//! println!("healthy: {}, attempts: {}", health.healthy, health.attempts);
//! agent.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//! - Heartbeats run on a thread of their own: nothing that a handler or the rest of the program does delays them.
//! - It connects again by itself, with growing pauses ([`Reconnect`]), and listens to the same subjects again.
//! - Messages are live only. What is sent while nobody listens or nobody is connected is not kept: the one who sends is told.
//! - Each handler has a queue of its own; one that is slow loses its oldest messages, counted by [`Client::n_dropped`].
//!
//! The program `nixfleet-agent` is the same uplink with runs added.

mod builder;
mod client;
mod message;
mod running;

use std::sync::Arc;

use tokio::sync::watch;

use crate::agent::statement::Statement;
use crate::agent::subjects::handlers::{Handler, Start};
use crate::agent::uplink::Uplink;

pub use builder::{BuildError, Builder};
pub use client::Client;
pub use message::Message;
pub use running::RunningAgent;

pub use crate::agent::health::ConnectionHealth;
pub use crate::agent::subjects::MessageError;
pub use crate::agent::uplink::Reconnect;

/// What a handler is given a message by.
type Answer = Box<dyn Fn(Message) -> crate::agent::subjects::handlers::Work + Send + Sync>;

/// An agent that is ready to start.
pub struct HeartbeatAgent {
    uplink: Uplink,
    statement: watch::Sender<Statement>,
    handlers: Vec<(Arc<Handler>, Answer)>,
}

impl std::fmt::Debug for HeartbeatAgent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("HeartbeatAgent")
            .field("uplink", &self.uplink)
            .finish_non_exhaustive()
    }
}

impl HeartbeatAgent {
    /// Says step by step what the agent shall be.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts it: heartbeats on a thread of their own, handlers as tasks of the runtime that this is called on. Does not
    /// wait for the connection; see [`Client::connected`].
    ///
    /// # Errors
    /// There is no tokio runtime here, or no thread can be started.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime to be called on, and may come to wait for more"
    )]
    pub async fn start(self) -> anyhow::Result<RunningAgent> {
        let Self {
            uplink,
            statement,
            handlers,
        } = self;
        let client = Client::new(&uplink, statement);
        let works = handlers.into_iter().map(|(handler, answer)| {
            let client = client.clone();
            let start: Start =
                Box::new(move |message| answer(Message::new(message, client.clone())));
            (handler, start)
        });
        let works: Vec<_> = works.collect();
        RunningAgent::start(uplink, client, works)
    }
}

#[cfg(test)]
mod tests;
