//! `key`: agents' public keys, on the database itself, also while the dashboard runs.

use super::Key;
use super::people::with_store;
use crate::base::clock::rfc3339;
use crate::dashboard::config::Settings;
use crate::dashboard::store::Store;
use crate::run::id::HostName;
use crate::wire::key::PublicKey;
use crate::wire::subject::Organization;

pub(super) fn key(settings: &Settings, command: Key) -> anyhow::Result<()> {
    with_store(settings, async |store| match command {
        Key::Add {
            host,
            public_key,
            organization,
        } => add(store, &host, &public_key, &organization).await,
        Key::List => {
            let keys = store.agent_keys().await?;
            let width = keys.iter().map(|key| key.host.as_str().len()).max();
            for key in &keys {
                let organization = match key.organization.as_str() {
                    "" => String::new(),
                    name => format!("  organization {name}"),
                };
                println!(
                    "{:width$}  {}  added {}{organization}",
                    key.host.as_str(),
                    key.key,
                    rfc3339(key.added_at),
                    width = width.unwrap_or(0)
                );
            }
            Ok(())
        }
        Key::Remove { public_key } => {
            anyhow::ensure!(
                store.remove_agent_key(&public_key).await?,
                "there is no key {public_key}; `key list` shows the ones there are"
            );
            Ok(())
        }
    })
}

async fn add(
    store: &Store,
    host: &HostName,
    key: &PublicKey,
    organization: &Organization,
) -> anyhow::Result<()> {
    if store.add_agent_key(key, host, organization).await? {
        return Ok(());
    }
    let known = store.agent_keys().await?;
    let of = known.iter().find(|known| known.key == *key);
    anyhow::bail!(
        "this key is known already, for {}; a key is for one host: make another one there with `nixfleet-agent key create`, or remove this one first",
        of.map_or("another host", |known| known.host.as_str())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_for_one_host() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let (key, none) = (PublicKey::new([3; 32]), Organization::default());
        add(&store, &"web1".parse().unwrap(), &key, &none)
            .await
            .unwrap();
        let error = add(&store, &"web2".parse().unwrap(), &key, &none)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("for web1;"), "{error}");
    }
}
