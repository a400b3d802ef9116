//! What a client may know of an error: one table from kind to status, code and hint.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::dashboard::store::StoreError;
use crate::wire::api::{ApiError, ErrorBody};

/// Why a request is refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nobody is logged in, or the token is not known.
    #[error("no valid login or API token")]
    Unauthorized,
    /// An API token whose time is over.
    #[error("the token `{name}` ended at {at}")]
    TokenExpired {
        /// Which.
        name: String,
        /// When.
        at: String,
    },
    /// An agent's key that nobody has added, or that is none.
    #[error("{message}")]
    UnknownKey {
        /// Which.
        message: String,
    },
    /// Nobody answered in time.
    #[error("{message}")]
    NoAnswer {
        /// What was asked, and how long.
        message: String,
    },
    /// Logged in, but not allowed; the text says what is missing.
    #[error("{0}")]
    Forbidden(String),
    /// The thing does not exist; the text names it.
    #[error("{0}")]
    NotFound(String),
    /// The run has no log of such a build.
    #[error("{message}")]
    UnknownBuild {
        /// Which run and build.
        message: String,
        /// The builds that have one.
        hint: String,
    },
    /// It cannot be done now; the text says why.
    #[error("{message}")]
    Conflict {
        /// Why.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A command that the host does not offer.
    #[error("{message}")]
    UnknownCommand {
        /// Which command and host.
        message: String,
        /// The commands that are known.
        hint: String,
    },
    /// The request itself is wrong.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: String,
    },
    /// The request is well-formed, but a value in it cannot be taken.
    #[error("{message}")]
    OutOfRange {
        /// Which value, and why.
        message: String,
        /// What can be.
        hint: String,
    },
    /// The body is larger than it may be.
    #[error("{message}")]
    TooLarge {
        /// What is too large.
        message: String,
        /// The limit, and what to do.
        hint: String,
    },
    /// Too many tries; wait that many seconds.
    #[error("too many failed logins from this address")]
    TooManyRequests {
        /// Seconds until the next try counts.
        retry_after: u64,
    },
    /// The host has no such key for its pushes.
    #[error("no valid key in the header X-API-Key")]
    UnknownPushKey,
    /// A host pushes too often; wait that many seconds.
    #[error("this host pushes too often")]
    TooManyPushes {
        /// Seconds until the next one is taken.
        retry_after: u64,
    },
    /// A body in a coding that is not known; the text names it.
    #[error("{0}")]
    UnknownCoding(String),
    /// The store failed. The client learns only that; the log has the rest.
    #[error("{}", if *.damaged { "what is stored here is damaged" } else { "the store does not answer" })]
    Store {
        /// What the store said.
        why: String,
        /// Stored data is damaged: waiting does not help.
        damaged: bool,
    },
}

impl From<StoreError> for HttpError {
    fn from(error: StoreError) -> Self {
        Self::Store {
            damaged: error.is_damage(),
            why: error.to_string(),
        }
    }
}

impl HttpError {
    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "log in at /login, or send `Authorization: Bearer API_TOKEN`; `nixfleet-dashboard token create NAME --role operator` makes one".into(),
            ),
            Self::TokenExpired { .. } => (
                StatusCode::UNAUTHORIZED,
                "token_expired",
                "revoke it and make another: `nixfleet-dashboard token revoke NAME`, `token create NAME --role … --expires 90d`".into(),
            ),
            Self::UnknownKey { .. } => (
                StatusCode::UNAUTHORIZED,
                "unknown_key",
                "on the dashboard's machine: nixfleet-dashboard key add HOST PUBLIC_KEY".into(),
            ),
            Self::NoAnswer { .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "no_answer",
                "somebody listens but did not answer; ask again with a longer `timeout_ms`".into(),
            ),
            Self::Forbidden(_) => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "ask an administrator for a role that allows it".into(),
            ),
            Self::NotFound(_) => (
                StatusCode::NOT_FOUND,
                "not_found",
                "check the name; `GET /api/hosts` and `GET /api/runs` list what there is".into(),
            ),
            Self::UnknownBuild { hint, .. } => (StatusCode::NOT_FOUND, "not_found", hint.clone()),
            Self::Conflict { hint, .. } => (StatusCode::CONFLICT, "conflict", hint.clone()),
            Self::UnknownCommand { hint, .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "unknown_command",
                hint.clone(),
            ),
            Self::Invalid { hint, .. } => (StatusCode::BAD_REQUEST, "invalid", hint.clone()),
            Self::OutOfRange { hint, .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid", hint.clone())
            }
            Self::TooLarge { hint, .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                hint.clone(),
            ),
            Self::TooManyRequests { retry_after } => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                format!("wait {retry_after} seconds, then try again"),
            ),
            Self::UnknownPushKey => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "`nixfleet-dashboard push-key create HOST` makes one; send it as `X-API-Key: KEY`".into(),
            ),
            Self::TooManyPushes { retry_after } => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                format!("wait {retry_after} seconds; one heartbeat a second is enough"),
            ),
            Self::UnknownCoding(_) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported",
                "send it plain, or with `Content-Encoding: gzip` or `zstd`".into(),
            ),
            Self::Store { damaged: true, .. } => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "store_damaged",
                "waiting does not help: run `nixfleet-dashboard doctor` on the dashboard's host, and restore a backup if this matters; other runs are not concerned".into(),
            ),
            Self::Store { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "try again; the dashboard's log says what is wrong with its store".into(),
            ),
        }
    }
}

impl HttpError {
    /// What the client is told.
    pub fn said(&self) -> ApiError {
        if let Self::Store { why, .. } = self {
            tracing::error!("request failed: {why}");
        }
        let (_, code, hint) = self.parts();
        ApiError {
            code: code.into(),
            message: self.to_string(),
            hint,
        }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let (status, ..) = self.parts();
        let body = ErrorBody { error: self.said() };
        let mut headers = HeaderMap::new();
        if let Self::TooManyRequests { retry_after } | Self::TooManyPushes { retry_after } = &self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        if let Self::UnknownCoding(_) = &self {
            let known = HeaderValue::from_static("gzip, zstd");
            headers.insert(header::ACCEPT_ENCODING, known);
        }
        (status, headers, Json(body)).into_response()
    }
}
