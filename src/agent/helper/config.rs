//! The helper's file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::unistd::{Gid, Group, Uid, User};
use serde::Deserialize;

use super::{STATE_DIR, trust};
use crate::agent::commands::programs::Programs;
use crate::agent::config::Execution;
use crate::agent::config_file::{
    DeclaredCommand, LimitsTable, LogLevel, Rebuild, Repo, Sections, Stop, Tests,
};
use crate::base::config_file;
use crate::run::id::CommandName;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HelperFile {
    client_user: String,
    client_group: Option<String>,
    state_dir: Option<PathBuf>,
    log_level: Option<LogLevel>,
    allowed_commands: Option<Vec<CommandName>>,
    rebuild: Option<Rebuild>,
    repo: Option<Repo>,
    commands: Option<std::collections::BTreeMap<CommandName, DeclaredCommand>>,
    tests: Option<Tests>,
    stop: Option<Stop>,
    limits: Option<LimitsTable>,
}

/// Checked settings.
#[derive(Debug)]
pub struct Settings {
    /// Who may ask.
    pub client: Uid,
    /// Who may read the runs.
    pub group: Gid,
    /// Where the runs are.
    pub state_dir: PathBuf,
    /// What is logged.
    pub log_level: String,
    /// What may be executed.
    pub execution: Execution,
}

impl HelperFile {
    /// What the file says by itself, whatever host it is on: where runs are kept and what may be executed. Takes it out.
    fn values(&mut self) -> Result<(PathBuf, Execution), String> {
        let state_dir = self.state_dir.take().unwrap_or_else(|| STATE_DIR.into());
        if !state_dir.is_absolute() {
            return Err(format!(
                "`state_dir` = \"{}\" is relative; write an absolute path",
                state_dir.display()
            ));
        }
        let sections = Sections {
            allowed_commands: self.allowed_commands.take(),
            rebuild: self.rebuild.take(),
            repo: self.repo.take(),
            commands: self.commands.take(),
            tests: self.tests.take(),
            stop: self.stop.take(),
            limits: self.limits.take(),
        };
        // An agent with a helper is a service: whoever set up the one set up the other.
        Ok((state_dir, Execution::check(sections, true)?))
    }
}

/// Checks a file as `check-config --helper` does: without what is the host's, its accounts, its programs, and who may write
/// there. A machine that builds hosts has none of that.
///
/// # Errors
/// As [`load`], for what stands in the file.
pub fn check(path: &Path) -> anyhow::Result<()> {
    let mut file: HelperFile = config_file::read(path)?;
    let place = path.display();
    let accounts = [
        ("client_user", Some(&file.client_user)),
        ("client_group", file.client_group.as_ref()),
    ];
    for (key, name) in accounts {
        anyhow::ensure!(
            name.is_none_or(|name| !name.is_empty()),
            "{place}: `{key}` is empty; write the name of the agent's account"
        );
    }
    file.values()
        .map_err(|message| anyhow::anyhow!("{place}: {message}"))?;
    Ok(())
}

/// Reads the file, which only root may have written.
///
/// # Errors
/// One line with the file, the line or key, and what to write instead.
pub fn load(path: &Path) -> anyhow::Result<Settings> {
    let real = trust::check(path)?;
    let mut file: HelperFile = config_file::read(&real)?;
    let place = path.display();
    let user = User::from_name(&file.client_user)
        .ok()
        .flatten()
        .with_context(|| {
            format!(
                "{place}: `client_user` = \"{}\" is no user of this host; write the agent's user",
                file.client_user.escape_debug()
            )
        })?;
    let group = match &file.client_group {
        None => user.gid,
        Some(name) => {
            Group::from_name(name)
                .ok()
                .flatten()
                .with_context(|| {
                    format!(
                        "{place}: `client_group` = \"{}\" is no group of this host; write a group that the agent is in",
                        name.escape_debug()
                    )
                })?
                .gid
        }
    };
    let (state_dir, execution) = file
        .values()
        .map_err(|message| anyhow::anyhow!("{place}: {message}"))?;
    check_programs(&execution).map_err(|error| anyhow::anyhow!("{place}: {error:#}"))?;
    Ok(Settings {
        client: user.uid,
        group,
        state_dir,
        log_level: file.log_level.map_or_else(|| "info".into(), LogLevel::get),
        execution,
    })
}

/// What root executes must be root's own. What is not there is not offered, and no business of this.
fn check_programs(execution: &Execution) -> anyhow::Result<()> {
    let programs = Programs::of_process();
    let declared = execution.commands.iter().filter_map(|(name, command)| {
        let program = command.argv.clone().get().into_iter().next()?;
        Some((format!("commands.{name}.argv"), programs.find(&program)?))
    });
    let rebuild = execution.rebuild.program.as_ref().and_then(|program| {
        let found = programs.find(program.to_str()?)?;
        Some(("rebuild.program".to_owned(), found))
    });
    let tests = execution.tests_dir.as_ref().and_then(|dir| {
        let found = dir.is_dir().then(|| dir.to_str())??;
        Some(("tests.dir".to_owned(), found.to_owned()))
    });
    for (key, path) in declared.chain(rebuild).chain(tests) {
        trust::check(Path::new(&path)).with_context(|| format!("`{key}`"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_checked_without_the_host_that_it_is_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("helper.toml");
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            check(&path).map_or_else(|error| format!("{error:#}"), |()| String::new())
        };
        // Neither the account nor the program is on this machine, and others may write in the directory.
        let right = "client_user = \"nobody-here\"\nclient_group = \"nobody-here\"\n[commands.x]\nargv = [\"/none/x\"]\n";
        assert_eq!(said(right), "");
        let wrong = [
            ("log_level = \"info\"", "missing field `client_user`"),
            ("client_user = \"\"", "`client_user` is empty"),
            (
                "client_user = \"a\"\nclient_group = \"\"",
                "`client_group` is empty",
            ),
            (
                "client_user = \"a\"\nclient_grup = \"a\"",
                "did you mean `client_group`?",
            ),
            (
                "client_user = \"a\"\nstate_dir = \"runs\"",
                "`state_dir` = \"runs\" is relative",
            ),
            (
                "client_user = \"a\"\nallowed_commands = [\"nothing-of-that-name\"]",
                "nothing-of-that-name",
            ),
            ("client_user = \"a\"\nurl = \"ws://x\"", "unknown key `url`"),
        ];
        for (text, part) in wrong {
            let error = said(text);
            assert!(
                error.contains(part) && error.contains("helper.toml"),
                "{text}: {error}"
            );
        }
    }
}
