//! What goes when it is old or when the store is large: in small transactions, so that no commit of new output waits.
//!
//! The space of what is gone stays in the file and is used again before the file grows. A file that has once been large is
//! made small by a backup that is copied into its place.

use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, int};
use crate::base::clock::Millis;
use crate::run::id::RunId;

/// Chunks that one transaction removes: at most 16 MiB of output, as it was before it was packed.
const CHUNKS: i64 = 64;
/// Events that one transaction removes.
const EVENTS: i64 = 10_000;
/// Runs that are over. A run that goes on is never touched, nor one that has ended while its output is still on its way.
pub(super) const OVER: &str = "view ->> 'state' NOT IN ('queued', 'starting', 'running')";
/// What is said in place of output that went because the store was too large.
const REASON: &str = "removed by the dashboard, which keeps its store below max_store_gb";

impl Store {
    /// Removes one finished run, with its output, that was asked for before `before`; events and build
    /// times of before then go too. Answers
    /// whether there was one; call it again until there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn remove_old(&self, before: Millis) -> Result<bool, StoreError> {
        let sql =
            format!("SELECT id FROM runs WHERE created_at < ?1 AND {OVER} ORDER BY id LIMIT 1");
        let found = sqlx::query(&sql)
            .bind(int(before))
            .fetch_optional(&self.readers)
            .await?;
        let Some(found) = found else {
            while self.remove_events("events", before).await? {}
            while self.remove_events("host_events", before).await? {}
            while self.remove_build_times(before).await? {}
            while self.remove_alerts(before).await? {}
            return Ok(false);
        };
        let run: String = found.try_get(0)?;
        while self.shorten_build_logs(&run).await? {}
        while self.shorten(&run).await? {}
        sqlx::query(&format!("DELETE FROM runs WHERE id = ?1 AND {OVER}"))
            .bind(&run)
            .execute(&self.writer)
            .await?;
        Ok(true)
    }

    async fn remove_events(&self, table: &str, before: Millis) -> Result<bool, StoreError> {
        let sql = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE at < ?1 ORDER BY id LIMIT ?2)"
        );
        let done = sqlx::query(&sql)
            .bind(int(before))
            .bind(EVENTS)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes the output of the oldest finished run that has any, and leaves the run itself, and a gap that says why.
    /// Answers which run; none when no output is left but that of runs that go on.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn remove_oldest_output(&self) -> Result<Option<RunId>, StoreError> {
        let sql = format!(
            "SELECT id FROM runs WHERE {OVER}
             AND (EXISTS (SELECT 1 FROM output WHERE run_id = runs.id AND gap IS NULL)
                  OR EXISTS (SELECT 1 FROM build_logs WHERE run_id = runs.id)) ORDER BY id LIMIT 1"
        );
        let Some(found) = sqlx::query(&sql).fetch_optional(&self.readers).await? else {
            return Ok(None);
        };
        let run: String = found.try_get(0)?;
        while self.shorten_build_logs(&run).await? {}
        while self.shorten(&run).await? {}
        Ok(run.parse().ok())
    }

    /// Makes the oldest chunks of `run` one gap. Answers whether anything but that gap is left.
    async fn shorten(&self, run: &str) -> Result<bool, StoreError> {
        let mut write = self.writer.begin().await?;
        let more = gather(&mut write, run).await?;
        write.commit().await?;
        Ok(more)
    }
}

/// One step of [`Store::shorten`]. The chunks of a run follow each other without a hole after each one.
async fn gather(write: &mut SqliteConnection, run: &str) -> Result<bool, StoreError> {
    let is_over = format!("SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND {OVER})");
    // A run that was taken for lost may live again since it was chosen.
    if !sqlx::query_scalar(&is_over)
        .bind(run)
        .fetch_one(&mut *write)
        .await?
    {
        return Ok(false);
    }
    let row = sqlx::query(
        "SELECT count(*) AS n, count(*) FILTER (WHERE gap IS NULL) AS full, max(offset_bytes) AS last,
                max(offset_bytes + n_bytes) AS bytes, sum(n_lines) AS lines, max(at) AS at
         FROM (SELECT * FROM output WHERE run_id = ?1 ORDER BY offset_bytes LIMIT ?2)",
    )
    .bind(run)
    .bind(CHUNKS)
    .fetch_one(&mut *write)
    .await?;
    let n: i64 = row.try_get("n")?;
    if n == 0 || (n == 1 && row.try_get::<i64, _>("full")? == 0) {
        return Ok(false);
    }
    let last: i64 = row.try_get("last")?;
    sqlx::query("DELETE FROM output WHERE run_id = ?1 AND offset_bytes <= ?2")
        .bind(run)
        .bind(last)
        .execute(&mut *write)
        .await?;
    let bytes: i64 = row.try_get("bytes")?;
    sqlx::query(
        "INSERT INTO output (run_id, offset_bytes, n_bytes, first_line, n_lines, line_start, tail_visible, at, gap, marks, bytes)
         VALUES (?1, 0, ?2, 1, ?3, 0, ?2, ?4, ?5, x'', x'')",
    )
    .bind(run)
    .bind(bytes)
    .bind(row.try_get::<i64, _>("lines")?)
    .bind(row.try_get::<i64, _>("at")?)
    .bind(REASON)
    .execute(&mut *write)
    .await?;
    // What is not here any more is not said to be verified.
    sqlx::query(
        "UPDATE runs SET view = json_set(view, '$.bytes_missing', max(view ->> 'bytes_missing', ?2)),
                notes = json_set(notes, '$.verified', NULL, '$.crc32c', NULL) WHERE id = ?1",
    )
    .bind(run)
    .bind(bytes)
    .execute(&mut *write)
    .await?;
    let left: i64 = sqlx::query("SELECT count(*) FROM output WHERE run_id = ?1")
        .bind(run)
        .fetch_one(&mut *write)
        .await?
        .try_get(0)?;
    Ok(left > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::store::check::Level;
    use crate::dashboard::store::sample::{change, run, store, whole};
    use crate::run::phase::RunState::{Failed, Running, Succeeded};

    async fn is_whole(store: &Store) {
        let findings = store.doctor().await;
        let bad = findings
            .iter()
            .filter(|finding| finding.level == Level::Error);
        assert_eq!(bad.collect::<Vec<_>>(), Vec::<&_>::new());
    }

    #[tokio::test]
    async fn what_is_old_and_over_goes_with_its_output_and_nothing_else() {
        let (_dir, store) = store().await;
        let pieces: Vec<Vec<u8>> = (0..200)
            .map(|n| format!("line {n}\n").into_bytes())
            .collect();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let old = run(&store, Succeeded, 5, &pieces).await;
        let going = run(&store, Running, 5, &[b"a\n"]).await;
        let young = run(&store, Failed, 10, &[b"b\n"]).await;
        // Ended on its host, while its output is on its way.
        let ending = run(&store, Running, 5, &[b"c\n"]).await;
        change(
            &store,
            &format!("UPDATE runs SET state = 'failed' WHERE id = '{ending}'"),
        )
        .await;
        for at in [4, 5, 10, 11] {
            change(&store, &format!("INSERT INTO events (at, kind, hostname, what) VALUES ({at}, 'host', 'web1', 'online')")).await;
            change(&store, &format!("INSERT INTO host_events (hostname, at, kind, flap, detail) VALUES ('web1', {at}, 'online', 0, '')")).await;
        }
        let times = "INSERT INTO build_times VALUES ('web1', '', 'a', 9, '[5]'), ('web1', '', 'b', 10, '[5]')";
        change(&store, times).await;
        assert!(store.remove_old(10).await.unwrap());
        assert!(!store.remove_old(10).await.unwrap());
        assert_eq!(store.run(old).await.unwrap(), None);
        for kept in [going, young, ending] {
            assert!(store.run(kept).await.unwrap().is_some());
            assert_eq!(whole(&store, kept).await.0.len(), 2);
        }
        let times = store.build_times().await.unwrap();
        assert_eq!((times.len(), &*times[0].name), (1, "b"));
        assert_eq!(store.events_after(0, None, 9).await.unwrap().len(), 2);
        let of_host = store.host_events(&"web1".parse().unwrap(), None, 9).await;
        assert_eq!(of_host.unwrap().len(), 2);
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM output")
            .fetch_one(&store.readers)
            .await
            .unwrap();
        assert_eq!(left, 3);
    }

    #[tokio::test]
    async fn the_oldest_output_goes_first_and_says_so() {
        let (_dir, store) = store().await;
        let noise: Vec<u8> = (0..100_000_u32)
            .flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes())
            .collect();
        let pieces: Vec<&[u8]> = noise.chunks(4000).collect();
        let first = run(&store, Running, 1, &pieces).await;
        let second = run(&store, Succeeded, 2, &pieces).await;
        let third = run(&store, Failed, 3, &[b"one\ntw", b"o\nthree\n"]).await;
        let before = store.used().await.unwrap();
        assert_eq!(store.remove_oldest_output().await.unwrap(), Some(second));
        assert!(store.used().await.unwrap() + 300_000 < before);
        let length = noise.len() as u64;
        assert_eq!(whole(&store, second).await, (Vec::new(), length));
        let kept = store.run(second).await.unwrap().unwrap();
        assert_eq!(kept.view.bytes, length, "the run itself stays");
        assert_eq!(
            (kept.view.bytes_missing, kept.notes.verified),
            (length, None)
        );
        assert!(kept.is_incomplete());
        let lines = store.read_lines(second, 1, 10).await.unwrap();
        let said = String::from_utf8_lossy(&lines.lines[0].raw).into_owned();
        assert!(
            lines.lines.len() == 1 && said.contains("max_store_gb"),
            "{said}"
        );
        is_whole(&store).await;
        assert_eq!(store.remove_oldest_output().await.unwrap(), Some(third));
        assert_eq!(store.remove_oldest_output().await.unwrap(), None);
        assert_eq!(
            whole(&store, first).await.0,
            noise,
            "a run that goes on keeps all"
        );
        assert_eq!(store.read_lines(third, 1, 10).await.unwrap().next, 4);
        is_whole(&store).await;
    }

    #[tokio::test]
    async fn a_long_run_stays_readable_while_it_is_shortened() {
        let (_dir, store) = store().await;
        let pieces: Vec<Vec<u8>> = (0..150)
            .map(|n| format!("line {n}\nhalf ").into_bytes())
            .collect();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let run = run(&store, Succeeded, 1, &pieces).await;
        let (all, length) = whole(&store, run).await;
        let id = run.to_string();
        assert!(store.shorten(&id).await.unwrap());
        let (left, same) = whole(&store, run).await;
        assert!(all.ends_with(&left) && !left.is_empty() && same == length);
        let lines = store.read_lines(run, 1, 500).await.unwrap();
        assert_eq!((lines.lines.len(), lines.next), (1 + 150 - 64, 151));
        is_whole(&store).await;
        assert!(store.shorten(&id).await.unwrap());
        assert!(!store.shorten(&id).await.unwrap());
        assert_eq!(whole(&store, run).await, (Vec::new(), length));
        is_whole(&store).await;
    }
}
