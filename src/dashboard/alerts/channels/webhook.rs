//! JSON to any HTTP server, signed.

use hmac::{Hmac, Mac as _};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::{Request, Uri};
use serde_json::json;
use sha2::Sha256;

use super::begin;
use crate::base::clock::Millis;
use crate::base::secret::Secret;
use crate::dashboard::alerts::message::Message;
use crate::dashboard::alerts::template::Templates;

/// The signature: `t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 of `SECONDS.BODY` with the channel's secret.
pub const SIGNATURE_HEADER: &str = "x-nixfleet-signature";

/// The body, unless a template makes another one. It is the same on every try.
pub fn body(message: &Message, delivery: &str) -> String {
    let notice = &message.notice;
    let none = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "version": 1,
        "delivery": delivery,
        "event": notice.event,
        "title": message.title,
        "text": message.text,
        "alert": {
            "id": notice.alert,
            "rule": notice.rule,
            "on": notice.on,
            "severity": notice.severity,
            "host": none(&notice.host),
            "object": none(&notice.object),
            "summary": notice.summary,
            "value": notice.value,
            "run": none(&notice.run),
            "started_at": notice.started_at,
            "recovered_at": none(&notice.recovered_at),
            "url": none(&notice.url),
        },
    })
    .to_string()
}

/// The signature of a body at a time in seconds since the epoch.
pub fn signature(secret: &Secret, seconds: u64, body: &str) -> Option<String> {
    use std::fmt::Write as _;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    let mut text = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

pub(super) fn request(
    url: &Uri,
    secret: Option<&Secret>,
    templates: &Templates,
    message: &Message,
    delivery: &str,
    now: Millis,
) -> Result<Request<Full<Bytes>>, String> {
    let own = match templates.body(message, delivery) {
        Some(Ok(own)) => Some(own),
        Some(Err(why)) => {
            // As with titles and texts: the usual words are better than none.
            tracing::warn!(rule = %message.notice.rule, "a channel's template does not work: {why}");
            None
        }
        None => None,
    };
    let content_type = templates.content_type.as_deref().filter(|_| own.is_some());
    let content_type = content_type.unwrap_or("application/json");
    let body = own.unwrap_or_else(|| body(message, delivery));
    let mut request = begin("POST", url, delivery).header("content-type", content_type);
    if let Some(signature) = secret.and_then(|secret| signature(secret, now / 1000, &body)) {
        request = request.header(SIGNATURE_HEADER, signature);
    }
    request
        .body(Full::from(body))
        .map_err(|error| error.to_string())
}
