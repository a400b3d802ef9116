//! `push-key`: who may push heartbeats; on the database itself, also while the dashboard runs.

use super::PushKey;
use super::people::with_store;
use crate::base::clock::rfc3339;
use crate::base::secret::Secret;
use crate::dashboard::access::digest::{digest, new_token};
use crate::dashboard::config::Settings;
use crate::dashboard::store::Store;
use crate::run::id::HostName;

/// What a key looks like at its start, for people and for secret scanners.
const PREFIX: &str = "nfk_";

pub(super) fn push_key(settings: &Settings, command: PushKey) -> anyhow::Result<()> {
    with_store(settings, async |store| match command {
        PushKey::Create { host } => {
            println!("{}", create(store, &host).await?.expose());
            Ok(())
        }
        PushKey::List => list(store).await,
        PushKey::Revoke { host } => {
            anyhow::ensure!(
                store.revoke_push_keys(&host).await? > 0,
                "{host} has no key; `push-key list` shows the hosts that have one"
            );
            Ok(())
        }
    })
}

/// Makes a key; only its digest is kept.
async fn create(store: &Store, host: &HostName) -> anyhow::Result<Secret> {
    let key = new_token(PREFIX)?;
    store.create_push_key(host, &digest(&key)).await?;
    Ok(Secret::new(key))
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let keys = store.push_keys().await?;
    let width = keys.iter().map(|key| key.host.as_str().len()).max();
    let width = width.unwrap_or(0);
    for key in keys {
        let used = key.last_used_at.map_or_else(
            || String::from("never used"),
            |at| format!("last used {}", rfc3339(at)),
        );
        let created = rfc3339(key.created_at);
        println!("{:width$}  created {created}  {used}", key.host.as_str());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_shown_once_and_known_by_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let host = "web1".parse().unwrap();
        let key = create(&store, &host).await.unwrap();
        assert!(key.expose().starts_with("nfk_") && key.expose().len() == 47);
        let found = store.push_key(&digest(key.expose())).await.unwrap();
        assert_eq!(found, Some(host));
    }
}
