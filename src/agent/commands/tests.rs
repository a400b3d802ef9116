use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::arguments::MAX_ARGS;
use super::*;
use crate::agent::config;
use crate::agent::environment::Environment;

/// A configuration file, programs that exist, and where.
struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    fn with(programs: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for program in programs {
            let path = dir.path().join(program);
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { dir }
    }

    fn config(&self, text: &str) -> Execution {
        let path = self.dir.path().join("agent.toml");
        let text = format!("url = \"ws://a\"\ntoken_file = \"/t\"\n{text}");
        std::fs::write(&path, text).unwrap();
        let config = config::load(Some(&path), Environment::default()).unwrap();
        config.execution
    }

    fn built_in(&self, text: &str) -> Vec<Command> {
        let programs = Programs::of(&self.dir.path().as_os_str().to_owned(), &[]);
        let self_command = SelfCommand {
            program: "/agent".into(),
            leading_args: vec!["as-agent".into()],
        };
        built_in::find(
            &self.config(text),
            &self_command,
            Path::new("/state"),
            &programs,
        )
    }

    /// `name: argv` of each command, without the directory of the programs.
    fn shown(&self, text: &str) -> Vec<String> {
        let dir = format!("{}/", self.dir.path().display());
        let show = |command: &Command| {
            format!(
                "{}: {}",
                command.name,
                command.argv.join(" ").replace(&dir, "")
            )
        };
        self.built_in(text).iter().map(show).collect()
    }
}

#[track_caller]
fn check(programs: &[&str], config: &str, expected: &[&str]) {
    let shown = Host::with(programs).shown(config);
    // A machine's reboot depends on who runs the test.
    let shown: Vec<&String> = shown
        .iter()
        .filter(|line| !line.starts_with("reboot"))
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn rebuild_actions_of_the_three_tools() {
    check(
        &["nixos-rebuild"],
        "[rebuild]\ntool = \"nixos-rebuild\"\nflake = \"github:a/b#web1\"\nargs = [\"--show-trace\"]",
        &[
            "switch: nixos-rebuild switch --flake github:a/b#web1 --show-trace",
            "boot: nixos-rebuild boot --flake github:a/b#web1 --show-trace",
            "try: nixos-rebuild test --flake github:a/b#web1 --show-trace",
            "dry-activate: nixos-rebuild dry-activate --flake github:a/b#web1 --show-trace",
            "build: nixos-rebuild build --flake github:a/b#web1 --show-trace",
            "rollback: nixos-rebuild switch --rollback --show-trace",
        ],
    );
    check(
        &["darwin-rebuild"],
        "[rebuild]\ntool = \"darwin-rebuild\"",
        &[
            "switch: darwin-rebuild switch",
            "build: darwin-rebuild build",
            "rollback: darwin-rebuild --rollback",
            "check: darwin-rebuild check",
        ],
    );
    check(
        &["home-manager"],
        "[rebuild]\ntool = \"home-manager\"\nflake = \"/cfg\"",
        &[
            "switch: home-manager switch --flake /cfg",
            "build: home-manager build --no-out-link --flake /cfg",
        ],
    );
}

#[test]
fn only_what_can_work_is_offered() {
    check(
        &[],
        "[rebuild]\ntool = \"nixos-rebuild\"\n[repo]\ndir = \"/cfg\"",
        &[],
    );
    check(
        &["nix-collect-garbage"],
        "",
        &["collect-garbage: nix-collect-garbage --delete-older-than 14d"],
    );
    check(&["nix"], "[rebuild]\nflake = \"github:a/b\"", &[]);
    let update = "update: nix --extra-experimental-features nix-command flakes flake update";
    check(
        &["nix"],
        "[rebuild]\nflake = \"path:/cfg?dir=x#web1\"",
        &[update],
    );
    let host = Host::with(&["nix"]);
    assert_eq!(
        host.built_in("[rebuild]\nflake = \"/cfg#web1\"")[0]
            .cwd
            .as_deref(),
        Some(Path::new("/cfg"))
    );
}

#[test]
fn steps_are_performed_by_this_program() {
    let host = Host::with(&["git", "nixos-rebuild"]);
    let commands = host.built_in(
        "service_manager = true\n[repo]\nurl = \"https://git/x\"\n[tests]\ndir = \"/tests\"",
    );
    let find = |name: &str| {
        commands
            .iter()
            .find(|command| command.name.as_str() == name)
            .unwrap()
    };
    let pull_switch = find("pull-switch");
    assert_eq!(pull_switch.argv[..3], ["/agent", "as-agent", "steps"]);
    assert!(matches!(pull_switch.kind, RunKind::Rebuild { .. }) && pull_switch.changes_host);
    let steps: Vec<crate::agent::steps::Step> = serde_json::from_str(&pull_switch.argv[3]).unwrap();
    assert_eq!(steps.len(), 2);
    assert!(
        pull_switch.argv[3].contains("/state/repo"),
        "a clone of the agent's own"
    );
    assert_eq!(find("test").kind, RunKind::Plain);
    assert!(find("restart").argv[3].contains("say"));
}

#[test]
fn every_built_in_name_is_known_and_reserved() {
    let host = Host::with(&["git", "nix", "nix-collect-garbage", "nixos-rebuild"]);
    let text = "service_manager = true\n[repo]\ndir = \"/cfg\"\n[tests]\ndir = \"/tests\"";
    let commands = host.built_in(text);
    let names: Vec<&str> = commands
        .iter()
        .map(|command| command.name.as_str())
        .filter(|name| *name != "reboot")
        .collect();
    assert_eq!(
        names,
        [
            "switch",
            "boot",
            "try",
            "dry-activate",
            "build",
            "rollback",
            "pull",
            "pull-switch",
            "update",
            "test",
            "collect-garbage",
            "restart"
        ]
    );
    for command in &commands {
        assert!(is_built_in(&command.name), "{}", command.name);
    }
}

#[test]
fn arguments_are_for_commands_that_declare_them() {
    let host = Host::with(&["greet"]);
    let program = host.dir.path().join("greet");
    let config = host.config(&format!(
        "[commands.greet]\nargv = [{0:?}, \"hello\"]\nallow_args = true\ntimeout = 9\n[commands.fixed]\nargv = [{0:?}]\n[commands.gone]\nargv = [\"/nowhere/x\"]",
        program.display().to_string()
    ));
    let self_command = SelfCommand {
        program: "/agent".into(),
        leading_args: Vec::new(),
    };
    let commands = Commands::find(&config, &self_command, Path::new("/state"));
    let with = |name: &str, args: &[&str]| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        commands.with_args(&name.parse().unwrap(), &args)
    };
    let greet = with("greet", &["; rm -rf /", "$(x)"]).unwrap();
    assert_eq!(greet.argv[1..], ["hello", "; rm -rf /", "$(x)"]);
    assert_eq!(greet.timeout_s, Some(9));
    assert!(
        with("fixed", &["x"])
            .unwrap_err()
            .contains("takes no arguments")
    );
    assert!(with("greet", &["--option"]).unwrap_err().contains("option"));
    assert!(
        with("greet", &["a\0b"])
            .unwrap_err()
            .contains("without NUL")
    );
    assert!(
        with("greet", &["x"; MAX_ARGS + 1])
            .unwrap_err()
            .contains("at most 64")
    );
    let unknown = with("gone", &[]).unwrap_err();
    assert!(
        unknown.contains("offers no command `gone`") && unknown.contains("greet"),
        "{unknown}"
    );
}

#[test]
fn only_allowed_commands_are_offered() {
    let host = Host::with(&["greet", "nixos-rebuild"]);
    let program = |name: &str| host.dir.path().join(name).display().to_string();
    let rebuild = format!(
        "[rebuild]\ntool = \"nixos-rebuild\"\nprogram = {:?}\nflake = \"/etc/nixos\"\n",
        program("nixos-rebuild")
    );
    let greet = format!("[commands.greet]\nargv = [{:?}]\n", program("greet"));
    let self_command = SelfCommand {
        program: "/agent".into(),
        leading_args: Vec::new(),
    };
    let offered = |allowed: &str| -> Vec<String> {
        let config = host.config(&format!("{allowed}\n{rebuild}{greet}"));
        let commands = Commands::find(&config, &self_command, Path::new("/state")).offered();
        commands
            .into_iter()
            .map(|command| command.name.to_string())
            .collect()
    };
    assert_eq!(
        offered("allowed_commands = [\"build\", \"greet\"]"),
        ["build", "greet"]
    );
    assert!(offered("allowed_commands = []").is_empty());
    assert!(offered("").len() > 2, "without the key, all that can work");
}
