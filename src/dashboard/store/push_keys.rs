//! Keys of hosts that push their heartbeats.

use sqlx::Row as _;

use super::last_used::Shown;
use super::{Store, StoreError, int, parsed, to_json, uint};
use crate::base::clock::{Millis, now};
use crate::dashboard::access::digest::Digest;
use crate::run::id::HostName;
use crate::wire::to_dashboard::Register;

/// A key, as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushKey {
    /// Whose it is.
    pub host: HostName,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last used, give or take a minute.
    pub last_used_at: Option<Millis>,
}

fn key(row: &sqlx::sqlite::SqliteRow) -> Result<PushKey, StoreError> {
    let used: Option<i64> = row.try_get("last_used_at")?;
    Ok(PushKey {
        host: parsed(row, "hostname")?,
        created_at: uint(row, "created_at")?,
        last_used_at: used.and_then(|at| Millis::try_from(at).ok()),
    })
}

impl Store {
    /// Adds a key of a host, which may be new.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn create_push_key(&self, host: &HostName, hash: &Digest) -> Result<(), StoreError> {
        let mut write = self.writer.begin().await?;
        sqlx::query("INSERT INTO hosts (hostname, created_at) VALUES (?1, ?2) ON CONFLICT (hostname) DO NOTHING")
            .bind(host.as_str())
            .bind(int(now()))
            .execute(&mut *write)
            .await?;
        sqlx::query("INSERT INTO push_keys (key_hash, hostname, created_at) VALUES (?1, ?2, ?3)")
            .bind(hash.as_slice())
            .bind(host.as_str())
            .bind(int(now()))
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(())
    }

    /// Removes all keys of a host; answers how many there were.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn revoke_push_keys(&self, host: &HostName) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM push_keys WHERE hostname = ?1")
            .bind(host.as_str())
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }

    /// All keys, by host.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn push_keys(&self) -> Result<Vec<PushKey>, StoreError> {
        sqlx::query(
            "SELECT hostname, created_at, last_used_at FROM push_keys ORDER BY hostname, created_at",
        )
        .fetch_all(&self.readers)
        .await?
        .iter()
        .map(key)
        .collect()
    }

    /// The host that a key belongs to; notes its use at most once a minute.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn push_key(&self, hash: &Digest) -> Result<Option<HostName>, StoreError> {
        let row = sqlx::query(
            "SELECT hostname, created_at, last_used_at FROM push_keys WHERE key_hash = ?1",
        )
        .bind(hash.as_slice())
        .fetch_optional(&self.readers)
        .await?;
        let Some(found) = row.as_ref().map(key).transpose()? else {
            return Ok(None);
        };
        self.note_use(Shown::PushKey, hash, found.last_used_at)
            .await;
        Ok(Some(found.host))
    }

    /// Keeps what a host that pushes said of itself. What an agent has registered there stays.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_pushing_host(
        &self,
        host: &HostName,
        register: &Register,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO hosts (hostname, register, created_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (hostname) DO UPDATE SET register = excluded.register
             WHERE register IS NULL OR register ->> 'protocol' = 0",
        )
        .bind(host.as_str())
        .bind(to_json(register)?)
        .bind(int(now()))
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::access::digest::digest;

    #[tokio::test]
    async fn keys_belong_to_hosts_and_go_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let host = |name: &str| name.parse::<HostName>().unwrap();
        for (name, key) in [("web1", "a"), ("web1", "b"), ("web2", "c"), ("web3", "d")] {
            store
                .create_push_key(&host(name), &digest(key))
                .await
                .unwrap();
        }
        assert_eq!(
            store.push_key(&digest("b")).await.unwrap(),
            Some(host("web1"))
        );
        assert_eq!(store.push_key(&digest("x")).await.unwrap(), None);
        let keys = store.push_keys().await.unwrap();
        let shown: Vec<_> = keys
            .iter()
            .map(|key| (key.host.as_str(), key.last_used_at.is_some()))
            .collect();
        assert_eq!(
            shown,
            [
                ("web1", false),
                ("web1", true),
                ("web2", false),
                ("web3", false)
            ]
        );
        assert_eq!(store.revoke_push_keys(&host("web1")).await.unwrap(), 2);
        assert_eq!(store.revoke_push_keys(&host("web1")).await.unwrap(), 0);
        assert_eq!(store.push_key(&digest("a")).await.unwrap(), None);
        assert!(store.delete_host(&host("web2")).await.unwrap());
        assert_eq!(store.push_key(&digest("c")).await.unwrap(), None);
        assert_eq!(
            store.push_key(&digest("d")).await.unwrap(),
            Some(host("web3"))
        );
    }

    #[tokio::test]
    async fn what_an_agent_registered_is_not_replaced_by_a_push() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let host: HostName = "web1".parse().unwrap();
        let register = |protocol, os: &str| Register {
            protocol,
            os_version: os.into(),
            ..Register::default()
        };
        let kept = async || {
            let row = store.hosts().await.unwrap().remove(0);
            row.register.unwrap().os_version
        };
        store
            .note_pushing_host(&host, &register(Some(0), "one"))
            .await
            .unwrap();
        store
            .note_pushing_host(&host, &register(Some(0), "two"))
            .await
            .unwrap();
        assert_eq!(kept().await, "two");
        let mut write = store.writer.acquire().await.unwrap();
        crate::dashboard::store::hosts::upsert(&mut write, &host, &register(Some(3), "agent"), 1)
            .await
            .unwrap();
        drop(write);
        store
            .note_pushing_host(&host, &register(Some(0), "three"))
            .await
            .unwrap();
        assert_eq!(kept().await, "agent");
    }
}
