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
use crate::dashboard::access::digest::{digest, new_token};
use crate::dashboard::access::{Access, AccessSettings, Admin, OperatorRole, Role, Viewer};
use crate::dashboard::store::Store;

const PASSWORD: &str = "correct horse battery";

/// What the routes under test need of the dashboard.
#[derive(Clone)]
struct Halls {
    store: Store,
    access: Access,
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

struct Door {
    router: Router,
    state: Halls,
    _dir: tempfile::TempDir,
}

/// A router with one route per role, over a real database.
async fn door() -> Door {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let access = Access::new(AccessSettings {
        agent_token: Secret::new("agent"),
        session: Duration::from_secs(3600),
        https: true,
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
    });
    let state = Halls { store, access };
    let router = super::routes()
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
    async fn ask(
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
    async fn set_up(&self) -> (String, String) {
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

fn cookie(answer: &Response<Body>) -> String {
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

async fn json(answer: Response<Body>) -> Value {
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20)
        .await
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn login_form(user: &str, password: &str) -> String {
    format!("username={user}&password={}", password.replace(' ', "+"))
}

#[tokio::test]
async fn the_setup_link_works_once_and_logs_in() {
    let door = door().await;
    let store = &door.state.store;
    let old = door
        .state
        .access
        .new_setup_link(store)
        .await
        .unwrap()
        .unwrap();
    let link = door
        .state
        .access
        .new_setup_link(store)
        .await
        .unwrap()
        .unwrap();
    let form = |link: &Secret, password: &str| {
        format!("token={}&username=root1&password={password}", link.expose())
    };
    for (form, status) in [
        (form(&old, "long-enough-password"), StatusCode::FORBIDDEN),
        (
            form(&Secret::new("x"), "long-enough-password"),
            StatusCode::FORBIDDEN,
        ),
        (form(&link, "short"), StatusCode::BAD_REQUEST),
        (form(&link, "long-enough-password"), StatusCode::OK),
        (form(&link, "long-enough-password"), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(
            door.ask("POST", "/setup", &[], &form).await.status(),
            status,
            "{form}"
        );
    }
    assert!(
        door.state
            .access
            .new_setup_link(store)
            .await
            .unwrap()
            .is_none()
    );
    let users = store.users().await.unwrap();
    assert_eq!(
        (users.len(), users[0].name.as_str(), users[0].role),
        (1, "root1", Role::Admin)
    );
    let answer = door
        .ask(
            "POST",
            "/login",
            &[],
            &login_form("root1", "long-enough-password"),
        )
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_expired_setup_link_does_not_work() {
    let door = door().await;
    door.state
        .store
        .replace_setup_link(&digest("late"), 1)
        .await
        .unwrap();
    let answer = door
        .ask(
            "POST",
            "/setup",
            &[],
            "token=late&password=long-enough-password",
        )
        .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(!door.state.store.has_users().await.unwrap());
}

#[tokio::test]
async fn a_login_is_a_session_until_logout() {
    let door = door().await;
    door.set_up().await;
    // Earlier dashboards' scripts send a password only.
    let form = format!("password={}", PASSWORD.replace(' ', "+"));
    let answer = door.ask("POST", "/login", &[], &form).await;
    let cookie = cookie(&answer);
    let session = json(
        door.ask("GET", "/api/session", &[("cookie", &cookie)], "")
            .await,
    )
    .await;
    assert_eq!(
        (session["user"].as_str(), session["role"].as_str()),
        (Some("admin"), Some("admin"))
    );
    let csrf = session["csrf_token"].as_str().unwrap();
    let both = [("cookie", cookie.as_str()), ("x-csrf-token", csrf)];
    for (headers, status) in [
        (&both[..1], StatusCode::FORBIDDEN),
        (
            &[both[0], ("x-csrf-token", "wrong")][..],
            StatusCode::FORBIDDEN,
        ),
        (&both[1..], StatusCode::UNAUTHORIZED),
        (&both[..], StatusCode::OK),
    ] {
        assert_eq!(
            door.ask("POST", "/api/run", headers, "").await.status(),
            status
        );
    }
    assert_eq!(
        door.ask("POST", "/logout", &both[..1], "").await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        door.ask("POST", "/logout", &both, "").await.status(),
        StatusCode::NO_CONTENT
    );
    let answer = door.ask("GET", "/api/look", &both, "").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(json(answer).await["error"]["code"], "unauthorized");
}

#[tokio::test]
async fn sessions_expire_and_end_with_their_user() {
    let door = door().await;
    let (cookie, _) = door.set_up().await;
    let store = &door.state.store;
    store
        .open_session(&digest("late"), "admin", "csrf", 1)
        .await
        .unwrap();
    let late = door
        .ask(
            "GET",
            "/api/look",
            &[("cookie", "nixfleet_session=late")],
            "",
        )
        .await;
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);
    let there = [("cookie", cookie.as_str())];
    assert_eq!(
        door.ask("GET", "/api/look", &there, "").await.status(),
        StatusCode::OK
    );
    assert!(store.delete_user("admin").await.unwrap());
    assert_eq!(
        door.ask("GET", "/api/look", &there, "").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn five_wrong_passwords_then_429_for_that_address_only() {
    let door = door().await;
    door.set_up().await;
    let one = [("x-forwarded-for", "192.0.2.1")];
    for user in ["admin", "nobody", "admin", "nobody", "admin"] {
        let answer = door
            .ask("POST", "/login", &one, &login_form(user, "wrong"))
            .await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let answer = door
        .ask("POST", "/login", &one, &login_form("admin", PASSWORD))
        .await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = answer.headers()[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let other = [("x-forwarded-for", "192.0.2.2")];
    let answer = door
        .ask("POST", "/login", &other, &login_form("admin", PASSWORD))
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_browser_is_sent_to_pages_never_to_other_sites() {
    let door = door().await;
    let html = ("accept", "text/html,*/*");
    for path in ["/", "/hosts/web1", "/runs/x"] {
        let answer = door.ask("GET", path, &[html], "").await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        let next = if path == "/" {
            String::new()
        } else {
            format!("?next={path}")
        };
        assert_eq!(answer.headers()[header::LOCATION], format!("/login{next}"));
    }
    let (cookie, _) = door.set_up().await;
    assert_eq!(
        door.ask("GET", "/", &[("cookie", &cookie)], "")
            .await
            .status(),
        StatusCode::OK
    );
    let wrong = door
        .ask("POST", "/login", &[html], &login_form("admin", "wrong"))
        .await;
    assert_eq!(wrong.headers()[header::LOCATION], "/login?error=wrong");
    let form = format!("{}&next=/runs/x", login_form("admin", "wrong"));
    let wrong = door.ask("POST", "/login", &[html], &form).await;
    assert_eq!(
        wrong.headers()[header::LOCATION],
        "/login?error=wrong&next=/runs/x"
    );
    for (next, expected) in [
        ("/runs/x", "/runs/x"),
        ("//evil", "/"),
        ("https://evil", "/"),
        ("/%5Cevil", "/"),
        ("/a%0D%0Ab", "/"),
    ] {
        let form = format!("{}&next={next}", login_form("admin", PASSWORD));
        let answer = door.ask("POST", "/login", &[html], &form).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[header::LOCATION], expected, "{next}");
    }
    let foreign = [html, ("sec-fetch-site", "cross-site")];
    let answer = door
        .ask("POST", "/login", &foreign, &login_form("admin", PASSWORD))
        .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn roles_and_tokens() {
    let door = door().await;
    let store = &door.state.store;
    for (role, look, run, users) in [
        (Role::Viewer, 200, 403, 403),
        (Role::Operator, 200, 200, 403),
        (Role::Admin, 200, 200, 200),
    ] {
        let token = new_token("nf_").unwrap();
        assert!(
            store
                .create_token(role.name(), role, &digest(&token))
                .await
                .unwrap()
        );
        let header = format!("Bearer {token}");
        for (method, path, expected) in [
            ("GET", "/api/look", look),
            ("POST", "/api/run", run),
            ("GET", "/api/users", users),
        ] {
            let answer = door
                .ask(method, path, &[("authorization", &header)], "")
                .await;
            assert_eq!(answer.status(), expected, "{path} as {}", role.name());
        }
        assert!(
            store
                .tokens()
                .await
                .unwrap()
                .iter()
                .all(|token| token.last_used_at.is_some())
        );
        assert!(
            !store
                .create_token(role.name(), role, &digest("x"))
                .await
                .unwrap(),
            "taken"
        );
        assert!(store.revoke_token(role.name()).await.unwrap());
        assert!(!store.revoke_token(role.name()).await.unwrap());
        let answer = door
            .ask("GET", "/api/look", &[("authorization", &header)], "")
            .await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    for header in [
        "Bearer nonsense",
        "Bearer ",
        "Basic x",
        "agent",
        "Bearer agent",
    ] {
        let answer = door
            .ask("GET", "/api/look", &[("authorization", header)], "")
            .await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{header}");
    }
}
