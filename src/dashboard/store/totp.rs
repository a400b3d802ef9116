//! Users' secrets for one-time codes.

use sqlx::Row as _;

use super::{Store, StoreError, int, uint};
use crate::base::secret::Secret;

/// What a user's codes are made of, and which one was the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totp {
    /// Base32.
    pub secret: Secret,
    /// The step of the last code that was taken.
    pub last_step: u64,
}

impl Store {
    /// Asks a user for codes of `secret` from now on; `false` when there is no such user.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_totp(&self, user: &str, secret: &Secret) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO totp (user_name, secret, last_step) SELECT name, ?2, 0 FROM users WHERE name = ?1
             ON CONFLICT (user_name) DO UPDATE SET secret = excluded.secret, last_step = 0",
        )
        .bind(user)
        .bind(secret.expose())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Asks a user for no codes any more; `false` when none were asked for.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn remove_totp(&self, user: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM totp WHERE user_name = ?1")
            .bind(user)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// What a user's codes are made of; none where a password is enough.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn totp(&self, user: &str) -> Result<Option<Totp>, StoreError> {
        let row = sqlx::query("SELECT secret, last_step FROM totp WHERE user_name = ?1")
            .bind(user)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| {
            Ok(Totp {
                secret: Secret::new(row.try_get::<String, _>("secret")?),
                last_step: uint(&row, "last_step")?,
            })
        })
        .transpose()
    }

    /// Takes the code of `step`; `false` when that one or a later one was taken already, also by somebody at the same time.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn take_totp_step(&self, user: &str, step: u64) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE totp SET last_step = ?2 WHERE user_name = ?1 AND last_step < ?2")
                .bind(user)
                .bind(int(step))
                .execute(&self.writer)
                .await?;
        Ok(done.rows_affected() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::access::Role;

    #[tokio::test]
    async fn a_step_counts_once_and_a_secret_goes_with_its_user() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let secret = Secret::new("JBSWY3DPEHPK3PXP");
        assert!(!store.set_totp("ann", &secret).await.unwrap());
        store.create_user("ann", Role::Admin, "h").await.unwrap();
        assert_eq!(store.totp("ann").await.unwrap(), None);
        assert!(!store.take_totp_step("ann", 5).await.unwrap());
        assert!(store.set_totp("ann", &secret).await.unwrap());
        assert!(store.take_totp_step("ann", 5).await.unwrap());
        assert!(!store.take_totp_step("ann", 5).await.unwrap());
        assert!(!store.take_totp_step("ann", 4).await.unwrap());
        assert!(store.take_totp_step("ann", 6).await.unwrap());
        assert_eq!(store.totp("ann").await.unwrap().unwrap().last_step, 6);
        assert!(store.remove_totp("ann").await.unwrap());
        assert!(!store.remove_totp("ann").await.unwrap());
        store.set_totp("ann", &secret).await.unwrap();
        store.delete_user("ann").await.unwrap();
        store.create_user("ann", Role::Viewer, "h").await.unwrap();
        assert_eq!(store.totp("ann").await.unwrap(), None);
    }
}
