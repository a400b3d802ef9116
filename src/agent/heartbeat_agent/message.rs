//! A message as a handler gets it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Client, MessageError};
use crate::wire::subject::Subject;
use crate::wire::to_agent;

/// A message that arrived.
#[derive(Debug, Clone)]
pub struct Message {
    message: to_agent::Message,
    client: Client,
}

impl Message {
    pub(super) fn new(message: to_agent::Message, client: Client) -> Self {
        Self { message, client }
    }

    /// What it is about.
    pub fn subject(&self) -> &Subject {
        &self.message.subject
    }

    /// What it says.
    pub fn payload(&self) -> &Value {
        &self.message.payload
    }

    /// What it says, as a type of the program's own.
    ///
    /// # Errors
    /// It says something else.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.message.payload)
    }

    /// Who sent it: a host's name, or `operator NAME`. The dashboard says so, not the sender.
    pub fn from(&self) -> &str {
        &self.message.from
    }

    /// Whether the sender waits for an answer.
    pub fn awaits_reply(&self) -> bool {
        self.message.reply_to.is_some()
    }

    /// Answers it; the first answer counts.
    ///
    /// # Errors
    /// See [`MessageError`]; [`MessageError::NoReply`] where no answer is awaited.
    pub async fn reply(&self, payload: impl Serialize) -> Result<u32, MessageError> {
        let address = self.message.reply_to.clone().ok_or(MessageError::NoReply)?;
        self.client.answer(address, payload).await
    }

    /// The agent that it came to, for a handler that has something to say.
    pub fn agent(&self) -> &Client {
        &self.client
    }
}
