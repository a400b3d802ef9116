//! What happened to hosts. Written in batches beside everything else: an event that cannot be written holds nothing up.

use sqlx::Row;

use super::{Store, StoreError, int, parsed, to_json, uint};
use crate::base::clock::Millis;
use crate::run::id::HostName;
use crate::wire::api::HostEventKind;

/// The most events of a host that are kept.
pub const KEPT: u32 = 1000;
/// The most events that one transaction writes: it takes a few milliseconds, and commits of runs wait for it.
pub const BATCH: usize = 500;
/// The most flaps that are read back at the start.
const FLAPS: u32 = 100_000;

/// An event that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHostEvent {
    /// When, by the dashboard's clock.
    pub at: Millis,
    /// Of which host.
    pub host: HostName,
    /// What.
    pub kind: HostEventKind,
    /// When the host was last heard, where it went away.
    pub last_seen: Option<Millis>,
    /// Whether it went away unasked.
    pub flap: bool,
    /// In words, where there is more to say.
    pub detail: String,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHostEvent {
    /// Its number.
    pub id: u64,
    /// The event.
    pub event: NewHostEvent,
}

impl Store {
    /// Writes events in one transaction, and lets go of the oldest ones of their hosts.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn add_host_events(&self, events: &[NewHostEvent]) -> Result<(), StoreError> {
        let rows: Vec<_> = events
            .iter()
            .map(|event| {
                serde_json::json!({
                    "host": event.host,
                    "at": event.at,
                    "kind": event.kind,
                    "last_seen": event.last_seen,
                    "flap": u8::from(event.flap),
                    "detail": event.detail,
                })
            })
            .collect();
        let rows = to_json(&rows)?;
        let mut write = self.writer.begin().await?;
        sqlx::query(
            "INSERT OR IGNORE INTO host_events (hostname, at, kind, last_seen, flap, detail)
             SELECT value ->> 'host', value ->> 'at', value ->> 'kind', value ->> 'last_seen', value ->> 'flap',
                    value ->> 'detail'
             FROM json_each(?1) ORDER BY key",
        )
        .bind(&rows)
        .execute(&mut *write)
        .await?;
        sqlx::query(
            "DELETE FROM host_events WHERE id IN (
               SELECT old.id FROM (SELECT DISTINCT value ->> 'host' AS host FROM json_each(?1)) AS new
               JOIN host_events AS old ON old.hostname = new.host
                AND old.id <= (SELECT id FROM host_events WHERE hostname = new.host ORDER BY id DESC LIMIT 1 OFFSET ?2))",
        )
        .bind(&rows)
        .bind(KEPT)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }

    /// Events of a host, newest first: those before number `before`, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn host_events(
        &self,
        host: &HostName,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<StoredHostEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, hostname, at, kind, last_seen, flap, detail FROM host_events
             WHERE hostname = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3",
        )
        .bind(host.as_str())
        .bind(before.map(int))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let last_seen: Option<i64> = row.try_get("last_seen")?;
                Ok(StoredHostEvent {
                    id: uint(row, "id")?,
                    event: NewHostEvent {
                        at: uint(row, "at")?,
                        host: parsed(row, "hostname")?,
                        kind: parsed(row, "kind")?,
                        last_seen: last_seen.map(|_| uint(row, "last_seen")).transpose()?,
                        flap: row.try_get("flap")?,
                        detail: row.try_get("detail")?,
                    },
                })
            })
            .collect()
    }

    /// When which hosts went away unasked after `since`, oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn flaps(&self, since: Millis) -> Result<Vec<(HostName, Millis)>, StoreError> {
        let rows = sqlx::query(
            "SELECT hostname, at FROM host_events WHERE flap = 1 AND at > ?1 ORDER BY at LIMIT ?2",
        )
        .bind(int(since))
        .bind(FLAPS)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((parsed(row, "hostname")?, uint(row, "at")?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::store::sample::{change, store};

    fn event(host: &str, at: Millis, kind: HostEventKind) -> NewHostEvent {
        NewHostEvent {
            at,
            host: host.parse().unwrap(),
            kind,
            last_seen: None,
            flap: false,
            detail: format!("event {at}"),
        }
    }

    async fn ats(store: &Store, host: &str, before: Option<u64>, limit: u32) -> Vec<Millis> {
        let found = store
            .host_events(&host.parse().unwrap(), before, limit)
            .await;
        found
            .unwrap()
            .iter()
            .map(|stored| stored.event.at)
            .collect()
    }

    #[tokio::test]
    async fn the_newest_thousand_of_each_host_are_kept() {
        let (_dir, store) = store().await;
        let quiet = event("db1", 7, HostEventKind::Registered);
        store
            .add_host_events(std::slice::from_ref(&quiet))
            .await
            .unwrap();
        for batch in 0..3 {
            let events: Vec<_> = (0..BATCH as u64)
                .map(|n| event("web1", batch * 500 + n, HostEventKind::Online))
                .collect();
            store.add_host_events(&events).await.unwrap();
        }
        let all = store
            .host_events(&"web1".parse().unwrap(), None, 5000)
            .await
            .unwrap();
        let at = |n: usize| all[n].event.at;
        assert_eq!((all.len(), at(0), at(999)), (1000, 1499, 500));
        // A page after another: no event twice, none left out.
        assert_eq!(ats(&store, "web1", Some(all[1].id), 2).await, [1497, 1496]);
        let kept = store
            .host_events(&"db1".parse().unwrap(), None, 9)
            .await
            .unwrap();
        assert_eq!(kept[0].event, quiet);
    }

    #[tokio::test]
    async fn one_silence_is_one_event_and_flaps_are_found_by_time() {
        let (_dir, store) = store().await;
        let away = |at| NewHostEvent {
            last_seen: Some(3),
            flap: true,
            ..event("web1", at, HostEventKind::Offline)
        };
        store.add_host_events(&[away(10)]).await.unwrap();
        store
            .add_host_events(&[away(90), event("web1", 91, HostEventKind::Online)])
            .await
            .unwrap();
        assert_eq!(ats(&store, "web1", None, 9).await, [91, 10]);
        let web1: HostName = "web1".parse().unwrap();
        assert_eq!(store.flaps(9).await.unwrap(), [(web1, 10)]);
        assert!(store.flaps(10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_kind_of_a_later_program_is_named() {
        let (_dir, store) = store().await;
        change(
            &store,
            "INSERT INTO host_events (hostname, at, kind, flap, detail) VALUES ('web1', 1, 'moved', 0, '')",
        )
        .await;
        let error = store
            .host_events(&"web1".parse().unwrap(), None, 9)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("moved"), "{error}");
    }
}
