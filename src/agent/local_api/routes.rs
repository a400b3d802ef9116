//! What is answered where.

use std::fmt::Write as _;

use serde::Serialize;

use super::request::{Request, wants_text};
use super::{Api, Door, prometheus};
use crate::wire::local_api::Answer;

/// All paths.
const PATHS: &str = "/health, /status, /metrics, /agent/status";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An answer before it is written.
#[derive(Debug)]
pub(super) struct Response {
    status: u16,
    content_type: &'static str,
    body: String,
}

/// An answer that is an error.
#[derive(Serialize)]
struct Failure<'a> {
    success: bool,
    error: &'a str,
}

impl Response {
    fn json(status: u16, body: &impl Serialize) -> Self {
        Self {
            status,
            content_type: JSON,
            // These types have nothing that JSON cannot have.
            body: serde_json::to_string(body).unwrap_or_default(),
        }
    }

    pub(super) fn error(status: u16, error: &str) -> Self {
        let failure = Failure {
            success: false,
            error,
        };
        Self::json(status, &failure)
    }

    /// What goes over the connection.
    pub(super) fn bytes(&self, method: &str, keep_alive: bool) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            413 => "Content Too Large",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        };
        let further = match self.status {
            401 => "WWW-Authenticate: Bearer\r\n",
            405 => "Allow: GET, HEAD\r\n",
            _ => "",
        };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let mut text = String::with_capacity(256 + self.body.len());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: {connection}\r\n{further}\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        if method != "HEAD" {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}

/// Answers one request.
pub(super) fn answer(api: &Api, door: &Door, request: &Request) -> Response {
    if !door.is_own_name(request.host.as_deref()) {
        return Response::error(403, "ask by address or as localhost");
    }
    if !door.opens(request.authorization.as_deref()) {
        return Response::error(401, "send the token as `Authorization: Bearer TOKEN`");
    }
    if request.method != "GET" && request.method != "HEAD" {
        return Response::error(405, "only GET and HEAD are answered");
    }
    if request.has_body {
        return Response::error(413, "no request here has a body");
    }
    let status = &api.status;
    match request.path.as_str() {
        "/health" => {
            let health = status.health_answer();
            let code = if health.reason.is_none() { 200 } else { 503 };
            Response::json(code, &health)
        }
        "/status" => success(status.host_status()),
        "/metrics" if wants_text(request) => Response {
            status: 200,
            content_type: TEXT,
            body: prometheus::text(api),
        },
        "/metrics" => success(status.all_metrics()),
        "/agent/status" => success(status.agent_status()),
        _ => Response::error(404, &format!("nothing is here; there are {PATHS}")),
    }
}

fn success(data: impl Serialize) -> Response {
    let answer = Answer {
        success: true,
        data,
    };
    Response::json(200, &answer)
}
