//! What a program says of the agent that it wants. Everything is checked by `build`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Answer, HeartbeatAgent, Message};
use crate::agent::config::{Labels, TokenSource};
use crate::agent::config_file::Url;
use crate::agent::credential::Credential;
use crate::agent::facts;
use crate::agent::health::Health;
use crate::agent::identity::Identity;
use crate::agent::metrics::Sample;
use crate::agent::statement::Statement;
use crate::agent::subjects::Subjects;
use crate::agent::subjects::handlers::Handler;
use crate::agent::uplink::{Reconnect, Tls, Uplink};
use crate::run::id::HostName;
use crate::wire::MAX_PATTERNS;
use crate::wire::subject::{Organization, Pattern};

/// The longest interval between heartbeats.
const MAX_INTERVAL: Duration = Duration::from_secs(3600);
/// The shortest first pause between connections: without any, a dashboard that is away would be dialled without end.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// The most intervals that a host may be silent for.
const MAX_OFFLINE_AFTER: u32 = 1000;

/// What is wrong with the agent that was asked for, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(String);

/// Made by [`HeartbeatAgent::builder`].
///
/// ```
/// use nixfleet::agent::HeartbeatAgent;
/// let error = HeartbeatAgent::builder().url("fleet.example.org").build().unwrap_err();
/// assert!(error.to_string().contains("has no scheme; write wss://HOST"));
/// ```
pub struct Builder {
    url: Option<String>,
    hostname: Option<String>,
    token_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    organization: String,
    interval: Duration,
    offline_after: u32,
    reconnect: Reconnect,
    location: String,
    device_type: String,
    handler_deadline: Duration,
    handlers: Vec<(String, Answer)>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("url", &self.url)
            .field("hostname", &self.hostname)
            .finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            url: None,
            hostname: None,
            token_file: None,
            key_file: None,
            ca_file: None,
            organization: String::new(),
            interval: Duration::from_secs(30),
            offline_after: 3,
            reconnect: Reconnect::default(),
            location: String::new(),
            device_type: "agent".into(),
            handler_deadline: Duration::from_secs(60),
            handlers: Vec::new(),
        }
    }
}

impl Builder {
    /// The dashboard: `wss://…`, `https://…`, `ws://…` or `http://…`, with or without `/ws`. Required.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The name under which the agent is shown. Required, and it must be its own: of two connections with one name the
    /// older is closed, so it is not the name of a machine on which `nixfleet-agent` runs.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.hostname = Some(name.into());
        self
    }

    /// A file with the token that agents share. This or [`key_file`](Self::key_file) is required.
    #[must_use]
    pub fn token_file(mut self, path: impl AsRef<Path>) -> Self {
        self.token_file = Some(path.as_ref().to_owned());
        self
    }

    /// A file with the agent's own key pair, as `nixfleet-agent key create FILE` makes it. An operator adds its public half:
    /// `nixfleet-dashboard key add HOST PUBLIC_KEY`. Read before every connection.
    #[must_use]
    pub fn key_file(mut self, path: impl AsRef<Path>) -> Self {
        self.key_file = Some(path.as_ref().to_owned());
        self
    }

    /// Certificates in PEM that are trusted beside the public ones.
    #[must_use]
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.ca_file = Some(path.as_ref().to_owned());
        self
    }

    /// Whose messages it speaks and hears; by default those of the organization without a name. A key is bound to one.
    #[must_use]
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.organization = id.into();
        self
    }

    /// Time between heartbeats, whole seconds from 1 s to an hour; 30 s by default.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// After how many intervals without a heartbeat it counts as offline; 3 by default.
    #[must_use]
    pub fn offline_after(mut self, intervals: u32) -> Self {
        self.offline_after = intervals;
        self
    }

    /// What happens when there is no connection; by default it is tried again for ever.
    #[must_use]
    pub fn reconnect(mut self, policy: Reconnect) -> Self {
        self.reconnect = policy;
        self
    }

    /// Where it stands, as the dashboard shows it.
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = location.into();
        self
    }

    /// What kind of thing it is, as the dashboard shows it; `agent` by default.
    #[must_use]
    pub fn device_type(mut self, kind: impl Into<String>) -> Self {
        self.device_type = kind.into();
        self
    }

    /// How long a handler may work on one message before it is given up for that message; a minute by default.
    #[must_use]
    pub fn handler_deadline(mut self, deadline: Duration) -> Self {
        self.handler_deadline = deadline;
        self
    }

    /// Has `handler` called for each message on a subject that `pattern` matches: `*` stands for one token, `>` at the end
    /// for all the rest. A handler gets one message after the other; two handlers work side by side. It is a task of the
    /// runtime on which the agent is started: what blocks a thread belongs into `tokio::task::spawn_blocking`.
    #[must_use]
    pub fn on<F, W>(mut self, pattern: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Message) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let answer: Answer = Box::new(move |message| Box::pin(handler(message)));
        self.handlers.push((pattern.into(), answer));
        self
    }

    /// Checks all of it. Reads the certificates and looks whether the key or token is there; connects to nothing.
    ///
    /// # Errors
    /// What is missing or wrong, and what to write instead.
    pub fn build(self) -> Result<HeartbeatAgent, BuildError> {
        let wrong = |error: &dyn std::fmt::Display| BuildError(format!("{error:#}"));
        let url = self
            .url
            .ok_or_else(|| BuildError("no dashboard is named; call .url(\"wss://HOST\")".into()))?;
        let url = Url::try_from(url).map_err(BuildError)?.get();
        let hostname = self.hostname.ok_or_else(|| {
            BuildError(
                "the agent has no name; call .hostname(\"worker-1\") with a name of its own".into(),
            )
        })?;
        let hostname: HostName = hostname.parse().map_err(|error| wrong(&error))?;
        let organization: Organization =
            self.organization.parse().map_err(|error| wrong(&error))?;
        let credential = match (self.token_file, self.key_file) {
            (Some(token), None) => Credential::Token(TokenSource::File(token)),
            (None, Some(key)) => Credential::KeyFile(key),
            (Some(_), Some(_)) => {
                return Err(BuildError(
                    "a token and a key; call .key_file(…) or .token_file(…), not both".into(),
                ));
            }
            (None, None) => {
                return Err(BuildError(
                    "nothing to come in with; call .key_file(…) or .token_file(…)".into(),
                ));
            }
        };
        credential.show().map_err(|error| wrong(&error))?;
        if self.interval.subsec_nanos() != 0
            || !(Duration::from_secs(1)..=MAX_INTERVAL).contains(&self.interval)
        {
            return Err(BuildError(format!(
                "the interval {:?} is not possible; call .interval(…) with whole seconds, 1 to 3600",
                self.interval
            )));
        }
        if !(1..=MAX_OFFLINE_AFTER).contains(&self.offline_after) {
            return Err(BuildError(format!(
                "offline after {} intervals is not possible; call .offline_after(…) with 1 to {MAX_OFFLINE_AFTER}",
                self.offline_after
            )));
        }
        let Reconnect { first, longest, .. } = self.reconnect;
        if first < LEAST_PAUSE || longest < first {
            return Err(BuildError(format!(
                "pauses of {first:?} to {longest:?} between connections are not possible; call .reconnect(…) with `first` of at least {LEAST_PAUSE:?} and a `longest` that is no shorter"
            )));
        }
        // One more is the address for answers.
        if self.handlers.len() >= MAX_PATTERNS {
            return Err(BuildError(format!(
                "{} handlers are too many; at most {} can listen",
                self.handlers.len(),
                MAX_PATTERNS - 1
            )));
        }
        let mut handlers = Vec::with_capacity(self.handlers.len());
        for (pattern, answer) in self.handlers {
            let pattern: Pattern = pattern.parse().map_err(|error| wrong(&error))?;
            let handler = Handler::new(pattern, self.handler_deadline);
            handlers.push((Arc::new(handler), answer));
        }
        let tls = Tls::for_url(&url, self.ca_file.as_deref()).map_err(|error| wrong(&error))?;
        let statement = watch::channel(Statement::default()).0;
        let subjects = Subjects::new(
            handlers
                .iter()
                .map(|(handler, _)| Arc::clone(handler))
                .collect(),
        );
        let uplink = Uplink {
            identity: Identity {
                url,
                credential,
                hostname,
                organization,
                offline_after: Some(self.offline_after),
                interval: self.interval,
                labels: Labels {
                    location: self.location,
                    device_type: self.device_type,
                    theme_color: String::new(),
                    nixpkgs_version: String::new(),
                },
                host: facts::host(Path::new("/")),
            },
            tls,
            runs: None,
            sent: None,
            sample: watch::channel(Sample::none()).1,
            statement: statement.subscribe(),
            subjects,
            reconnect: self.reconnect,
            once: false,
            health: watch::channel(Health::default()).0,
        };
        Ok(HeartbeatAgent {
            uplink,
            statement,
            handlers,
        })
    }
}
