//! Login, logout, first setup, and what the page asks about its session.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Form, FromRef, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::base::secret::Secret;
use crate::dashboard::access::{
    Access, LoggedIn, LoginError, SESSION_COOKIE, Setup, Viewer, session_cookie,
};
use crate::dashboard::http::error::HttpError;
use crate::dashboard::store::Store;

/// The name of the user where a form sends none: earlier dashboards asked for a password only.
const DEFAULT_USER: &str = "admin";

/// `POST /login`, `POST /logout`, `POST /setup`, `GET /api/session`. The pages `/login` and `/setup` are assets.
pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Store: FromRef<S>,
    Access: FromRef<S>,
{
    Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/setup", post(setup))
        .route("/api/session", get(session))
}

#[derive(Deserialize)]
struct LoginForm {
    username: Option<String>,
    password: String,
    totp: Option<String>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct SetupForm {
    token: String,
    username: Option<String>,
    password: String,
}

/// Where the client stands: a browser's form is answered with a page to go to, everybody else with a status and JSON.
struct Client {
    address: std::net::IpAddr,
    is_page: bool,
}

impl Client {
    fn new(access: &Access, peer: SocketAddr, headers: &HeaderMap) -> Result<Self, HttpError> {
        // A login form of another site could log somebody into an attacker's account.
        if headers
            .get("sec-fetch-site")
            .is_some_and(|site| site == "cross-site")
        {
            return Err(HttpError::Forbidden(String::from(
                "this form was sent by another site",
            )));
        }
        let is_page = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        Ok(Self {
            address: access.client(peer.ip(), headers),
            is_page,
        })
    }

    fn refuse(&self, page: &str, extra: &str, error: LoginError) -> Response {
        let code = match &error {
            LoginError::Wrong => "wrong",
            LoginError::TooMany { .. } => "rate",
            LoginError::Expired => "expired",
            LoginError::Weak(_) => "weak",
            LoginError::BadName(_) => "invalid",
            LoginError::Store(_) | LoginError::Internal(_) => "failed",
        };
        if let LoginError::Internal(error) = &error {
            tracing::error!("login: {error:#}");
        }
        if self.is_page {
            return see_other(&format!("{page}?error={code}{extra}"));
        }
        let message = error.to_string();
        match error {
            LoginError::Wrong => HttpError::Unauthorized.into_response(),
            LoginError::TooMany { retry_after } => {
                HttpError::TooManyRequests { retry_after }.into_response()
            }
            LoginError::Expired => HttpError::Forbidden(message).into_response(),
            LoginError::Weak(_) | LoginError::BadName(_) => HttpError::Invalid {
                message,
                hint: String::from("send the form again with another one"),
            }
            .into_response(),
            LoginError::Store(error) => HttpError::from(error).into_response(),
            LoginError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    fn welcome(&self, access: &Access, next: &str, session: &LoggedIn) -> Response {
        let secure = if access.https() { "; Secure" } else { "" };
        let cookie = format!(
            "{SESSION_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
            session.token.expose(),
            session.lasts.as_secs()
        );
        let mut response = if self.is_page {
            see_other(next)
        } else {
            Json(json!({
                "user": session.user,
                "role": session.role,
                "csrf_token": session.csrf_token,
            }))
            .into_response()
        };
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// A path on this dashboard, or its first page: never another site, and nothing that a query would have to escape.
pub(super) fn local(next: Option<&str>) -> &str {
    next.filter(|next| {
        next.starts_with('/')
            && !next.starts_with("//")
            && next
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte))
    })
    .unwrap_or("/")
}

async fn login(
    State(store): State<Store>,
    State(access): State<Access>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Result<Response, HttpError> {
    let client = Client::new(&access, peer, &headers)?;
    let user = form.username.as_deref().unwrap_or(DEFAULT_USER);
    let password = Secret::new(form.password);
    let code = form.totp.as_deref();
    let opened = access
        .log_in(&store, client.address, user, &password, code)
        .await;
    Ok(match opened {
        Ok(session) => client.welcome(&access, local(form.next.as_deref()), &session),
        Err(error) => {
            let next = local(form.next.as_deref());
            let again = if next == "/" {
                String::new()
            } else {
                format!("&next={next}")
            };
            client.refuse("/login", &again, error)
        }
    })
}

async fn setup(
    State(store): State<Store>,
    State(access): State<Access>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<SetupForm>,
) -> Result<Response, HttpError> {
    let client = Client::new(&access, peer, &headers)?;
    let again: String = form
        .token
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter))
        .take(64)
        .collect();
    let setup = Setup {
        link: Secret::new(form.token),
        user: form.username.unwrap_or_else(|| DEFAULT_USER.to_owned()),
        password: Secret::new(form.password),
    };
    let opened = access.set_up(&store, client.address, setup).await;
    Ok(match opened {
        Ok(session) => client.welcome(&access, "/", &session),
        Err(error) => client.refuse("/setup", &format!("&token={again}"), error),
    })
}

async fn logout(
    State(store): State<Store>,
    State(access): State<Access>,
    _viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    if let Some(session) = session_cookie(&headers) {
        access.log_out(&store, &session).await?;
    }
    let gone = format!("{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

async fn session(
    State(store): State<Store>,
    Viewer(operator): Viewer,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    // An API token has no session and needs no CSRF token.
    let csrf_token = match session_cookie(&headers) {
        Some(cookie) => store
            .session(&cookie)
            .await?
            .map(|session| session.csrf_token),
        None => None,
    };
    Ok(Json(json!({
        "user": operator.name,
        "role": operator.role,
        "csrf_token": csrf_token,
    }))
    .into_response())
}

#[cfg(test)]
mod tests;
