//! Logging in as scripts of the earlier dashboard's users do.

use serde_json::Value;
use ureq::Agent;

use crate::support::Fleet;
use crate::support::process::command;

pub const PASSWORD: &str = "correct-horse-battery";

/// Somebody without a token.
pub struct Client {
    agent: Agent,
    base: String,
    pub cookie: Option<String>,
    pub csrf: Option<String>,
}

pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub set_cookie: Option<String>,
    pub body: Value,
}

/// Makes the user `admin`, whom a form without a name means.
pub fn make_admin(fleet: &Fleet) {
    let file = fleet.path("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let made = command("nixfleet-dashboard")
        .arg("--config")
        .arg(fleet.path("dashboard.toml"))
        .args([
            "user",
            "create",
            "admin",
            "--role",
            "admin",
            "--password-file",
        ])
        .arg(&file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

impl Client {
    pub fn new(fleet: &Fleet) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        Self {
            agent,
            base: fleet.api.base.clone(),
            cookie: None,
            csrf: None,
        }
    }

    /// Logged in, with the CSRF token that its session has.
    pub fn logged_in(fleet: &Fleet) -> Self {
        let mut client = Self::new(fleet);
        let answer = client.log_in(PASSWORD, "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        client
    }

    /// The earlier form: `password`, and `totp` where it is not empty.
    pub fn log_in(&mut self, password: &str, totp: &str) -> Answer {
        let mut form = format!("password={password}");
        if !totp.is_empty() {
            form = format!("{form}&totp={totp}");
        }
        let answer = self.send(
            "POST",
            "/login",
            Some(("application/x-www-form-urlencoded", &form)),
        );
        if let Some(cookie) = &answer.set_cookie {
            self.cookie = cookie.split(';').next().map(str::to_owned);
            self.csrf = answer.body["csrf_token"].as_str().map(str::to_owned);
        }
        answer
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(("application/json", &body.to_string())))
    }

    pub fn send(&self, method: &str, path: &str, body: Option<(&str, &str)>) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(csrf) = &self.csrf {
            request = request.header("x-csrf-token", csrf);
        }
        if let Some((kind, _)) = body {
            request = request.header("content-type", kind);
        }
        let text = body.map_or_else(String::new, |(_, text)| text.to_owned());
        let mut response = self.agent.run(request.body(text).unwrap()).unwrap();
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let (location, set_cookie) = (header("location"), header("set-cookie"));
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().unwrap();
        Answer {
            status,
            location,
            set_cookie,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }
}
