//! Logging in by password, and setting the first administrator's password by the one-time link.

use std::net::IpAddr;
use std::time::Duration;

use super::digest::{Digest, digest, new_token};
use super::{Access, Role, address, check_name, password, totp};
use crate::base::clock::now;
use crate::base::secret::Secret;
use crate::dashboard::store::{Store, StoreError};

/// How long a setup link can be used.
pub const SETUP_LINK: Duration = Duration::from_secs(24 * 3600);

/// A session that has just been opened.
#[derive(Debug)]
pub struct LoggedIn {
    /// Whose.
    pub user: String,
    /// What that user may do.
    pub role: Role,
    /// For the cookie.
    pub token: Secret,
    /// What requests with an effect must send along.
    pub csrf_token: String,
    /// How long it lasts.
    pub lasts: Duration,
}

/// What the setup page sends.
#[derive(Debug)]
pub struct Setup {
    /// From the link.
    pub link: Secret,
    /// The administrator's name.
    pub user: String,
    /// The password to set.
    pub password: Secret,
}

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The name, the password or the one-time code; which one is not told.
    #[error("the user name, the password or the one-time code is wrong")]
    Wrong,
    /// Too many failures from this address, or too many logins at once.
    #[error("too many failed logins from this address")]
    TooMany {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// The setup link is not, or no longer, valid.
    #[error("this setup link has been used or has expired")]
    Expired,
    /// The password cannot be set.
    #[error("{0}")]
    Weak(String),
    /// The name cannot be a user's.
    #[error("{0}")]
    BadName(String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no random numbers, or hashing failed.
    #[error("{0:#}")]
    Internal(anyhow::Error),
}

impl From<anyhow::Error> for LoginError {
    fn from(error: anyhow::Error) -> Self {
        if error.is::<password::Busy>() {
            Self::TooMany { retry_after: 1 }
        } else {
            Self::Internal(error)
        }
    }
}

impl Access {
    /// Opens a session for the user of that name and password, and of that one-time code where one is asked for.
    ///
    /// # Errors
    /// See [`LoginError`]. After five failures in a minute from `client`, only [`LoginError::TooMany`].
    pub async fn log_in(
        &self,
        store: &Store,
        client: IpAddr,
        user: &str,
        password: &Secret,
        code: Option<&str>,
    ) -> Result<LoggedIn, LoginError> {
        let counted = address::counted(client);
        self.throttled(|throttle| throttle.attempt(counted))
            .map_err(|retry_after| LoginError::TooMany { retry_after })?;
        if password.expose().len() > password::MAX_PASSWORD {
            return Err(LoginError::Wrong);
        }
        let (hash, role) = store
            .user_login(user)
            .await?
            .map_or((None, Role::Viewer), |(hash, role)| (Some(hash), role));
        if !self.0.passwords.verify(password, hash).await?
            || !second_factor(store, user, code).await?
        {
            tracing::warn!("failed login from {client}");
            return Err(LoginError::Wrong);
        }
        self.throttled(|throttle| throttle.succeeded(counted));
        self.open(store, user, role).await
    }

    /// Sets the first administrator's name and password, and opens a session.
    ///
    /// # Errors
    /// See [`LoginError`]; a link that failed for its name or password can be tried again.
    pub async fn set_up(
        &self,
        store: &Store,
        client: IpAddr,
        setup: Setup,
    ) -> Result<LoggedIn, LoginError> {
        let counted = address::counted(client);
        self.throttled(|throttle| throttle.attempt(counted))
            .map_err(|retry_after| LoginError::TooMany { retry_after })?;
        let link = digest(setup.link.expose());
        // Asked before hashing, so that only who has a link costs a processor.
        if !store.setup_link_is_valid(&link).await? {
            return Err(LoginError::Expired);
        }
        self.throttled(|throttle| throttle.succeeded(counted));
        check_name(&setup.user).map_err(LoginError::BadName)?;
        password::check_new(setup.password.expose()).map_err(LoginError::Weak)?;
        let hash = self.0.passwords.hash(&setup.password).await?;
        if !store.use_setup_link(&link, &setup.user, &hash).await? {
            return Err(LoginError::Expired);
        }
        tracing::info!("the administrator {} has been set up", setup.user);
        self.open(store, &setup.user, Role::Admin).await
    }

    /// Where nobody can log in yet, a new setup link's token; it replaces the one before.
    ///
    /// # Errors
    /// The store does not answer, or the system has no random numbers.
    pub async fn new_setup_link(&self, store: &Store) -> Result<Option<Secret>, LoginError> {
        if store.has_users().await? {
            return Ok(None);
        }
        let token = new_token("")?;
        store
            .replace_setup_link(&digest(&token), now() + millis(SETUP_LINK))
            .await?;
        Ok(Some(Secret::new(token)))
    }

    /// Ends the session of that cookie.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn log_out(&self, store: &Store, session: &Digest) -> Result<(), StoreError> {
        store.close_session(session).await
    }

    async fn open(&self, store: &Store, user: &str, role: Role) -> Result<LoggedIn, LoginError> {
        let token = new_token("")?;
        let csrf_token = new_token("")?;
        let lasts = self.0.session;
        store
            .open_session(&digest(&token), user, &csrf_token, now() + millis(lasts))
            .await?;
        Ok(LoggedIn {
            user: user.to_owned(),
            role,
            token: Secret::new(token),
            csrf_token,
            lasts,
        })
    }
}

/// Whether the code that a user has to show is right. It is used up then, whatever becomes of the login.
async fn second_factor(store: &Store, user: &str, code: Option<&str>) -> Result<bool, LoginError> {
    let Some(known) = store.totp(user).await? else {
        return Ok(true);
    };
    let step = totp::step(
        &known.secret,
        code.unwrap_or_default(),
        now(),
        known.last_step,
    )?;
    match step {
        Some(step) => Ok(store.take_totp_step(user, step).await?),
        None => Ok(false),
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
