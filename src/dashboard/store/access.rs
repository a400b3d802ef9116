//! Who may come in: users, sessions, API tokens and the one-time setup link.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::last_used::Shown;
use super::{Store, StoreError, uint};
use crate::base::clock::{Millis, now};
use crate::dashboard::access::Role;
use crate::dashboard::access::digest::Digest;

/// A person with a login, or an API token, as the lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Millis,
    /// When a token was last used, give or take a minute; none for users and for tokens never used.
    pub last_used_at: Option<Millis>,
    /// When a token ends; none for users and for tokens that do not.
    pub expires_at: Option<Millis>,
    /// Whether a user is asked for one-time codes.
    pub has_totp: bool,
}

impl Entry {
    /// Whether its time is over.
    pub fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= now())
    }
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub user: String,
    /// What that user may do now.
    pub role: Role,
    /// What requests that change something must send along.
    pub csrf_token: String,
}

fn role(row: &SqliteRow) -> Result<Role, StoreError> {
    let text: String = row.try_get("role")?;
    Role::from_name(&text).ok_or_else(|| StoreError::Unreadable {
        what: String::from("a role"),
        why: format!("`{}` is none", text.escape_default()),
    })
}

fn millis(row: &SqliteRow, column: &str) -> Result<Option<Millis>, StoreError> {
    let value: Option<i64> = row.try_get(column)?;
    Ok(value.and_then(|value| Millis::try_from(value).ok()))
}

fn entry(row: &SqliteRow) -> Result<Entry, StoreError> {
    Ok(Entry {
        name: row.try_get("name")?,
        role: role(row)?,
        created_at: millis(row, "created_at")?.unwrap_or(0),
        last_used_at: millis(row, "last_used_at")?,
        expires_at: millis(row, "expires_at")?,
        has_totp: row.try_get("has_totp")?,
    })
}

/// Whether an insert went through; `false` where the name is taken.
fn inserted(
    result: Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error>,
) -> Result<bool, StoreError> {
    match result {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Store {
    /// Whether anybody can log in.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM users) AS yes")
            .fetch_one(&self.readers)
            .await?;
        Ok(row.try_get::<i64, _>("yes")? != 0)
    }

    /// Adds a user; `false` when the name is taken.
    pub async fn create_user(
        &self,
        name: &str,
        role: Role,
        password_hash: &str,
    ) -> Result<bool, StoreError> {
        inserted(
            sqlx::query(
                "INSERT INTO users (name, role, password_hash, created_at) VALUES (?, ?, ?, ?)",
            )
            .bind(name)
            .bind(role.name())
            .bind(password_hash)
            .bind(now() as i64)
            .execute(&self.writer)
            .await,
        )
    }

    /// Removes a user and closes that user's sessions; `false` when there is none of that name.
    pub async fn delete_user(&self, name: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM users WHERE name = ?")
            .bind(name)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// All users, by name.
    pub async fn users(&self) -> Result<Vec<Entry>, StoreError> {
        sqlx::query(
            "SELECT name, role, created_at, NULL AS last_used_at, NULL AS expires_at,
               name IN (SELECT user_name FROM totp) AS has_totp FROM users ORDER BY name",
        )
        .fetch_all(&self.readers)
        .await?
        .iter()
        .map(entry)
        .collect()
    }

    /// The stored password hash and the role of a user.
    pub async fn user_login(&self, name: &str) -> Result<Option<(String, Role)>, StoreError> {
        let row = sqlx::query("SELECT password_hash, role FROM users WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok((row.try_get("password_hash")?, role(&row)?)))
            .transpose()
    }

    /// Opens a session until `expires_at`, and forgets the expired ones.
    pub async fn open_session(
        &self,
        token: &Digest,
        user: &str,
        csrf_token: &str,
        expires_at: Millis,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at <= ?")
            .bind(now() as i64)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (token_hash, user_name, csrf_token, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(token.as_slice())
        .bind(user)
        .bind(csrf_token)
        .bind(now() as i64)
        .bind(expires_at as i64)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The session of that token, unless it is unknown or expired.
    pub async fn session(&self, token: &Digest) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(
            "SELECT user_name, role, csrf_token FROM sessions JOIN users ON users.name = user_name
             WHERE token_hash = ? AND expires_at > ?",
        )
        .bind(token.as_slice())
        .bind(now() as i64)
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| {
            Ok(Session {
                user: row.try_get("user_name")?,
                role: role(&row)?,
                csrf_token: row.try_get("csrf_token")?,
            })
        })
        .transpose()
    }

    /// Ends a session.
    pub async fn close_session(&self, token: &Digest) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE token_hash = ?")
            .bind(token.as_slice())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Adds an API token that ends at `expires_at`, if it ends; `false` when the name is taken.
    pub async fn create_token(
        &self,
        name: &str,
        role: Role,
        token: &Digest,
        expires_at: Option<Millis>,
    ) -> Result<bool, StoreError> {
        inserted(
            sqlx::query(
                "INSERT INTO api_tokens (name, role, token_hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(name)
            .bind(role.name())
            .bind(token.as_slice())
            .bind(now() as i64)
            .bind(expires_at.map(|at| at as i64))
            .execute(&self.writer)
            .await,
        )
    }

    /// Removes an API token; `false` when there is none of that name.
    pub async fn revoke_token(&self, name: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM api_tokens WHERE name = ?")
            .bind(name)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// All API tokens, by name.
    pub async fn tokens(&self) -> Result<Vec<Entry>, StoreError> {
        sqlx::query(
            "SELECT name, role, created_at, last_used_at, expires_at, false AS has_totp FROM api_tokens ORDER BY name",
        )
        .fetch_all(&self.readers)
        .await?
        .iter()
        .map(entry)
        .collect()
    }

    /// The API tokens that end, also those that have, and when.
    pub async fn token_ends(&self) -> Result<Vec<(String, Millis)>, StoreError> {
        sqlx::query(
            "SELECT name, expires_at FROM api_tokens WHERE expires_at IS NOT NULL ORDER BY name",
        )
        .fetch_all(&self.readers)
        .await?
        .iter()
        .map(|row| Ok((row.try_get("name")?, uint(row, "expires_at")?)))
        .collect()
    }

    /// The API token of that digest, also one that has expired; notes its use at most once a minute.
    pub async fn token(&self, token: &Digest) -> Result<Option<Entry>, StoreError> {
        let row = sqlx::query(
            "SELECT name, role, created_at, last_used_at, expires_at, false AS has_totp FROM api_tokens WHERE token_hash = ?",
        )
        .bind(token.as_slice())
        .fetch_optional(&self.readers)
        .await?;
        let Some(found) = row.as_ref().map(entry).transpose()? else {
            return Ok(None);
        };
        if found.has_expired() {
            return Ok(Some(found));
        }
        self.note_use(Shown::Token, token, found.last_used_at).await;
        Ok(Some(found))
    }

    /// Makes `link` the only setup link, valid until `expires_at`.
    pub async fn replace_setup_link(
        &self,
        link: &Digest,
        expires_at: Millis,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM setup_links")
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO setup_links (token_hash, expires_at) VALUES (?, ?)")
            .bind(link.as_slice())
            .bind(expires_at as i64)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whether the setup link can still be used.
    pub async fn setup_link_is_valid(&self, link: &Digest) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM setup_links WHERE token_hash = ? AND expires_at > ?")
            .bind(link.as_slice())
            .bind(now() as i64)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.is_some())
    }

    /// Uses the setup link up and adds the first administrator, both or neither; `false` when the link is not valid
    /// (any more) or somebody can log in already.
    pub async fn use_setup_link(
        &self,
        link: &Digest,
        name: &str,
        password_hash: &str,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let used = sqlx::query(
            "DELETE FROM setup_links WHERE token_hash = ? AND expires_at > ? AND NOT EXISTS (SELECT 1 FROM users)",
        )
        .bind(link.as_slice())
        .bind(now() as i64)
        .execute(&mut *transaction)
        .await?;
        if used.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO users (name, role, password_hash, created_at) VALUES (?, ?, ?, ?)",
        )
        .bind(name)
        .bind(Role::Admin.name())
        .bind(password_hash)
        .bind(now() as i64)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }
}
