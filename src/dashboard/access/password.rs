//! Passwords: argon2id, computed off the runtime's threads and few at a time.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use tokio::sync::Semaphore;

use super::digest;
use crate::base::secret::Secret;

/// The shortest password, in characters.
pub const MIN_PASSWORD: usize = 12;
/// The longest password, in bytes: enough for any sentence, too short to keep a processor busy.
pub const MAX_PASSWORD: usize = 1024;
/// Hashes computed at the same time; each takes 19 MiB and some tens of milliseconds of a processor.
pub const MAX_HASHING: usize = 2;
/// How long a login waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// The hash that unknown users are checked against, so that they cost the same time: argon2id, same parameters, of nothing
/// that anybody knows.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWtub3dzLWl0$0BAPZkvvGjMCpkbIcmKFZvdL1cEnKKv+B4dOLoMm3b8";

/// Why a password is refused when it is set.
pub fn check_new(password: &str) -> Result<(), String> {
    if password.chars().count() < MIN_PASSWORD {
        return Err(format!(
            "the password is too short; use at least {MIN_PASSWORD} characters"
        ));
    }
    if password.len() > MAX_PASSWORD {
        return Err(format!(
            "the password is too long; use at most {MAX_PASSWORD} bytes"
        ));
    }
    Ok(())
}

/// Hashes and checks passwords. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

/// Too many logins are being checked already.
#[derive(Debug, thiserror::Error)]
#[error("too many logins at once")]
pub struct Busy;

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(MAX_HASHING)),
        }
    }
}

impl Passwords {
    /// The hash to store for a password.
    ///
    /// # Errors
    /// No turn came within some seconds, or the system has no random numbers.
    pub async fn hash(&self, password: &Secret) -> anyhow::Result<String> {
        let password = password.clone();
        self.off_thread(move || {
            let salt = SaltString::encode_b64(&digest::random::<16>()?)
                .map_err(|error| anyhow::anyhow!("making a salt: {error}"))?;
            let hash = Argon2::default()
                .hash_password(password.expose().as_bytes(), &salt)
                .map_err(|error| anyhow::anyhow!("hashing a password: {error}"))?;
            Ok(hash.to_string())
        })
        .await?
    }

    /// Whether the password is the one that was stored; with no stored one, `false` after the same time.
    ///
    /// # Errors
    /// No turn came within some seconds.
    pub async fn verify(&self, password: &Secret, stored: Option<String>) -> anyhow::Result<bool> {
        let password = password.clone();
        self.off_thread(move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
            let right = PasswordHash::new(&stored).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.expose().as_bytes(), &hash)
                    .is_ok()
            });
            right && known
        })
        .await
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| Busy)??;
        let done = tokio::task::spawn_blocking(move || {
            // Held here, not in the request: a client that hangs up does not free a processor that is still busy.
            let _turn = turn;
            work()
        })
        .await?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_is_right() {
        let passwords = Passwords::default();
        let secret = Secret::new("correct horse");
        let hash = passwords.hash(&secret).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        for (password, stored, expected) in [
            ("correct horse", Some(hash.clone()), true),
            ("correct hors", Some(hash), false),
            ("correct horse", None, false),
            ("correct horse", Some(String::from("no hash")), false),
        ] {
            let found = passwords.verify(&Secret::new(password), stored).await;
            assert_eq!(found.unwrap(), expected, "{password}");
        }
    }

    #[test]
    fn the_hash_of_nobody_costs_what_a_real_one_costs() {
        let hash = PasswordHash::new(NOBODY).unwrap();
        let default = argon2::Params::default();
        let params = argon2::Params::try_from(&hash).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (default.m_cost(), default.t_cost(), default.p_cost())
        );
        assert_eq!(hash.hash.unwrap().len(), 32);
    }

    #[test]
    fn new_passwords_have_limits() {
        assert!(check_new("12345678901").is_err());
        assert!(check_new("123456789012").is_ok());
        assert!(check_new(&"x".repeat(MAX_PASSWORD + 1)).is_err());
    }
}
