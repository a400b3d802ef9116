//! Who may come in: agents by their token, people by a session or an API token, and what each may do.

pub mod address;
pub mod digest;
mod extract;
pub mod keys;
mod login;
pub mod password;
pub mod push_rate;
pub mod throttle;
pub mod totp;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};

pub use self::extract::{Admin, OperatorRole, Pusher, SESSION_COOKIE, Viewer, session_cookie};
pub use self::login::{LoggedIn, LoginError, Setup};

use self::address::Network;
use self::digest::Digest;
use self::password::Passwords;
use self::push_rate::PushRate;
use self::throttle::Throttle;
use crate::base::secret::Secret;
use crate::run::id::HostName;

/// The longest name of a user or token, in characters.
pub const MAX_NAME: usize = 64;

/// What somebody may do. Each role may do what the ones before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at everything.
    Viewer,
    /// Also start and stop runs.
    Operator,
    /// Also change who may come in, and forget hosts.
    Admin,
}

impl Role {
    /// The name in JSON, in the store and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Admin]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// Somebody who has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The user's name, or `token NAME`; a run keeps it as `requested_by`.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// What [`Access`] is made from.
#[derive(Debug, Clone)]
pub struct AccessSettings {
    /// What agents show.
    pub agent_token: Secret,
    /// How long a login lasts.
    pub session: Duration,
    /// Whether people reach the dashboard by HTTPS, so that the cookie is for HTTPS only.
    pub https: bool,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
}

/// Decides who may come in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    agent: Digest,
    session: Duration,
    https: bool,
    trusted_proxies: Vec<Network>,
    passwords: Passwords,
    /// Never held across an `await`.
    throttle: Mutex<Throttle>,
    /// Likewise.
    pushes: Mutex<PushRate>,
}

impl Access {
    /// With nobody locked out.
    pub fn new(settings: AccessSettings) -> Self {
        Self(Arc::new(Inner {
            agent: digest::digest(settings.agent_token.expose()),
            session: settings.session,
            https: settings.https,
            trusted_proxies: settings.trusted_proxies,
            passwords: Passwords::default(),
            throttle: Mutex::default(),
            pushes: Mutex::default(),
        }))
    }

    /// Whether `bearer` is the agents' token. Takes the same time for every wrong one and asks no database.
    pub fn agent_allowed(&self, bearer: &str) -> bool {
        digest::same(&digest::digest(bearer), &self.0.agent)
    }

    /// The address that a request counts for, seen through trusted proxies.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        address::client(peer, headers, &self.0.trusted_proxies)
    }

    /// Whether people reach the dashboard by HTTPS.
    pub fn https(&self) -> bool {
        self.0.https
    }

    /// Counts a push of `host`; or answers how many seconds it has to wait.
    ///
    /// # Errors
    /// There were too many.
    pub fn push_allowed(&self, host: &HostName) -> Result<(), u64> {
        let mut pushes = self.0.pushes.lock().unwrap_or_else(PoisonError::into_inner);
        pushes.take(host)
    }

    fn throttled<T>(&self, work: impl FnOnce(&mut Throttle) -> T) -> T {
        work(
            &mut self
                .0
                .throttle
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

/// Checks the name of a user or token.
///
/// # Errors
/// What is wrong and what to write instead.
pub fn check_name(name: &str) -> Result<(), String> {
    let valid = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.len() <= MAX_NAME
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
    if valid {
        return Ok(());
    }
    let shown: String = name
        .chars()
        .take(40)
        .flat_map(char::escape_default)
        .collect();
    Err(format!(
        "the name `{shown}` is not valid; use letters, digits, `-`, `_`, `.` and `@`, at most {MAX_NAME}, a letter or digit first"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_need_the_very_token() {
        let access = Access::new(AccessSettings {
            agent_token: Secret::new("s3cret"),
            session: Duration::from_secs(60),
            https: false,
            trusted_proxies: Vec::new(),
        });
        assert!(access.agent_allowed("s3cret"));
        for wrong in ["", "s3cre", "s3cret ", "S3CRET"] {
            assert!(!access.agent_allowed(wrong), "{wrong}");
        }
    }

    #[test]
    fn roles_are_ordered_and_read_back() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("root"), None);
    }

    #[test]
    fn names_are_checked() {
        for good in ["admin", "ci-1", "a.b@c"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-x", "a b", "a\nb", "<b>", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
