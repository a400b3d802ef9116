//! ntfy: its JSON, which takes any letters in a title, to the server itself; the topic is in the body.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::{Request, Uri};
use serde_json::{Value, json};

use super::begin;
use crate::base::secret::Secret;
use crate::dashboard::alerts::message::{Event, Message};
use crate::dashboard::alerts::rules::Severity;
use crate::dashboard::alerts::settings::channel::topic;

/// What is published.
pub fn body(topic: &str, message: &Message) -> Value {
    let notice = &message.notice;
    let (priority, tag) = match (notice.event, notice.severity) {
        (Event::Recovered, _) => (3, "white_check_mark"),
        (Event::Test, _) => (3, "test_tube"),
        (Event::Firing, Severity::Critical) => (5, "rotating_light"),
        (Event::Firing, Severity::Warning) => (4, "warning"),
        (Event::Firing, Severity::Info) => (2, "information_source"),
    };
    let mut body = json!({
        "topic": topic,
        "title": message.title,
        "message": message.text,
        "priority": priority,
        "tags": [tag],
    });
    if !notice.url.is_empty() {
        body["click"] = notice.url.as_str().into();
    }
    body
}

pub(super) fn request(
    url: &Uri,
    secret: Option<&Secret>,
    message: &Message,
    delivery: &str,
) -> Result<Request<Full<Bytes>>, String> {
    let topic = topic(url).ok_or("the address has no topic")?;
    let path = url.path().trim_end_matches('/');
    let server = path.strip_suffix(topic).unwrap_or("/");
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(server.parse().map_err(|_| "the address is strange")?);
    let server = Uri::from_parts(parts).map_err(|_| "the address is strange")?;
    let mut request = begin("POST", &server, delivery).header("content-type", "application/json");
    if let Some(secret) = secret {
        request = request.header("authorization", format!("Bearer {}", secret.expose()));
    }
    request
        .body(Full::from(body(topic, message).to_string()))
        .map_err(|error| error.to_string())
}
