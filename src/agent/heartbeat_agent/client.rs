//! What a program says to its agent, from wherever. Cheap to clone; handlers get one with each message.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Message;
use crate::agent::health::{ConnectionHealth, Health};
use crate::agent::statement::Statement;
use crate::agent::subjects::{MessageError, Subjects};
use crate::agent::uplink::Uplink;

/// The front of a running agent.
#[derive(Debug, Clone)]
pub struct Client {
    subjects: Arc<Subjects>,
    health: watch::Receiver<Health>,
    statement: watch::Sender<Statement>,
    limit: Duration,
}

impl Client {
    pub(super) fn new(uplink: &Uplink, statement: watch::Sender<Statement>) -> Self {
        Self {
            subjects: Arc::clone(&uplink.subjects),
            health: uplink.health.subscribe(),
            statement,
            limit: uplink.identity.silence_limit(),
        }
    }

    /// Sends a message to all who listen to `subject` in this organization, and answers how many those are. `payload` is
    /// anything that serde can write, at most 64 KiB as JSON. The dashboard takes 100 messages a second, over longer times;
    /// who sends faster is refused.
    ///
    /// # Errors
    /// See [`MessageError`]: there is no connection, the subject is none, the payload is too large, the dashboard refuses.
    pub async fn publish(
        &self,
        subject: impl AsRef<str>,
        payload: impl Serialize,
    ) -> Result<u32, MessageError> {
        let subject = subject.as_ref().parse()?;
        self.subjects.publish(subject, json(payload)?, None).await
    }

    /// Sends a message and waits, at most `deadline`, for the first answer ([`Message::reply`]) to it.
    ///
    /// # Errors
    /// See [`MessageError`]; that nobody listens is said at once.
    pub async fn request(
        &self,
        subject: impl AsRef<str>,
        payload: impl Serialize,
        deadline: Duration,
    ) -> Result<Message, MessageError> {
        let subject = subject.as_ref().parse()?;
        let answer = self
            .subjects
            .request(subject, json(payload)?, deadline)
            .await?;
        Ok(Message::new(answer, self.clone()))
    }

    pub(super) async fn answer(
        &self,
        address: crate::wire::subject::Subject,
        payload: impl Serialize,
    ) -> Result<u32, MessageError> {
        self.subjects.publish(address, json(payload)?, None).await
    }

    /// How the connection is now.
    pub fn connection_health(&self) -> ConnectionHealth {
        self.health.borrow().now(self.limit)
    }

    /// Why there is no connection, in words, where the last attempt failed.
    pub fn last_error(&self) -> Option<String> {
        self.health.borrow().error.clone()
    }

    /// Waits until the dashboard has taken the agent in, at most `deadline`.
    ///
    /// # Errors
    /// It has not in that time; the text says why the last attempt failed.
    pub async fn connected(&self, deadline: Duration) -> anyhow::Result<()> {
        let mut health = self.health.clone();
        let standing = health.wait_for(|health| health.connected);
        match timeout(deadline, standing).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(anyhow::anyhow!("the agent has ended")),
            Err(_) => {
                let why = self.last_error();
                Err(anyhow::anyhow!(
                    "no connection within {:.1} s{}",
                    deadline.as_secs_f64(),
                    why.map_or_else(String::new, |why| format!(": {why}"))
                ))
            }
        }
    }

    /// What the program says of itself in heartbeats, in a sentence; at most 200 characters, an empty one takes it back.
    pub fn set_status(&self, text: &str) {
        self.statement.send_modify(|statement| statement.say(text));
    }

    /// A number in heartbeats from here on; at most 32 of them.
    ///
    /// # Errors
    /// The name or the number cannot be sent.
    pub fn set_metric(&self, name: &str, value: f64) -> Result<(), String> {
        let mut set = Ok(());
        self.statement
            .send_modify(|statement| set = statement.set(name, value));
        set
    }

    /// Takes a number out of heartbeats.
    pub fn remove_metric(&self, name: &str) {
        self.statement.send_modify(|statement| {
            statement.metrics.remove(name);
        });
    }

    /// Messages that no handler saw, because it was too slow for them.
    pub fn n_dropped(&self) -> u64 {
        self.subjects.n_dropped()
    }
}

fn json(payload: impl Serialize) -> Result<serde_json::Value, MessageError> {
    serde_json::to_value(payload).map_err(|error| MessageError::Payload(error.to_string()))
}
