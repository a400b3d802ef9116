//! What a host says anew, against what it said before.

use super::log::News;
use crate::wire::api::HostEventKind;
use crate::wire::to_dashboard::Register;

/// What is new about a host that registers.
pub(super) fn registered(before: Option<&Register>, now: &Register) -> Vec<News> {
    let Some(before) = before else {
        let detail = format!("agent {}", now.agent_version);
        return vec![News::new(HostEventKind::Registered, detail)];
    };
    let mut news = Vec::new();
    let boot = |register: &Register| register.facts.as_ref()?.boot_id.clone();
    if let (Some(old), Some(new)) = (boot(before), boot(now))
        && old != new
    {
        let kernel = |register: &Register| {
            let facts = register.facts.as_ref();
            facts.map_or_else(String::new, |facts| facts.kernel.clone())
        };
        let (old, new) = (kernel(before), kernel(now));
        let detail = if new.is_empty() {
            String::new()
        } else if old == new || old.is_empty() {
            format!("kernel {new}")
        } else {
            format!("kernel {old} -> {new}")
        };
        news.push(News::new(HostEventKind::Reboot, detail));
    }
    if before.agent_version != now.agent_version {
        let detail = format!("{} -> {}", before.agent_version, now.agent_version);
        news.push(News::new(HostEventKind::AgentVersion, detail));
    }
    news
}

/// What is new about a host that ran the system `before` and says that it runs `now`.
pub(super) fn runs(before: &str, now: &str) -> Option<News> {
    if before.is_empty() || now.is_empty() || before == now {
        return None;
    }
    let name = |generation: &str| {
        let path = generation.strip_prefix("/nix/store/");
        path.unwrap_or(generation).to_owned()
    };
    let detail = format!("{} -> {}", name(before), name(now));
    Some(News::new(HostEventKind::Generation, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::resources::HostFacts;

    fn register(version: &str, boot: Option<&str>, kernel: &str) -> Register {
        Register {
            agent_version: version.into(),
            facts: boot.map(|boot| HostFacts {
                boot_id: Some(boot.into()),
                kernel: kernel.into(),
                ..HostFacts::default()
            }),
            ..Register::default()
        }
    }

    #[track_caller]
    fn check(before: Option<&Register>, now: &Register, expected: &[(HostEventKind, &str)]) {
        let found = registered(before, now);
        let found: Vec<_> = found
            .iter()
            .map(|news| (news.kind, news.detail.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_host_says_anew() {
        use HostEventKind::{AgentVersion, Reboot, Registered};
        let old = register("1", Some("a"), "6.1");
        check(None, &old, &[(Registered, "agent 1")]);
        check(Some(&old), &old, &[]);
        let booted = register("1", Some("b"), "6.1");
        check(Some(&old), &booted, &[(Reboot, "kernel 6.1")]);
        let both = register("2", Some("b"), "6.6");
        let expected = [(Reboot, "kernel 6.1 -> 6.6"), (AgentVersion, "1 -> 2")];
        check(Some(&old), &both, &expected);
        // An agent that does not say is no reboot, in either order.
        let silent = register("1", None, "");
        check(Some(&old), &silent, &[]);
        check(Some(&silent), &old, &[]);
        check(Some(&old), &register("1", Some("b"), ""), &[(Reboot, "")]);
    }

    #[test]
    fn another_system() {
        let told = runs("/nix/store/aaa-nixos-25.05", "/nix/store/bbb-nixos-25.11").unwrap();
        assert_eq!(told.detail, "aaa-nixos-25.05 -> bbb-nixos-25.11");
        assert_eq!(runs("a", "a"), None);
        assert_eq!(runs("", "a"), None);
        assert_eq!(runs("a", ""), None);
    }
}
