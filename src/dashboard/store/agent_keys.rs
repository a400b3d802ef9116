//! Public keys of agents. Also written by `nixfleet-dashboard key` beside a running dashboard, which watches the counter.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite};

use super::{Store, StoreError, parsed, uint};
use crate::base::clock::{Millis, now};
use crate::run::id::HostName;
use crate::wire::key::PublicKey;
use crate::wire::subject::Organization;

/// A key that the dashboard knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentKey {
    /// The key.
    pub key: PublicKey,
    /// The one host that it is for.
    pub host: HostName,
    /// The organization in which that host speaks.
    pub organization: Organization,
    /// When an operator added it.
    pub added_at: Millis,
}

fn agent_key(row: &SqliteRow) -> Result<AgentKey, StoreError> {
    let bytes: Vec<u8> = row.try_get("public_key")?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| StoreError::Unreadable {
        what: "a public_key".into(),
        why: "it has not 32 bytes".into(),
    })?;
    Ok(AgentKey {
        key: PublicKey::new(bytes),
        host: parsed(row, "host")?,
        organization: parsed(row, "organization")?,
        added_at: uint(row, "added_at")?,
    })
}

impl Store {
    /// Adds a key; `false` when it is known already, for whichever host.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn add_agent_key(
        &self,
        key: &PublicKey,
        host: &HostName,
        organization: &Organization,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let done = sqlx::query(
            "INSERT INTO agent_keys (public_key, host, organization, added_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(key.bytes().as_slice())
        .bind(host.as_str())
        .bind(organization.as_str())
        .bind(now() as i64)
        .execute(&mut *transaction)
        .await?;
        changed(transaction, done.rows_affected()).await
    }

    /// Removes a key; `false` when it is not known.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn remove_agent_key(&self, key: &PublicKey) -> Result<bool, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let done = sqlx::query("DELETE FROM agent_keys WHERE public_key = ?")
            .bind(key.bytes().as_slice())
            .execute(&mut *transaction)
            .await?;
        changed(transaction, done.rows_affected()).await
    }

    /// All keys, by host.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn agent_keys(&self) -> Result<Vec<AgentKey>, StoreError> {
        sqlx::query(
            "SELECT public_key, host, organization, added_at FROM agent_keys ORDER BY host, added_at",
        )
        .fetch_all(&self.readers)
        .await?
        .iter()
        .map(agent_key)
        .collect()
    }

    /// How often the keys have changed, whoever did it.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn agent_key_changes(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT n FROM agent_key_changes")
            .fetch_one(&self.readers)
            .await?;
        uint(&row, "n")
    }
}

/// Counts a change, if it is one, so that whoever has the keys in memory reads them again.
async fn changed(
    mut transaction: sqlx::Transaction<'_, Sqlite>,
    n_rows: u64,
) -> Result<bool, StoreError> {
    if n_rows == 0 {
        return Ok(false);
    }
    sqlx::query("UPDATE agent_key_changes SET n = n + 1")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_are_added_once_listed_removed_and_every_change_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let running = Store::open(dir.path()).await.unwrap();
        let beside = Store::open(dir.path()).await.unwrap();
        let key = PublicKey::new([1; 32]);
        let (web1, web2): (HostName, HostName) = ("web1".parse().unwrap(), "web2".parse().unwrap());
        let none = Organization::default();
        assert_eq!(running.agent_key_changes().await.unwrap(), 0);
        assert!(beside.add_agent_key(&key, &web1, &none).await.unwrap());
        assert!(!beside.add_agent_key(&key, &web2, &none).await.unwrap());
        assert_eq!(running.agent_key_changes().await.unwrap(), 1);
        let keys = running.agent_keys().await.unwrap();
        assert_eq!((keys.len(), keys[0].key, &keys[0].host), (1, key, &web1));
        assert!(beside.remove_agent_key(&key).await.unwrap());
        assert!(!beside.remove_agent_key(&key).await.unwrap());
        assert_eq!(running.agent_key_changes().await.unwrap(), 2);
        assert!(running.agent_keys().await.unwrap().is_empty());
    }
}
