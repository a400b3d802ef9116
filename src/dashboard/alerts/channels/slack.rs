//! Slack's incoming webhooks and Discord's: the address itself is the secret.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::{Request, Uri};
use serde_json::{Value, json};

use super::begin;
use crate::dashboard::alerts::message::Message;

/// Slack's three letters with a meaning.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// What Slack takes. Nothing from a host becomes a link or calls anybody.
pub fn slack(message: &Message) -> Value {
    let title = escaped(&message.title).replace('*', "∗");
    json!({ "text": format!("*{title}*\n{}", escaped(&message.text)) })
}

/// What Discord takes: nobody is called, whatever a host writes.
pub fn discord(message: &Message) -> Value {
    let title = message.title.replace('*', "\\*");
    let text: String = format!("**{title}**\n{}", message.text)
        .chars()
        .take(2000)
        .collect();
    json!({ "content": text, "allowed_mentions": { "parse": [] } })
}

pub(super) fn request(
    url: &Uri,
    body: &Value,
    delivery: &str,
) -> Result<Request<Full<Bytes>>, String> {
    begin("POST", url, delivery)
        .header("content-type", "application/json")
        .body(Full::from(body.to_string()))
        .map_err(|error| error.to_string())
}
