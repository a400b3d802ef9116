//! systemd: which unit a process belongs to, and what a unit file starts.

use std::path::PathBuf;

/// The service's name, from `/proc/self/cgroup`: the last part of systemd's own path that is one.
pub(super) fn name_in(cgroup: &str) -> Option<String> {
    cgroup.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        if !matches!(controllers, "" | "name=systemd") {
            return None;
        }
        // A service may have groups below its own.
        let name = path.rsplit('/').find(|part| part.ends_with(".service"))?;
        // A user's own service manager has its units elsewhere.
        (!path.contains("/user@")).then(|| name.to_owned())
    })
}

/// The program of `ExecStart=`: the last one counts, and an empty one takes back those before it.
pub(super) fn program(unit: &str) -> Option<PathBuf> {
    let mut section = "";
    let mut command = None;
    let joined = unit.replace("\\\n", " ");
    for line in joined.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[Service]"
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "ExecStart"
        {
            command = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    let command = command?;
    let command = command.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let program = match command.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => command.split_whitespace().next()?,
    };
    // A name without a path, or with something that systemd would put in.
    (program.starts_with('/') && !program.contains('%')).then(|| PathBuf::from(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_process() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(name_in(text).as_deref(), expected, "{text}");
        };
        let unit = "nixfleet-agent.service";
        check("0::/system.slice/nixfleet-agent.service\n", Some(unit));
        check("0::/system.slice/nixfleet-agent.service/sub\n", Some(unit));
        check(
            "4:pids:/other.service\n1:name=systemd:/system.slice/nixfleet-agent.service\n",
            Some(unit),
        );
        check("0::/user.slice/user-0.slice/session-3.scope\n", None);
        check(
            "0::/user.slice/user-1.slice/user@1.service/app.slice/nixfleet-agent.service\n",
            None,
        );
        check("0::/\n", None);
        check("?", None);
    }

    #[test]
    fn the_program_of_a_unit() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(program(text), expected.map(PathBuf::from), "{text}");
        };
        let service =
            |lines: &str| format!("[Unit]\nExecStart=/no\n[Service]\nType=exec\n{lines}\n");
        check(&service("ExecStart=/bin/a --config /etc/a"), Some("/bin/a"));
        check(&service("ExecStart = @-:+!/bin/a arg0"), Some("/bin/a"));
        check(
            &service("ExecStart=\"/bin/with blank\" x"),
            Some("/bin/with blank"),
        );
        check(
            &service("ExecStart=/bin/a\nExecStart=\nExecStart=/bin/b"),
            Some("/bin/b"),
        );
        check(&service("ExecStart=/bin/a \\\n  --flag"), Some("/bin/a"));
        check(&service("#ExecStart=/bin/a\nExecStart="), None);
        check(&service("ExecStart=%h/a"), None);
        check(&service("ExecStart=sh -c x"), None);
        check("", None);
    }
}
