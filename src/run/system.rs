//! The ground truth of a run: which system a host runs, boots and has set as its profile, before and after.

use serde::{Deserialize, Serialize};

/// What a host's links say at one moment. Every field is empty where the host has no such link (another Linux, macOS).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SystemState {
    /// The kernel's boot id: another one means that the host was rebooted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Store path of the running system (`/run/current-system`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Store path that the system profile (`/nix/var/nix/profiles/system`) points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The system profile's generation number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Whether the kernel, initrd or modules of the running system are not those that were booted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_changed: Option<bool>,
    /// The running system's kernel, by its package: `linux-6.12.9`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The kernel that was booted, as `kernel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booted_kernel: Option<String>,
}

impl SystemState {
    /// Whether the profile's system is the one that runs; none where a link is missing.
    pub fn runs_its_profile(&self) -> Option<bool> {
        Some(self.current.as_ref()? == self.profile.as_ref()?)
    }

    /// Whether the host was booted in between; none where a boot id is missing.
    pub fn rebooted_since(&self, before: &Self) -> Option<bool> {
        Some(self.boot_id.as_ref()? != before.boot_id.as_ref()?)
    }
}

/// The ground truth on both sides of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct GroundTruth<'a> {
    /// When the run's program was started.
    pub before: Option<&'a SystemState>,
    /// When it had ended.
    pub after: Option<&'a SystemState>,
    /// The command line names another profile, specialisation, store path or host, so these links need not follow it.
    pub elsewhere: bool,
}

impl GroundTruth<'_> {
    /// The running system and the profile's, by name, when they are known to differ.
    pub fn running_another(&self) -> Option<(String, String)> {
        let after = self.after.filter(|_| !self.elsewhere)?;
        let (current, profile) = (after.current.as_ref()?, after.profile.as_ref()?);
        (current != profile).then(|| (store_name(current).to_owned(), self.name(profile)))
    }

    /// Whether the system profile was set to another system, as a rebuild does when all is built.
    pub fn profile_changed(&self) -> bool {
        self.changed(|state| state.profile.as_ref())
    }

    /// Whether another system runs.
    pub fn current_changed(&self) -> bool {
        self.changed(|state| state.current.as_ref())
    }

    fn changed<T: PartialEq>(&self, of: impl Fn(&SystemState) -> Option<&T>) -> bool {
        let (Some(before), Some(after)) = (self.before, self.after) else {
            return false;
        };
        !self.elsewhere
            && matches!((of(before), of(after)), (Some(before), Some(after)) if before != after)
    }

    /// What has become of the host, in words; none where its links do not tell.
    pub fn words(&self) -> Option<String> {
        let (before, after) = (self.before?, self.after.filter(|_| !self.elsewhere)?);
        let current = after.current.as_ref()?;
        before.current.as_ref()?;
        let running = self.name(current);
        if self.current_changed() {
            return Some(format!("the running system did change to {running}"));
        }
        match &after.profile {
            // Not "the boot default": that takes the boot loader too.
            Some(profile) if self.profile_changed() && profile != current => Some(format!(
                "{} is set as the system profile but is not running",
                self.name(profile)
            )),
            _ => Some(format!("the host still runs {running}")),
        }
    }

    /// `generation 42` where the number is known, else the store path's name.
    pub fn name(&self, path: &str) -> String {
        [self.after, self.before]
            .into_iter()
            .flatten()
            .find(|state| state.profile.as_deref() == Some(path))
            .and_then(|state| state.generation)
            .map_or_else(
                || store_name(path).to_owned(),
                |number| format!("generation {number}"),
            )
    }
}

/// A store path without its directory.
fn store_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Options of nixos-rebuild (bash and Python) and darwin-rebuild with which it acts on something else than the host's own
/// profile. `-p` and `-c`, which may have their value in the same argument, are looked for apart.
const ELSEWHERE: &[&str] = &[
    "--profile-name",
    "--specialisation",
    "--target-host",
    "--store-path",
];

/// Whether these arguments make a rebuild act on another profile, specialisation, store path or host. An argument that is
/// JSON (a command of several steps) is looked into.
pub fn acts_elsewhere<'a>(argv: impl IntoIterator<Item = &'a String>) -> bool {
    argv.into_iter().any(|arg| {
        if arg.starts_with('[') {
            return serde_json::from_str(arg).is_ok_and(|value| any_string(&value, &is_elsewhere));
        }
        is_elsewhere(arg)
    })
}

fn is_elsewhere(arg: &str) -> bool {
    let option = arg.split('=').next().unwrap_or(arg);
    let short = !arg.starts_with("--") && (arg.starts_with("-p") || arg.starts_with("-c"));
    short || ELSEWHERE.contains(&option)
}

fn any_string(value: &serde_json::Value, is: &impl Fn(&str) -> bool) -> bool {
    match value {
        serde_json::Value::String(text) => is(text),
        serde_json::Value::Array(values) => values.iter().any(|value| any_string(value, is)),
        serde_json::Value::Object(map) => map.values().any(|value| any_string(value, is)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(argv: &[&str], expected: bool) {
        let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
        assert_eq!(acts_elsewhere(&argv), expected, "{argv:?}");
    }

    #[test]
    fn arguments_that_name_something_else() {
        check(&["nixos-rebuild", "switch", "--flake", "/etc/nixos"], false);
        check(&["nixos-rebuild", "switch", "--rollback"], false);
        for other in [
            "--target-host=root@b",
            "--target-host",
            "-p",
            "-ptest",
            "-c",
            "--specialisation",
            "--profile-name=x",
            "--store-path",
        ] {
            check(&["nixos-rebuild", "switch", other], true);
        }
        let steps = |arg: &str| {
            format!(
                r#"[{{"pull":{{}}}},{{"run":{{"argv":["nixos-rebuild","{arg}"],"cwd":null}}}}]"#
            )
        };
        check(&["agent", "steps", &steps("switch")], false);
        check(&["agent", "steps", &steps("--target-host")], true);
        check(&["agent", "steps", "[no json"], false);
    }

    #[test]
    fn a_reboot_is_another_boot_id() {
        let state = |id: Option<&str>| SystemState {
            boot_id: id.map(str::to_owned),
            ..SystemState::default()
        };
        let check = |before, after, expected| {
            assert_eq!(state(after).rebooted_since(&state(before)), expected);
        };
        check(Some("a"), Some("a"), Some(false));
        check(Some("a"), Some("b"), Some(true));
        check(None, Some("b"), None);
        check(Some("a"), None, None);
    }
}
