//! T04: logging in.

use std::process::Output;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::login::{Client, PASSWORD, make_admin};
use crate::support::Fleet;
use crate::support::process::{command, wait_until};

fn fleet() -> Fleet {
    let fleet = Fleet::start();
    make_admin(&fleet);
    fleet
}

#[test]
fn t04_1_password() {
    let fleet = fleet();
    let mut client = Client::new(&fleet);
    let answer = client.log_in(PASSWORD, "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cookie = answer.set_cookie.unwrap();
    assert!(
        cookie.starts_with("nixfleet_session=") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
    assert_eq!(client.get("/api/hosts").status, 200);
}

/// Runs `user totp admin` on the dashboard that runs.
fn totp(fleet: &Fleet, more: &[&str]) -> Output {
    let done = command("nixfleet-dashboard")
        .arg("--config")
        .arg(fleet.path("dashboard.toml"))
        .args(["user", "totp", "admin"])
        .args(more)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    done
}

/// The code of that secret, as an authenticator shows it now.
fn code(secret: &str) -> String {
    let bytes = totp_rs::Secret::Encoded(secret.into()).to_bytes().unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    totp_rs::TOTP::new_unchecked(totp_rs::Algorithm::SHA1, 6, 0, 30, bytes).generate(now)
}

#[test]
fn t04_2_with_totp() {
    let fleet = fleet();
    let said = String::from_utf8(totp(&fleet, &[]).stdout).unwrap();
    let (_, secret) = said.trim().split_once("?secret=").unwrap();
    let (secret, _) = secret.split_once('&').unwrap();
    let mut client = Client::new(&fleet);
    assert_eq!(client.log_in(PASSWORD, "").status, 401);
    let code = code(secret);
    assert_eq!(client.log_in(PASSWORD, &code).status, 200);
    assert_eq!(client.get("/api/hosts").status, 200);
    let answer = Client::new(&fleet).log_in(PASSWORD, &code);
    assert_eq!(answer.status, 401, "a code counts once");
    totp(&fleet, &["--off"]);
    assert_eq!(Client::new(&fleet).log_in(PASSWORD, "").status, 200);
}

#[test]
fn t04_4_wrong_totp() {
    // An earlier dashboard's own.
    const SECRET: &str = "JBSWY3DPEHPK3PXP";
    let fleet = fleet();
    let file = fleet.path("totp");
    std::fs::write(&file, SECRET).unwrap();
    totp(&fleet, &["--secret-file", file.to_str().unwrap()]);
    let right = code(SECRET);
    let wrong = if right == "000000" {
        "000001"
    } else {
        "000000"
    };
    let mut client = Client::new(&fleet);
    for _ in 0..4 {
        let answer = client.log_in(PASSWORD, wrong);
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert!(answer.set_cookie.is_none());
    }
    // The password is still asked for.
    assert_eq!(client.log_in("wrong-password", &right).status, 401);
    assert_eq!(client.log_in(PASSWORD, &right).status, 429, "five a minute");
    assert_eq!(client.get("/api/hosts").status, 401);
}

/// An earlier dashboard asked for a code where this is set. Who sets it must not get less without a word.
#[test]
fn an_earlier_secret_in_the_environment_is_not_forgotten() {
    let fleet = fleet();
    let refused = command("nixfleet-dashboard")
        .arg("--config")
        .arg(fleet.path("dashboard.toml"))
        .env("NIXFLEET_TOTP_SECRET", "JBSWY3DPEHPK3PXP")
        .output()
        .unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("user totp admin --secret-file"), "{said}");
}

#[test]
fn t04_3_and_5_wrong_password_and_the_sixth_in_a_minute() {
    let fleet = fleet();
    let mut client = Client::new(&fleet);
    for _ in 0..5 {
        let answer = client.log_in("wrong-password", "");
        assert_eq!(answer.status, 401, "{}", answer.body);
        assert!(answer.set_cookie.is_none());
    }
    for password in ["wrong-password", PASSWORD] {
        assert_eq!(client.log_in(password, "").status, 429);
    }
    assert_eq!(client.get("/api/hosts").status, 401);
}

#[test]
fn t04_6_a_session_ends() {
    let mut fleet = fleet();
    let mut client = Client::new(&fleet);
    let cookie = client.log_in(PASSWORD, "").set_cookie.unwrap();
    assert!(cookie.contains("Max-Age=86400"), "24 h: {cookie}");
    fleet.kill_dashboard();
    fleet.start_dashboard_with(&[("NIXFLEET_SESSION_DURATION", "1s")]);
    assert_eq!(client.get("/api/hosts").status, 200, "a session of before");
    let mut client = Client::new(&fleet);
    assert_eq!(client.log_in(PASSWORD, "").status, 200);
    assert_eq!(client.get("/api/hosts").status, 200);
    std::thread::sleep(Duration::from_secs(1));
    wait_until("the session's end", || {
        (client.get("/api/hosts").status == 401).then_some(())
    });
}

#[test]
fn t04_7_logout_with_csrf() {
    let fleet = fleet();
    let mut client = Client::logged_in(&fleet);
    let csrf = client.csrf.take();
    assert_eq!(client.post("/logout", &json!({})).status, 403);
    assert_eq!(client.get("/api/hosts").status, 200);
    client.csrf = csrf;
    assert_eq!(client.post("/logout", &json!({})).status, 204);
    assert_eq!(client.get("/api/hosts").status, 401);
}

#[test]
fn t04_8_post_without_csrf() {
    let fleet = fleet();
    let mut client = Client::logged_in(&fleet);
    let body = json!({"hostname": "web1", "comment": "mine"});
    assert_eq!(client.post("/api/hosts", &body).status, 200);
    client.csrf = None;
    assert_eq!(client.post("/api/hosts", &body).status, 403);
    client.csrf = Some("wrong".into());
    assert_eq!(client.post("/api/hosts", &body).status, 403);
}

#[test]
fn t04_9_without_login_to_the_login_page() {
    let fleet = fleet();
    let client = Client::new(&fleet);
    let answer = client.get("/");
    assert!((300..400).contains(&answer.status), "{}", answer.status);
    assert_eq!(answer.location.as_deref(), Some("/login"));
    assert_eq!(client.get("/login").status, 200);
    assert_eq!(client.get("/api/hosts").status, 401);
    assert_eq!(client.get("/health").status, 200);
}
