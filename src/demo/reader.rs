//! Reads the dashboard as a page does: its API and its server-sent events.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::Response;

/// How long the dashboard may take to answer. Its streams are silent for 15 s at most.
const ANSWER: Duration = Duration::from_secs(30);

/// A client of the demo's dashboard.
#[derive(Debug, Clone)]
pub struct Reader {
    base: String,
    authorization: String,
    agent: Agent,
}

impl Reader {
    /// With an API token.
    pub fn new(base: &str, token: &str) -> Self {
        let agent = Agent::config_builder()
            .timeout_connect(Some(ANSWER))
            .timeout_recv_response(Some(ANSWER))
            .build()
            .new_agent();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {token}"),
            agent,
        }
    }

    fn open(&self, path: &str) -> anyhow::Result<Response<ureq::Body>> {
        self.agent
            .get(format!("{}{path}", self.base))
            .header("authorization", &self.authorization)
            .call()
            .with_context(|| format!("GET {path}"))
    }

    /// The JSON at `path`.
    ///
    /// # Errors
    /// The dashboard does not answer, refuses, or answers something else.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let text = self.open(path)?.body_mut().read_to_string()?;
        serde_json::from_str(&text).with_context(|| format!("the answer of GET {path}"))
    }

    /// The number of bytes at `path`.
    ///
    /// # Errors
    /// The dashboard does not answer, or stops in the middle.
    pub fn count_bytes(&self, path: &str) -> anyhow::Result<u64> {
        let mut body = self.open(path)?.into_body().into_reader();
        Ok(std::io::copy(&mut body, &mut std::io::sink())?)
    }

    /// Posts JSON and answers the answer's JSON.
    ///
    /// # Errors
    /// The dashboard does not answer, refuses, or answers something else.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<T> {
        let text = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .send(body.to_string())
            .with_context(|| format!("POST {path}"))?
            .body_mut()
            .read_to_string()?;
        serde_json::from_str(&text).with_context(|| format!("the answer of POST {path}"))
    }

    /// Gives each server-sent event's name and data to `take`, until that answers false or the stream ends.
    ///
    /// # Errors
    /// The stream cannot be opened, or `take` fails.
    pub fn events(
        &self,
        path: &str,
        mut take: impl FnMut(&str, &str) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let body = BufReader::new(self.open(path)?.into_body().into_reader());
        let (mut name, mut data) = (String::new(), String::new());
        for line in body.lines() {
            let line = line?;
            if let Some(value) = line.strip_prefix("event:") {
                value.trim().clone_into(&mut name);
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push_str(value.trim_start());
            } else if line.is_empty() {
                if !data.is_empty() && !take(&name, &data)? {
                    return Ok(());
                }
                name.clear();
                data.clear();
            }
        }
        Ok(())
    }
}
