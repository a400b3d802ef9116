//! A Matrix room. The transaction's id is the delivery's: the server takes each one once, however often it is sent.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::{Request, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::begin;
use crate::base::secret::Secret;
use crate::dashboard::alerts::message::Message;

/// What is written into the room.
pub fn body(message: &Message) -> Value {
    json!({ "msgtype": "m.text", "body": format!("{}\n{}", message.title, message.text) })
}

pub(super) fn request(
    url: &Uri,
    room: &str,
    secret: Option<&Secret>,
    message: &Message,
    delivery: &str,
) -> Result<Request<Full<Bytes>>, String> {
    let base = url.path().trim_end_matches('/');
    let room = utf8_percent_encode(room, NON_ALPHANUMERIC);
    let path = format!("{base}/_matrix/client/v3/rooms/{room}/send/m.room.message/{delivery}");
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| "the address is strange")?);
    let url = Uri::from_parts(parts).map_err(|_| "the address is strange")?;
    let mut request = begin("PUT", &url, delivery).header("content-type", "application/json");
    if let Some(secret) = secret {
        request = request.header("authorization", format!("Bearer {}", secret.expose()));
    }
    request
        .body(Full::from(body(message).to_string()))
        .map_err(|error| error.to_string())
}
