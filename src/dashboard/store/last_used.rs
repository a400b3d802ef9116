//! When a token or key was last used: good to know, and nothing that whoever shows it fails or waits for.

use std::time::Duration;

use tokio::time::timeout;

use super::{Store, int};
use crate::base::clock::{Millis, now};
use crate::dashboard::access::digest::Digest;

/// It is written at most once in this time, so that a script's reads do not become writes.
const EVERY: Millis = 60_000;
/// How long a request may wait for it. A store that is stuck or full must hide no host.
const WAIT: Duration = Duration::from_millis(500);

/// Where it is noted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown {
    /// An API token.
    Token,
    /// A key of a host that pushes.
    PushKey,
}

impl Store {
    /// Notes that what has that digest was used, if it was last noted at `last`, long enough ago.
    pub(super) async fn note_use(&self, shown: Shown, digest: &Digest, last: Option<Millis>) {
        let now = now();
        let is_fresh = last.is_some_and(|at| now.saturating_sub(at) < EVERY);
        // While the last write failed, one more would only wait.
        if is_fresh || self.is_failing() {
            return;
        }
        let update = match shown {
            Shown::Token => "UPDATE api_tokens SET last_used_at = ? WHERE token_hash = ?",
            Shown::PushKey => "UPDATE push_keys SET last_used_at = ? WHERE key_hash = ?",
        };
        let writing = sqlx::query(update)
            .bind(int(now))
            .bind(digest.as_slice())
            .execute(&self.writer);
        match timeout(WAIT, writing).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!("when a {shown:?} was used is not noted: {error}"),
            Err(_) => tracing::debug!("when a {shown:?} was used is not noted: the store is busy"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::access::Role;
    use crate::dashboard::access::digest::digest;

    #[tokio::test]
    async fn a_store_that_takes_no_write_refuses_no_token_and_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let (token, key) = (digest("t"), digest("k"));
        store
            .create_token("grafana", Role::Viewer, &token, None)
            .await
            .unwrap();
        store
            .create_push_key(&"web1".parse().unwrap(), &key)
            .await
            .unwrap();
        let held = store.hold_writer().await;
        let asked = async {
            let token = store.token(&token).await.unwrap().unwrap();
            let host = store.push_key(&key).await.unwrap().unwrap();
            (token.last_used_at, host.to_string())
        };
        let known = timeout(Duration::from_secs(5), asked).await.unwrap();
        assert_eq!(known, (None, "web1".to_owned()));
        drop(held);
        store.token(&token).await.unwrap();
        let noted = store.token(&token).await.unwrap().unwrap().last_used_at;
        assert!(noted.is_some());
    }
}
