//! The agent's process, its configuration and its state.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpListener;

/// The program.
pub const AGENT: &str = env!("CARGO_BIN_EXE_nixfleet-agent");

/// An agent's configuration and state, and its process while it runs. Nothing is left behind.
pub struct Agent {
    pub dir: tempfile::TempDir,
    pub process: Option<Child>,
}

impl Agent {
    pub fn new(listener: &TcpListener, commands: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "s3cret\n").unwrap();
        let text = format!(
            "url = \"http://{}\"\ntoken_file = \"{}\"\nhostname = \"web1\"\ninterval = 1\nstate_dir = \"{}\"\n\
             [metrics]\nstasysmo_paths = [\"{}\"]\n[stop]\ngrace = 1\n{commands}",
            listener.local_addr().unwrap(),
            dir.path().join("token").display(),
            dir.path().join("state").display(),
            dir.path().join("stasysmo").display(),
        );
        std::fs::write(dir.path().join("agent.toml"), text).unwrap();
        Self { dir, process: None }
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("agent.toml")
    }

    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// As [`start`](Self::start), with further variables.
    pub fn start_with(&mut self, variables: &[(&str, &str)]) {
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let process = Command::new(AGENT)
            .arg("--config")
            .arg(self.config())
            .env("NIXFLEET_TOKEN", "t0psecret")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// The most memory that the process has had, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.as_ref().unwrap().id());
        let text = std::fs::read_to_string(status).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        // Supervisors outlive the agent by design; those of this test end with it.
        let runs = self.dir.path().join("state/runs");
        for run in std::fs::read_dir(runs).into_iter().flatten().flatten() {
            if let Ok(dir) = nixfleet::agent::run_dir::RunDir::open(&run.path()) {
                let _ = dir.request_stop("the test's end", true);
            }
        }
    }
}
