//! The HTTP API, as a script uses it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

/// A client with a token.
#[derive(Clone)]
pub struct Api {
    pub base: String,
    pub token: String,
    agent: Agent,
}

/// Status and JSON body.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Api {
    pub fn new(base: &str, token: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        Self {
            base: base.to_owned(),
            token: token.to_owned(),
            agent,
        }
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap()
    }

    /// As [`Self::get`], of a dashboard that may not be there.
    pub fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        let mut response = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("authorization", self.bearer())
            .call()?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string()?;
        Ok(Answer {
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        })
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let mut response = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("authorization", self.bearer())
            .header("content-type", "application/json")
            .send(body.to_string())
            .unwrap();
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().unwrap();
        Answer {
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    /// The bytes at `path`, streamed into `take`.
    pub fn download(&self, path: &str, mut take: impl FnMut(&[u8])) {
        let response = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("authorization", self.bearer())
            .call()
            .unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let len = reader.read(&mut buffer).unwrap();
            if len == 0 {
                break;
            }
            take(&buffer[..len]);
        }
    }

    /// Server-sent events of `path` until `take(name, id, data)` answers false or the stream ends.
    pub fn events(
        &self,
        path: &str,
        last_event_id: Option<&str>,
        take: impl FnMut(&str, Option<&str>, Value) -> bool,
    ) {
        self.try_events(path, last_event_id, take).unwrap();
    }

    /// As [`Self::events`], of a dashboard that may not be there. A stream that breaks off just ends.
    pub fn try_events(
        &self,
        path: &str,
        last_event_id: Option<&str>,
        mut take: impl FnMut(&str, Option<&str>, Value) -> bool,
    ) -> Result<(), ureq::Error> {
        let mut request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("authorization", self.bearer());
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.call()?;
        assert_eq!(response.status().as_u16(), 200);
        let reader = BufReader::new(response.into_body().into_reader());
        let (mut name, mut id, mut data) = (String::new(), None, String::new());
        for line in reader.lines().map_while(Result::ok) {
            if let Some(value) = line.strip_prefix("event:") {
                value.trim().clone_into(&mut name);
            } else if let Some(value) = line.strip_prefix("id:") {
                id = Some(value.trim().to_owned());
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push_str(value.trim_start());
            } else if line.is_empty() && !data.is_empty() {
                let value = serde_json::from_str(&data).unwrap();
                data.clear();
                if !take(&name, id.take().as_deref(), value) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
