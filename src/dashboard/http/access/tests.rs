mod door;

use axum::http::{StatusCode, header};

use self::door::{PASSWORD, cookie, door, json, login_form};
use crate::base::secret::Secret;
use crate::dashboard::access::Role;
use crate::dashboard::access::digest::{digest, new_token};

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
async fn a_token_that_has_ended_is_refused_by_name() {
    let door = door().await;
    let store = &door.state.store;
    for (name, ends_in, status) in [("ci", 0, 401), ("next", 60_000, 200)] {
        let token = new_token("nf_").unwrap();
        let at = Some(crate::base::clock::now() + ends_in);
        let kept = digest(&token);
        let made = store.create_token(name, Role::Viewer, &kept, at).await;
        assert!(made.unwrap());
        let header = format!("Bearer {token}");
        let answer = door
            .ask("GET", "/api/look", &[("authorization", &header)], "")
            .await;
        assert_eq!(answer.status(), status, "{name}");
        if status == 401 {
            let said = json(answer).await.to_string();
            assert!(said.contains("the token `ci` ended at 2"), "{said}");
            assert!(said.contains("--expires 90d"), "{said}");
        }
    }
    // A use that was refused is none.
    let used: Vec<_> = store.tokens().await.unwrap();
    let used: Vec<_> = used
        .iter()
        .map(|token| token.last_used_at.is_some())
        .collect();
    assert_eq!(used, [false, true]);
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
                .create_token(role.name(), role, &digest(&token), None)
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
                .create_token(role.name(), role, &digest("x"), None)
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
