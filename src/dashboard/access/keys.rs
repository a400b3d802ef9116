//! Agents' keys in memory: whose each is, and which hosts have one. The store is asked for its counter once a second, so a
//! key that another process adds or removes counts within that time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use tokio_util::sync::CancellationToken;

use super::digest::random;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::live::lock;
use crate::dashboard::store::agent_keys::AgentKey;
use crate::dashboard::store::{Store, StoreError};
use crate::run::id::HostName;
use crate::wire::key::{PublicKey, Signed};
use crate::wire::to_dashboard::Proof;

/// Between two looks at the store's counter.
const LOOK: Duration = Duration::from_secs(1);

/// What an agent showed on the upgrade.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The token that agents share: it may speak for every host that has no key.
    Token,
    /// A key that is known; it must still be proven.
    Key(AgentKey),
}

#[derive(Debug, Default)]
struct Known {
    changes: u64,
    by_key: HashMap<PublicKey, AgentKey>,
    /// The hosts that have one.
    hosts: HashSet<HostName>,
    /// Hosts whose keys have changed, and whose connections were not looked at since.
    changed: HashSet<HostName>,
}

/// The keys there are. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct AgentKeys(Arc<Mutex<Known>>);

impl AgentKeys {
    /// Reads them.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        let keys = Self::default();
        keys.refresh(store).await?;
        Ok(keys)
    }

    /// The key, if it is known. One that is not known here may just have been added: the store is asked.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn find(
        &self,
        store: &Store,
        key: &PublicKey,
    ) -> Result<Option<AgentKey>, StoreError> {
        if !self.holds(key) {
            self.refresh(store).await?;
        }
        Ok(lock(&self.0).by_key.get(key).cloned())
    }

    /// Whether the key is known.
    pub fn holds(&self, key: &PublicKey) -> bool {
        lock(&self.0).by_key.contains_key(key)
    }

    /// Whether a host has a key, so that the shared token is no longer enough for it.
    pub fn has(&self, host: &HostName) -> bool {
        lock(&self.0).hosts.contains(host)
    }

    /// The connection that came with this key may stay: it is known, and still for the same host and organization.
    fn allows(&self, key: &AgentKey) -> bool {
        lock(&self.0).by_key.get(&key.key) == Some(key)
    }

    /// Looks whether the keys have changed. Whoever sees it first, the hosts are kept for [`watch`].
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        // First the counter: a change between the two is seen again by the next look.
        let changes = store.agent_key_changes().await?;
        if changes <= lock(&self.0).changes {
            return Ok(());
        }
        let keys = store.agent_keys().await?;
        let mut fresh = Known {
            changes,
            ..Known::default()
        };
        for key in keys {
            fresh.hosts.insert(key.host.clone());
            fresh.by_key.insert(key.key, key);
        }
        let mut known = lock(&self.0);
        if changes <= known.changes {
            // Somebody else has read as much meanwhile, or more.
            return Ok(());
        }
        let gone = |(key, was): (&PublicKey, &AgentKey)| {
            (fresh.by_key.get(key) != Some(was)).then(|| was.host.clone())
        };
        let come = |(key, is): (&PublicKey, &AgentKey)| {
            (!known.by_key.contains_key(key)).then(|| is.host.clone())
        };
        let mut changed: HashSet<HostName> = known.by_key.iter().filter_map(gone).collect();
        changed.extend(fresh.by_key.iter().filter_map(come));
        changed.extend(known.changed.drain());
        fresh.changed = changed;
        *known = fresh;
        Ok(())
    }

    /// The hosts whose connections are to be looked at.
    fn take_changed(&self) -> HashSet<HostName> {
        std::mem::take(&mut lock(&self.0).changed)
    }
}

/// Looks at the store until `stop`, and closes the connections that are no longer allowed: those of removed keys, and
/// those that came with the shared token for a host that has got a key.
pub async fn watch(keys: AgentKeys, store: Store, fleet: Fleet, stop: CancellationToken) {
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        match keys.refresh(&store).await {
            Ok(()) => failing = false,
            // Said once: the store's own failure is in the log already.
            Err(error) if !failing => {
                failing = true;
                tracing::error!("changes of agents' keys are not seen: {error}");
            }
            Err(_) => {}
        }
        for host in keys.take_changed() {
            enforce(&keys, &fleet, &host);
        }
    }
}

/// Closes the host's connection if its credential is none any more.
pub fn enforce(keys: &AgentKeys, fleet: &Fleet, host: &HostName) {
    let Some(peer) = fleet.peer(host) else {
        return;
    };
    match &peer.key {
        Some(key) if !keys.allows(key) => {
            tracing::warn!(%host, "the connection of a removed key is closed");
            peer.close(1008, "the key of this connection was removed");
        }
        None if keys.has(host) => {
            peer.close(
                1008,
                "this host has got a key: the shared token no longer counts",
            );
        }
        _ => {}
    }
}

/// A nonce for one connection.
///
/// # Errors
/// The system has no random numbers.
pub fn nonce() -> anyhow::Result<String> {
    Ok(STANDARD.encode(random::<32>()?))
}

/// Whether `proof` is a signature by `key` over `nonce` and what the proof says.
///
/// # Errors
/// Why not, in words for the agent.
pub fn verify(key: &AgentKey, nonce: &str, proof: &Proof) -> Result<(), String> {
    let signed = Signed {
        nonce,
        dashboard: &proof.dashboard,
        hostname: &proof.hostname,
        at: proof.at,
    };
    let signature = STANDARD
        .decode(&proof.signature)
        .map_err(|_| String::from("the proof's signature is not base64"))?;
    UnparsedPublicKey::new(&ED25519, key.key.bytes())
        .verify(signed.text().as_bytes(), &signature)
        .map_err(|_| String::from("the proof is not this key's signature of this connection"))?;
    if proof.hostname != key.host.as_str() {
        return Err(format!(
            "this key is of another host than {}",
            short(&proof.hostname)
        ));
    }
    Ok(())
}

/// What a closing reason quotes of an agent's own words.
pub fn short(text: &str) -> String {
    text.chars()
        .take(40)
        .flat_map(char::escape_default)
        .take(40)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    #[test]
    fn a_proof_counts_for_its_own_nonce_host_dashboard_and_time_alone() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap();
        let key = AgentKey {
            key: PublicKey::new(pair.public_key().as_ref().try_into().unwrap()),
            host: "web1".parse().unwrap(),
            organization: crate::wire::subject::Organization::default(),
            added_at: 0,
        };
        let signed = Signed {
            nonce: "n1",
            dashboard: "fleet",
            hostname: "web1",
            at: 7,
        };
        let signature = STANDARD.encode(pair.sign(signed.text().as_bytes()));
        let proof = Proof {
            hostname: "web1".into(),
            dashboard: "fleet".into(),
            at: 7,
            signature,
        };
        assert_eq!(verify(&key, "n1", &proof), Ok(()));
        let refused = |nonce: &str, change: &dyn Fn(&mut Proof)| {
            let mut proof = proof.clone();
            change(&mut proof);
            verify(&key, nonce, &proof).unwrap_err()
        };
        for reason in [
            refused("n2", &|_| {}),
            refused("n1", &|proof| proof.hostname = "web2".into()),
            refused("n1", &|proof| proof.dashboard = "evil".into()),
            refused("n1", &|proof| proof.at = 8),
            refused("n1", &|proof| proof.signature = STANDARD.encode([0; 64])),
        ] {
            assert!(reason.contains("not this key's signature"), "{reason}");
        }
        assert!(refused("n1", &|proof| proof.signature = "?".into()).contains("base64"));
        let other = AgentKey {
            host: "web2".parse().unwrap(),
            ..key.clone()
        };
        assert!(
            verify(&other, "n1", &proof)
                .unwrap_err()
                .contains("another host")
        );
    }
}
