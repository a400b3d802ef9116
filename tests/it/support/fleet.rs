//! A dashboard and its agents.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::{Answer, Api};
use super::process::{Process, command, wait_until};

/// What agents and dashboard share as their secret.
const TOKEN: &str = "a-token-of-the-tests";

/// A dashboard on a port of its own, in a directory of its own.
pub struct Fleet {
    pub dir: TempDir,
    pub dashboard: Option<Process>,
    pub api: Api,
    port: u16,
}

impl Fleet {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("agent-token"), TOKEN).unwrap();
        let mut fleet = Self {
            dir,
            dashboard: None,
            api: Api::new("", ""),
            port: 0,
        };
        fleet.start_dashboard();
        let output = command("nixfleet-dashboard")
            .args(["--config", fleet.path("dashboard.toml").to_str().unwrap()])
            .args(["token", "create", "tests", "--role", "admin"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .clone_into(&mut fleet.api.token);
        fleet
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the dashboard, again on the port that it had.
    pub fn start_dashboard(&mut self) {
        self.start_dashboard_with(&[]);
    }

    /// The same, with variables of its own.
    pub fn start_dashboard_with(&mut self, variables: &[(&str, &str)]) {
        let config = format!(
            "listen = \"127.0.0.1:{}\"\ndata_dir = \"{}\"\nagent_token_file = \"{}\"\n",
            self.port,
            self.path("dashboard").display(),
            self.path("agent-token").display()
        );
        fs::create_dir_all(self.path("dashboard")).unwrap();
        fs::write(self.path("dashboard.toml"), config).unwrap();
        let mut dashboard = Process::start(
            "dashboard",
            command("nixfleet-dashboard")
                .envs(variables.iter().copied())
                .arg("--config")
                .arg(self.path("dashboard.toml")),
        );
        let line = dashboard.wait_for("listening on http://");
        let base = line
            .split("listening on ")
            .nth(1)
            .unwrap()
            .trim()
            .to_owned();
        self.port = base
            .rsplit(':')
            .next()
            .unwrap()
            .trim_end_matches('/')
            .parse()
            .unwrap();
        let token = self.api.token.clone();
        self.api = Api::new(base.trim_end_matches('/'), &token);
        self.dashboard = Some(dashboard);
    }

    pub fn kill_dashboard(&mut self) {
        self.dashboard.take().unwrap().kill();
    }

    /// Writes an executable script and answers its path.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// An agent's configuration with `more` at its end.
    pub fn agent_config(&self, host: &str, more: &str) -> PathBuf {
        self.agent_config_at(&self.api.base, host, more)
    }

    /// As [`Self::agent_config`], for an agent that reaches the dashboard at another address.
    pub fn agent_config_at(&self, url: &str, host: &str, more: &str) -> PathBuf {
        let path = self.path(&format!("{host}.toml"));
        let text = format!(
            "url = \"{url}\"\ntoken_file = \"{}\"\nhostname = \"{host}\"\ninterval = 1\nstate_dir = \"{}\"\n{more}\n",
            self.path("agent-token").display(),
            self.path(&format!("state-{host}")).display()
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// An agent with that configuration.
    pub fn start_agent(config: &Path) -> Process {
        Process::start(
            "agent",
            command("nixfleet-agent").arg("--config").arg(config),
        )
    }

    /// Starts an agent and waits until the dashboard has it online.
    pub fn agent(&self, host: &str, more: &str) -> Process {
        let agent = Self::start_agent(&self.agent_config(host, more));
        self.wait_online(host);
        agent
    }

    #[track_caller]
    pub fn wait_online(&self, host: &str) {
        wait_until(&format!("{host} to be online"), || {
            let answer = self.api.get(&format!("/api/hosts/{host}"));
            (answer.body["status"] == "online").then_some(())
        });
    }

    pub fn command(&self, host: &str, command: &str) -> Answer {
        self.api.post(
            &format!("/api/hosts/{host}/command"),
            &json!({ "command": command }),
        )
    }

    /// Asks for a run and answers its id.
    #[track_caller]
    pub fn run(&self, host: &str, command: &str) -> String {
        let answer = self.command(host, command);
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.body["command_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a run is over and no output of it is still to come, and answers it.
    #[track_caller]
    pub fn finished(&self, run: &str) -> Value {
        wait_until(&format!("the end of run {run}"), || {
            let body = self.api.get(&format!("/api/runs/{run}")).body;
            Self::is_over(&body).then_some(body)
        })
    }

    /// Whether a run, as the API shows it, is over and no output of it is still to come.
    pub fn is_over(run: &Value) -> bool {
        let state = run["state"].as_str().unwrap();
        let whole =
            run["incomplete"] == false || run["bytes_missing"] != 0 || run["verified"] == false;
        !matches!(state, "queued" | "starting" | "running") && whole
    }

    /// The run's whole output.
    pub fn log(&self, run: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.api
            .download(&format!("/api/runs/{run}/log.txt"), |part| {
                bytes.extend_from_slice(part);
            });
        bytes
    }
}
