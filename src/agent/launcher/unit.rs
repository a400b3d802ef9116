//! A run as a unit of systemd: `systemd-run --no-block` makes a transient service that belongs to nobody but systemd. No
//! switch stops or restarts it: switch-to-configuration knows only units in `/etc/systemd/system`.
//!
//! Never `--scope`, `--pipe` or `--wait`: they tie the unit to whoever asked for it. Its exit status is never asked for; the
//! journal tells how the run ended, and the lock in the run's directory whether its supervisor lives.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::agent::commands::programs::Programs;
use crate::agent::config::Limits;
use crate::agent::environment;
use crate::run::id::{CommandName, RunId};

/// How long systemd may take to queue a unit.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often is asked whether it has.
const LOOK: Duration = Duration::from_millis(5);
/// The longest text of an error that is passed on, in characters.
const MAX_SAID: usize = 400;
/// What a run's program gets of this process's environment. A unit starts with next to none, and nothing secret may go into
/// the request, which the agent can read. `NIX_CONFIG` is not here: it may hold access tokens.
const PASSED: [&str; 22] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "TZDIR",
    "TMPDIR",
    "NIX_PATH",
    "NIX_REMOTE",
    "NIX_SSL_CERT_FILE",
    "NIX_CONF_DIR",
    "NIX_USER_CONF_FILES",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LOCALE_ARCHIVE",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
];

/// The variables of [`PASSED`] that are set. A proxy's address with a password in it is left out.
pub fn passed(variable: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    PASSED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), variable(name)?)))
        .filter(|(name, value)| !name.ends_with("_proxy") || !value.contains('@'))
        .collect()
}

/// The systemd that makes units for this process.
#[derive(Debug)]
pub struct Systemd {
    /// The program; none where it is not on PATH.
    systemd_run: Option<PathBuf>,
    /// The user's own one, not the system's.
    user: bool,
}

/// What a unit is made of.
#[derive(Debug)]
pub struct Unit<'a> {
    /// The run.
    pub run: RunId,
    /// Its command, for people who look at units.
    pub command: &'a CommandName,
    /// The supervisor's program and arguments.
    pub supervisor: Vec<OsString>,
    /// Where its standard error goes.
    pub log: &'a Path,
    /// Seconds between the steps of a stop.
    pub grace_s: u64,
    /// Seconds until the supervisor itself stops the run.
    pub timeout_s: Option<u64>,
    /// Whether it may activate a configuration.
    pub activates: bool,
    /// What it may use.
    pub limits: &'a Limits,
}

impl Systemd {
    /// The system's for root, the user's own for a user who has one; none where systemd does not run.
    pub fn find() -> Option<Self> {
        let user = !nix::unistd::geteuid().is_root();
        let there = if user {
            std::env::var_os("XDG_RUNTIME_DIR")
                .is_some_and(|dir| Path::new(&dir).join("systemd/private").exists())
        } else {
            Path::new("/run/systemd/system").is_dir()
        };
        let systemd_run = Programs::of_process()
            .find("systemd-run")
            .map(PathBuf::from);
        there.then_some(Self { systemd_run, user })
    }

    /// Whose units they are, for a sentence.
    pub fn whose(&self) -> &'static str {
        if self.user { " of this user" } else { "" }
    }

    /// Has the unit started. That it comes up is seen by its lock.
    ///
    /// # Errors
    /// What systemd-run says.
    pub fn start(&self, unit: &Unit<'_>) -> anyhow::Result<()> {
        // A session of its own instead would end with the service that started it, in the middle of a switch.
        let Some(systemd_run) = &self.systemd_run else {
            bail!(
                "systemd runs here, but systemd-run is not on PATH; add systemd's programs to the PATH of the service that starts runs"
            );
        };
        let mut child = Command::new(systemd_run)
            .args(self.arguments(unit))
            .current_dir("/")
            .env_remove(environment::TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{}: cannot be started", systemd_run.display()))?;
        let deadline = Instant::now() + DEADLINE;
        while child.try_wait()?.is_none() {
            if Instant::now() >= deadline {
                let _ = child.kill();
                let _ = child.wait();
                bail!(
                    "systemd did not queue the run's unit within {} s",
                    DEADLINE.as_secs()
                );
            }
            std::thread::sleep(LOOK);
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&output.stderr)
            .trim()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MAX_SAID)
            .collect();
        bail!("systemd does not start the run's unit: {said}");
    }

    fn arguments(&self, unit: &Unit<'_>) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        if self.user {
            arguments.push("--user".into());
        }
        arguments
            .extend(["--no-block", "--quiet", "--collect", "--service-type=exec"].map(Into::into));
        arguments.push(format!("--unit=nixfleet-run-{}", unit.run).into());
        arguments
            .push(format!("--description=NixFleet run {} ({})", unit.run, unit.command).into());
        let stop = 3 * unit.grace_s + 15;
        let limits = unit.limits;
        let number = |name: &str, value: Option<u32>| value.map(|value| format!("{name}={value}"));
        let text = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{name}={value}"))
        };
        let properties = [
            // A stop, at shutdown say, is the supervisor's to carry out; what is left after it is killed.
            Some("KillMode=mixed".to_owned()),
            Some(format!("TimeoutStopSec={stop}")),
            // The supervisor keeps the limit; this is for one that hangs. It would also end an activation half-way, which
            // the supervisor does not for any limit: such runs have no second one.
            unit.timeout_s
                .filter(|_| !unit.activates)
                .map(|limit| format!("RuntimeMaxSec={}", limit + 3 * unit.grace_s + 60)),
            Some("OOMPolicy=continue".to_owned()),
            Some("StandardInput=null".to_owned()),
            Some("StandardOutput=null".to_owned()),
            Some(format!("StandardError=append:{}", unit.log.display())),
            text("MemoryMax", &limits.memory_max),
            text("MemoryHigh", &limits.memory_high),
            number("TasksMax", limits.tasks_max),
            number("CPUWeight", limits.cpu_weight),
            number("IOWeight", limits.io_weight),
            number("Nice", limits.nice),
        ];
        for property in properties.into_iter().flatten() {
            arguments.push(format!("--property={property}").into());
        }
        arguments.push("--".into());
        arguments.extend(unit.supervisor.iter().map(literal));
        arguments
    }
}

/// systemd replaces variables in what a unit executes; a doubled dollar is one.
fn literal(part: &OsString) -> OsString {
    match part.to_str() {
        Some(text) if text.contains('$') => text.replace('$', "$$").into(),
        _ => part.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_belongs_to_nobody_but_systemd() {
        let run: RunId = "0199a3f0-7a5c-7d3e-8b1f-2f6c9e4d5a10".parse().unwrap();
        let command = "switch".parse().unwrap();
        let limits = Limits {
            memory_max: Some("4G".into()),
            tasks_max: Some(5000),
            nice: Some(5),
            ..Limits::default()
        };
        let mut unit = Unit {
            run,
            command: &command,
            supervisor: vec!["/agent".into(), "supervise".into(), "/a$b".into()],
            log: Path::new("/s/supervisor.log"),
            grace_s: 10,
            timeout_s: Some(600),
            activates: false,
            limits: &limits,
        };
        let systemd = Systemd {
            systemd_run: None,
            user: false,
        };
        let error = systemd.start(&unit).unwrap_err().to_string();
        assert!(error.contains("systemd-run is not on PATH"), "{error}");
        let shown = |unit: &Unit<'_>| -> Vec<String> {
            let arguments = systemd.arguments(unit).into_iter();
            arguments.map(|part| part.into_string().unwrap()).collect()
        };
        let arguments = shown(&unit);
        let expected = [
            "--no-block",
            "--quiet",
            "--collect",
            "--service-type=exec",
            "--unit=nixfleet-run-0199a3f0-7a5c-7d3e-8b1f-2f6c9e4d5a10",
            "--description=NixFleet run 0199a3f0-7a5c-7d3e-8b1f-2f6c9e4d5a10 (switch)",
            "--property=KillMode=mixed",
            "--property=TimeoutStopSec=45",
            "--property=RuntimeMaxSec=690",
            "--property=OOMPolicy=continue",
            "--property=StandardInput=null",
            "--property=StandardOutput=null",
            "--property=StandardError=append:/s/supervisor.log",
            "--property=MemoryMax=4G",
            "--property=TasksMax=5000",
            "--property=Nice=5",
            "--",
            "/agent",
            "supervise",
            "/a$$b",
        ];
        assert_eq!(arguments, expected);
        unit.activates = true;
        let without: Vec<&str> = expected
            .into_iter()
            .filter(|part| !part.contains("RuntimeMaxSec"))
            .collect();
        assert_eq!(shown(&unit), without, "an activation is never cut");
    }

    #[test]
    fn no_secret_is_passed_on() {
        let value = |name: &str| match name {
            "PATH" => Some("/bin".to_owned()),
            "https_proxy" => Some("http://user:secret@proxy:3128".to_owned()),
            "http_proxy" => Some("http://proxy:3128".to_owned()),
            "NIXFLEET_TOKEN" | "NIX_CONFIG" => Some("secret".to_owned()),
            _ => None,
        };
        let expected = [("PATH", "/bin"), ("http_proxy", "http://proxy:3128")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(passed(value), expected);
    }
}
