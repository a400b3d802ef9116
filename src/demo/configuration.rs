//! The demo's configuration files and secrets, in its data directory.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::ROLE_DASHBOARD;
use super::host::{DemoHost, HOST};

/// Seconds between the demo agent's heartbeats: fast enough to be seen.
const INTERVAL: u32 = 1;

/// Paths of the demo's files.
#[derive(Debug)]
pub struct Configuration {
    dir: PathBuf,
}

impl Configuration {
    /// Writes the dashboard's configuration and the agents' token into `dir`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(dir: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        let configuration = Self {
            dir: dir.to_owned(),
        };
        fs::create_dir_all(dir.join("dashboard"))
            .with_context(|| format!("cannot make {}", dir.join("dashboard").display()))?;
        let token = configuration.path("agent-token");
        if !token.exists() {
            write_secret(&token, &format!("{0}{0}", uuid::Uuid::new_v4().simple()))?;
        }
        let mut table = toml::Table::new();
        table.insert("listen".into(), listen.to_string().into());
        table.insert("data_dir".into(), configuration.text("dashboard")?.into());
        table.insert(
            "agent_token_file".into(),
            configuration.text("agent-token")?.into(),
        );
        fs::write(configuration.dashboard(), toml::to_string(&table)?)
            .context("cannot write dashboard.toml")?;
        Ok(configuration)
    }

    /// Writes the agent's configuration, once the dashboard's address is known.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_agent(&self, url: &str, host: &DemoHost) -> anyhow::Result<()> {
        let program = host.rebuild_program();
        let program = program
            .to_str()
            .context("the demo host's path is not UTF-8")?;
        let mut table = toml::Table::new();
        table.insert("url".into(), url.into());
        table.insert("token_file".into(), self.text("agent-token")?.into());
        table.insert("hostname".into(), HOST.into());
        table.insert("interval".into(), i64::from(INTERVAL).into());
        table.insert("state_dir".into(), self.text("agent")?.into());
        table.insert("device_type".into(), "demo".into());
        // The demo rebuilds its own host; it must never reboot this machine or touch its system.
        let allowed = ["switch", "boot", "try", "dry-activate", "build"];
        table.insert("allowed_commands".into(), allowed.to_vec().into());
        let mut rebuild = toml::Table::new();
        rebuild.insert("tool".into(), "nixos-rebuild".into());
        rebuild.insert("program".into(), program.into());
        rebuild.insert("flake".into(), host.flake().into());
        // With the builders' own output, so that there is something to read.
        // Its own profile: what this machine runs says nothing about the demo host.
        let args = vec!["--print-build-logs", "--profile-name", "demo"];
        rebuild.insert("args".into(), args.into());
        table.insert("rebuild".into(), rebuild.into());
        fs::write(self.agent(), toml::to_string(&table)?).context("cannot write agent.toml")
    }

    /// An API token for the demo's own reader and for the command line, kept in `api-token`.
    ///
    /// # Errors
    /// The dashboard does not make one.
    pub fn api_token(&self) -> anyhow::Result<String> {
        let path = self.path("api-token");
        if let Ok(token) = fs::read_to_string(&path) {
            return Ok(token.trim().to_owned());
        }
        let program = std::env::current_exe().context("cannot tell the path of this program")?;
        let mut command = Command::new(program);
        without_settings(&mut command);
        let output = command
            .arg(ROLE_DASHBOARD)
            .arg("--config")
            .arg(self.dashboard())
            .args(["token", "create", "demo", "--role", "operator"])
            .stdin(Stdio::null())
            .output()
            .context("cannot start the dashboard's `token create`")?;
        anyhow::ensure!(
            output.status.success(),
            "`token create` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let token = String::from_utf8(output.stdout)?.trim().to_owned();
        write_secret(&path, &token)?;
        Ok(token)
    }

    /// The dashboard's configuration file.
    pub fn dashboard(&self) -> PathBuf {
        self.path("dashboard.toml")
    }

    /// The agent's configuration file.
    pub fn agent(&self) -> PathBuf {
        self.path("agent.toml")
    }

    /// The path of `name` in the data directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn text(&self, name: &str) -> anyhow::Result<String> {
        let path = self.path(name);
        path.to_str().map(str::to_owned).with_context(|| {
            format!(
                "the path {} is not UTF-8; choose another --data-dir",
                path.display()
            )
        })
    }
}

/// Takes the variables of a real fleet away: the environment counts more than a file, and the demo must not reach one.
pub fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NIXFLEET_") {
            command.env_remove(name);
        }
    }
}

fn write_secret(path: &Path, secret: &str) -> anyhow::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| writeln!(file, "{secret}"))
        .with_context(|| format!("cannot write {}", path.display()))
}
