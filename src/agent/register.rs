//! The first message on every connection.

use crate::agent::identity::Identity;
use crate::agent::launcher::Offer;
use crate::agent::metrics::Sample;
use crate::base::clock;
use crate::wire::PROTOCOL;
use crate::wire::to_dashboard::{KnownRun, Register};

/// Who the agent is, what it offers, and which runs it still keeps.
pub fn message(
    identity: &Identity,
    offer: Offer,
    sample: &Sample,
    runs: Vec<KnownRun>,
) -> Register {
    let nixpkgs_version = match &sample.generation.nixpkgs_version {
        version if version.is_empty() => identity.labels.nixpkgs_version.clone(),
        version => version.clone(),
    };
    Register {
        hostname: identity.hostname.to_string(),
        host_type: identity.host.host_type.clone(),
        agent_version: crate::base::VERSION.to_owned(),
        os_version: identity.host.os_version.clone(),
        nixpkgs_version,
        generation: sample.generation.generation.clone(),
        heartbeat_interval: identity.interval.as_secs() as u32,
        theme_color: identity.labels.theme_color.clone(),
        location: identity.labels.location.clone(),
        device_type: identity.labels.device_type.clone(),
        repo_url: offer.repo_url,
        repo_dir: offer.repo_dir,
        protocol: Some(PROTOCOL),
        offline_after: identity.offline_after,
        at: Some(clock::now()),
        facts: identity.host.facts.clone(),
        commands: offer.commands,
        organization: Some(identity.organization.to_string()).filter(|name| !name.is_empty()),
        runs,
        once: false,
    }
}

/// A repository's address may carry a user and a token; they are nobody's business.
pub fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest
                .split_once('/')
                .map_or((rest, None), |(a, p)| (a, Some(p)));
            let host = authority
                .rsplit_once('@')
                .map_or(authority, |(_, host)| host);
            match path {
                Some(path) => format!("{scheme}://{host}/{path}"),
                None => format!("{scheme}://{host}"),
            }
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_reported() {
        for (url, expected) in [
            (
                "https://user:t0ken@git.lan/cfg.git",
                "https://git.lan/cfg.git",
            ),
            ("https://git.lan/a@b", "https://git.lan/a@b"),
            ("git@git.lan:cfg.git", "git@git.lan:cfg.git"),
            ("ssh://git@git.lan", "ssh://git.lan"),
        ] {
            assert_eq!(without_password(url), expected);
        }
    }
}
