//! Handlers name the role that they need as an argument: [`Viewer`], [`OperatorRole`] or [`Admin`].

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::digest::{Digest, digest, same};
use super::{Access, Operator, Role};
use crate::base::clock::rfc3339;
use crate::dashboard::app::AppState;
use crate::dashboard::http::error::HttpError;
use crate::dashboard::store::Store;

/// The cookie's name, as earlier dashboards had it.
pub const SESSION_COOKIE: &str = "nixfleet_session";
/// The header that requests with a session and an effect send along.
const CSRF_HEADER: &str = "x-csrf-token";

impl FromRef<AppState> for Store {
    fn from_ref(state: &AppState) -> Self {
        state.store.clone()
    }
}

impl FromRef<AppState> for Access {
    fn from_ref(state: &AppState) -> Self {
        state.access.clone()
    }
}

/// Somebody who may look.
#[derive(Debug, Clone)]
pub struct Viewer(pub Operator);
/// Somebody who may start and stop runs.
#[derive(Debug, Clone)]
pub struct OperatorRole(pub Operator);
/// Somebody who may do everything.
#[derive(Debug, Clone)]
pub struct Admin(pub Operator);

/// Somebody who may push lines: an agent with the agents' token, or an operator.
#[derive(Debug, Clone)]
pub enum Pusher {
    /// An agent; like any agent, it makes its host known.
    Agent,
    /// A person or a script.
    Operator(Operator),
}

impl FromRequestParts<AppState> for Pusher {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, HttpError> {
        if bearer(&parts.headers).is_some_and(|token| state.access.agent_allowed(token)) {
            return Ok(Self::Agent);
        }
        OperatorRole::from_request_parts(parts, state)
            .await
            .map(|OperatorRole(operator)| Self::Operator(operator))
    }
}

/// The digest of the request's session cookie.
pub fn session_cookie(headers: &HeaderMap) -> Option<Digest> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, token)| digest(token))
}

/// The bearer token of a request, if it shows one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn operator(
    store: &Store,
    method: &Method,
    headers: &HeaderMap,
    needed: Role,
) -> Result<Operator, HttpError> {
    let found = if let Some(token) = bearer(headers) {
        let token = store
            .token(&digest(token))
            .await?
            .ok_or(HttpError::Unauthorized)?;
        if let Some(at) = token.expires_at.filter(|_| token.has_expired()) {
            return Err(HttpError::TokenExpired {
                name: token.name,
                at: rfc3339(at),
            });
        }
        Operator {
            name: format!("token {}", token.name),
            role: token.role,
        }
    } else {
        let cookie = session_cookie(headers).ok_or(HttpError::Unauthorized)?;
        let session = store
            .session(&cookie)
            .await?
            .ok_or(HttpError::Unauthorized)?;
        if !matches!(*method, Method::GET | Method::HEAD) {
            // A page of another site can send our cookie, but neither read this token nor set this header.
            let sent = headers
                .get(CSRF_HEADER)
                .map(|value| digest(&String::from_utf8_lossy(value.as_bytes())));
            if !sent.is_some_and(|sent| same(&sent, &digest(&session.csrf_token))) {
                return Err(HttpError::Forbidden(String::from(
                    "the X-CSRF-Token header is missing or is not this session's; load the page again",
                )));
            }
        }
        Operator {
            name: session.user,
            role: session.role,
        }
    };
    if found.role < needed {
        return Err(HttpError::Forbidden(format!(
            "this needs the role {}, and {} has the role {}",
            needed.name(),
            found.name,
            found.role.name()
        )));
    }
    Ok(found)
}

macro_rules! needs {
    ($name:ident, $role:expr) => {
        impl<S: Send + Sync> FromRequestParts<S> for $name
        where
            Store: FromRef<S>,
        {
            type Rejection = HttpError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
                operator(
                    &Store::from_ref(state),
                    &parts.method,
                    &parts.headers,
                    $role,
                )
                .await
                .map(Self)
            }
        }
    };
}

needs!(Viewer, Role::Viewer);
needs!(OperatorRole, Role::Operator);
needs!(Admin, Role::Admin);
