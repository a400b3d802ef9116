//! systemd units that have failed, as `systemctl` lists them: an unprivileged user may ask, too.

use std::path::Path;

use anyhow::Context as _;

use super::{Reading, program};
use crate::wire::resources::{FailedUnits, MAX_FAILED_UNITS};

/// systemd's own limit of a unit's name.
const MAX_NAME: usize = 255;
const ARGS: [&str; 6] = [
    "list-units",
    "--failed",
    "--no-legend",
    "--plain",
    "--full",
    "--no-pager",
];

/// Asks; nothing where systemd does not run.
pub fn read(root: &Path) -> anyhow::Result<Option<Reading>> {
    if !root.join("run/systemd/system").is_dir() {
        return Ok(None);
    }
    let systemctl = program::find(root, "systemctl", &["usr/bin", "bin"]).context(
        "systemd runs here, but there is no systemctl; add systemd's programs to the agent's PATH",
    )?;
    let text = program::output(&systemctl, &ARGS, program::LIMIT)?;
    Ok(Some(Reading::Units(parse(&text))))
}

fn parse(text: &str) -> FailedUnits {
    // systemd before 246 marks failed units in spite of --plain.
    let named = |line: &str| -> Option<String> {
        let name = line.trim_start_matches(['●', '*', ' ']).split(' ').next()?;
        let name: String = name
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_NAME)
            .collect();
        (!name.is_empty()).then_some(name)
    };
    let mut names: Vec<String> = text.lines().filter_map(named).collect();
    let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
    names.sort();
    names.truncate(MAX_FAILED_UNITS);
    FailedUnits { count, names }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn names_and_their_count() {
        let none = FailedUnits::default();
        assert_eq!(parse(""), none);
        assert_eq!(parse("\n \n"), none);
        let two = "nginx.service loaded failed failed A web server\n● backup@a\\x2db.timer loaded failed failed -\n";
        assert_eq!(
            parse(two),
            FailedUnits {
                count: 2,
                names: vec!["backup@a\\x2db.timer".into(), "nginx.service".into()]
            }
        );
        let many: Vec<_> = (10..30)
            .map(|n| format!("u{n}.service loaded failed failed -"))
            .collect();
        let many = parse(&many.join("\n"));
        assert_eq!((many.count, many.names.len()), (20, MAX_FAILED_UNITS));
        assert_eq!(many.names[0], "u10.service");
        assert_eq!(parse(&"x".repeat(1000)).names[0].len(), MAX_NAME);
    }

    #[test]
    fn only_where_systemd_runs() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read(root.path()).unwrap(), None);
        std::fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        let bin = root.path().join("run/current-system/sw/bin");
        std::fs::create_dir_all(&bin).unwrap();
        let systemctl = |script: &str| {
            let path = bin.join("systemctl");
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            read(root.path())
        };
        let asked = systemctl("echo \"$2.service loaded failed failed\"").unwrap();
        let expected = FailedUnits {
            count: 1,
            names: vec!["--failed.service".into()],
        };
        assert_eq!(asked, Some(Reading::Units(expected)));
        assert!(systemctl("echo 'Failed to connect to bus' >&2; exit 1").is_err());
    }
}
