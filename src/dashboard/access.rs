//! Who may come in. The smallest version with the names that the rest of the dashboard uses: agents by one shared token,
//! and everybody else as an administrator.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::base::secret::Secret;
use crate::dashboard::app::AppState;
use crate::dashboard::http::error::HttpError;

/// What somebody may do. Each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look at everything.
    Viewer,
    /// Also start and stop runs.
    Operator,
    /// Also change who may come in, and forget hosts.
    Admin,
}

/// Somebody who has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The user's name; a run keeps it as `requested_by`.
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
    /// Whether people reach the dashboard by HTTPS.
    pub https: bool,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<std::net::IpAddr>,
}

/// Decides who may come in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access(Arc<Secret>);

impl Access {
    /// With that agents' token.
    pub fn new(settings: AccessSettings) -> Self {
        Self(Arc::new(settings.agent_token))
    }

    /// Whether `bearer` is the agents' token.
    pub fn agent_allowed(&self, bearer: &str) -> bool {
        bearer == self.0.expose()
    }
}

macro_rules! needs {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Operator);

        impl FromRequestParts<AppState> for $name {
            type Rejection = HttpError;

            async fn from_request_parts(_: &mut Parts, _: &AppState) -> Result<Self, HttpError> {
                Ok(Self(Operator {
                    name: "test".into(),
                    role: Role::Admin,
                }))
            }
        }
    };
}

needs!(
    /// Somebody who may look.
    Viewer
);
needs!(
    /// Somebody who may start and stop runs.
    OperatorRole
);
needs!(
    /// Somebody who may do everything.
    Admin
);
