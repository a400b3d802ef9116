//! The routes of access, over a real database.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use axum::routing::get;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::base::secret::Secret;
use crate::dashboard::access::{Access, AccessSettings, Admin, OperatorRole, Viewer};
use crate::dashboard::store::Store;

pub const PASSWORD: &str = "correct horse battery";

/// What the routes under test need of the dashboard.
#[derive(Clone)]
pub struct Halls {
    pub store: Store,
    pub access: Access,
}

impl FromRef<Halls> for Store {
    fn from_ref(halls: &Halls) -> Self {
        halls.store.clone()
    }
}

impl FromRef<Halls> for Access {
    fn from_ref(halls: &Halls) -> Self {
        halls.access.clone()
    }
}

pub struct Door {
    router: Router,
    pub state: Halls,
    _dir: tempfile::TempDir,
}

/// A router with one route per role, over a real database.
pub async fn door() -> Door {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let access = Access::new(AccessSettings {
        agent_token: Secret::new("agent"),
        session: Duration::from_secs(3600),
        https: true,
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
    });
    let state = Halls { store, access };
    let router = crate::dashboard::http::access::routes()
        .merge(crate::dashboard::http::assets::routes(None))
        .route("/api/look", get(|Viewer(who): Viewer| async { who.name }))
        .route(
            "/api/run",
            get(|_: OperatorRole| async {}).post(|_: OperatorRole| async {}),
        )
        .route("/api/users", get(|_: Admin| async {}))
        .with_state(state.clone())
        .layer(MockConnectInfo(std::net::SocketAddr::from((
            [127, 0, 0, 1],
            9,
        ))));
    Door {
        router,
        state,
        _dir: dir,
    }
}

impl Door {
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// A dashboard that has been set up, and its administrator's cookie and CSRF token.
    pub async fn set_up(&self) -> (String, String) {
        let link = self
            .state
            .access
            .new_setup_link(&self.state.store)
            .await
            .unwrap()
            .unwrap();
        let form = format!(
            "token={}&password={}",
            link.expose(),
            PASSWORD.replace(' ', "+")
        );
        let answer = self.ask("POST", "/setup", &[], &form).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = cookie(&answer);
        let csrf = json(answer).await["csrf_token"]
            .as_str()
            .unwrap()
            .to_owned();
        (cookie, csrf)
    }
}

pub fn cookie(answer: &Response<Body>) -> String {
    let whole = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    for part in [
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
        "Secure",
        "Max-Age=3600",
    ] {
        assert!(whole.contains(part), "{whole}");
    }
    whole.split(';').next().unwrap().to_owned()
}

pub async fn json(answer: Response<Body>) -> Value {
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
        .await
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

pub fn login_form(user: &str, password: &str) -> String {
    format!("username={user}&password={}", password.replace(' ', "+"))
}
