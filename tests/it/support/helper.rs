//! A root helper and an agent that is nobody, on a fleet of their own.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::geteuid;

use super::Fleet;
use super::process::{Process, program};

/// The agent's user and group.
pub const NOBODY: u32 = 65534;
/// Another user, who has no business here.
pub const OTHER: u32 = 1;

/// Whether this process may become other users. Says so aloud where it may not.
pub fn can_change_users(test: &str) -> bool {
    if geteuid().is_root() {
        return true;
    }
    println!("skipped: {test}: changing users needs root");
    false
}

/// A helper's file, socket and process, beside the dashboard.
pub struct Privileged {
    pub fleet: Fleet,
    pub helper: Option<Process>,
}

impl Privileged {
    /// A dashboard, and a helper's file with `commands` at its end. Neither helper nor agent is started.
    pub fn prepare(commands: &str) -> Self {
        let fleet = Fleet::start();
        // Nobody must come as far as the agent's configuration.
        fs::set_permissions(fleet.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let state = fleet.path("state-web1");
        fs::create_dir(&state).unwrap();
        if geteuid().is_root() {
            chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let this = Self {
            fleet,
            helper: None,
        };
        this.configure(commands);
        this
    }

    /// With the helper, and the agent when the dashboard has it online.
    pub fn start(commands: &str) -> (Self, Process) {
        let mut this = Self::prepare(commands);
        this.start_helper();
        let agent = this.start_agent("");
        (this, agent)
    }

    /// Writes the helper's file.
    pub fn configure(&self, commands: &str) {
        let text = format!(
            "client_user = \"nobody\"\nstate_dir = \"{}\"\n{commands}\n",
            self.state_dir().display()
        );
        fs::write(self.config(), text).unwrap();
        fs::set_permissions(self.config(), fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.fleet.path("helper.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.fleet.path("helper.sock")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.fleet.path("helper-state")
    }

    pub fn run_dir(&self, run: &str) -> PathBuf {
        self.state_dir().join("runs").join(run)
    }

    /// The process of a run's supervisor.
    pub fn supervisor(&self, run: &str) -> i32 {
        let text = fs::read_to_string(self.run_dir(run).join("pid")).unwrap();
        text.trim().parse().unwrap()
    }

    pub fn helper_command(&self) -> Command {
        let mut command = Command::new(program("nixfleet-agent"));
        command.arg("helper").arg("--config").arg(self.config());
        command
    }

    pub fn start_helper(&mut self) {
        let mut command = self.helper_command();
        command.arg("--socket").arg(self.socket());
        self.start_helper_as(&mut command);
    }

    pub fn start_helper_as(&mut self, command: &mut Command) {
        let mut helper = Process::start("helper", command);
        helper.wait_for("ready for user");
        self.helper = Some(helper);
    }

    pub fn kill_helper(&mut self) {
        self.helper.take().unwrap().kill();
    }

    /// An agent as nobody; `more` is added to its configuration.
    pub fn start_agent(&self, more: &str) -> Process {
        let more = format!(
            "helper = \"{}\"\nhelper_state_dir = \"{}\"\n{more}",
            self.socket().display(),
            self.state_dir().display()
        );
        self.start_agent_of(&self.fleet.agent_config("web1", &more))
    }

    /// An agent that is not root with that configuration.
    pub fn start_agent_of(&self, config: &Path) -> Process {
        let mut command = Command::new(program("nixfleet-agent"));
        command.arg("--config").arg(config);
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut agent = Process::start("agent", &mut command);
        agent.wait_for("connected to");
        self.fleet.wait_online("web1");
        agent
    }

    /// The names of the commands that the dashboard has of the host.
    pub fn offered(&self) -> Vec<String> {
        let body = self.fleet.api.get("/api/hosts/web1").body;
        let commands = body["commands"].as_array().unwrap().iter();
        commands
            .map(|command| command["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// What a shell says to this script as that user.
pub fn shell_as(user: u32, script: &str, args: &[&Path]) -> Output {
    Command::new("sh")
        .args(["-c", script, "sh"])
        .args(args)
        .current_dir("/")
        .uid(user)
        .gid(user)
        .output()
        .unwrap()
}

/// Checks all modes of a run's directory: the agent's group reads, root alone writes. Answers the names.
#[track_caller]
pub fn check_modes(run_dir: &Path) -> Vec<String> {
    let check = |path: &Path, expected: u32| {
        let found = fs::symlink_metadata(path).unwrap();
        let found = (found.uid(), found.gid(), found.mode() & 0o7777);
        let shown = path.display();
        assert_eq!(found, (0, NOBODY, expected), "{shown}: {:o}", found.2);
    };
    check(run_dir, 0o2750);
    check(run_dir.parent().unwrap(), 0o2750);
    check(run_dir.parent().unwrap().parent().unwrap(), 0o750);
    let mut names = Vec::new();
    for entry in fs::read_dir(run_dir).unwrap() {
        let entry = entry.unwrap();
        check(&entry.path(), 0o640);
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    names
}
