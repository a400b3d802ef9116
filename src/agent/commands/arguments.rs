//! Arguments that come from the dashboard: what each kind may look like. This is the only place that lets any of them
//! through, whether the agent starts a run itself or has it started by the root helper. No shell reads them, and none can
//! be taken for an option by the program that gets it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::geteuid;
use serde::Deserialize;

use crate::run::id::HostName;

/// The most arguments that a declared command may be given.
pub const MAX_ARGS: usize = 64;
/// The longest such argument, in bytes.
pub const MAX_ARG: usize = 4096;
/// The longest flake reference, in bytes.
const MAX_FLAKE: usize = 1024;
/// Where systems are.
pub const STORE: &str = "/nix/store";
/// Length of the hash in a store path, and the characters that Nix writes it with.
const HASH_LEN: usize = 32;
const HASH_CHARS: &[u8] = b"0123456789abcdfghijklmnpqrsvwxyz";
/// The longest name in a store path (Nix's own limit).
const MAX_STORE_NAME: usize = 211;
/// Between hash and name of every NixOS system.
const SYSTEM: &str = "-nixos-system-";

/// What kind of argument a declared command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArgKind {
    /// A flake reference: no relative path, no white space, nothing that a shell or a URL would read otherwise.
    Flake,
    /// A host's name.
    Host,
    /// A generation's number, 1 or more.
    Generation,
    /// A NixOS system in the store, `/nix/store/HASH-nixos-system-NAME`, that is there and is no symbolic link.
    System,
    /// Any text that is no option.
    Text,
}

/// Checks arguments for a command that takes `kinds`, or any text with `free`.
///
/// # Errors
/// In words: which argument, what is wrong with it, what is taken.
pub fn check(args: &[String], kinds: &[ArgKind], free: bool, store: &Path) -> Result<(), String> {
    if args.len() > MAX_ARGS
        || args
            .iter()
            .any(|arg| arg.len() > MAX_ARG || arg.contains('\0'))
    {
        return Err(format!(
            "takes at most {MAX_ARGS} arguments of at most {MAX_ARG} bytes, without NUL"
        ));
    }
    if !free && args.len() != kinds.len() {
        return Err(match kinds.len() {
            0 => "takes no arguments; only commands declared with `args` or allow_args = true do"
                .to_owned(),
            expected => format!("takes {expected} arguments, not {}", args.len()),
        });
    }
    for (index, arg) in args.iter().enumerate() {
        let kind = if free {
            Some(&ArgKind::Text)
        } else {
            kinds.get(index)
        };
        let checked = kind.map_or(Ok(()), |kind| kind.check(arg, store));
        checked.map_err(|why| {
            let shown: String = arg.chars().take(60).flat_map(char::escape_debug).collect();
            format!("cannot take argument {} (\"{shown}\"): {why}", index + 1)
        })?;
    }
    Ok(())
}

impl ArgKind {
    /// Whether `text` is one; `store` is where systems are.
    ///
    /// # Errors
    /// Why not, and what is one.
    pub fn check(self, text: &str, store: &Path) -> Result<(), String> {
        if text.starts_with('-') {
            return Err("it begins with `-`, and options are not taken".into());
        }
        if text.contains(char::is_control) {
            return Err("it has a control character".into());
        }
        match self {
            Self::Text => Ok(()),
            Self::Host => text
                .parse::<HostName>()
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::Generation => check_generation(text),
            Self::Flake => check_flake(text),
            Self::System => check_system(text, store),
        }
    }
}

fn check_generation(text: &str) -> Result<(), String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && !text.starts_with('0') && text.parse::<u32>().is_ok() {
        return Ok(());
    }
    Err("it is no generation; write its number, 1 or more".into())
}

fn check_flake(text: &str) -> Result<(), String> {
    let sane = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#@&+=^,".contains(&byte));
    let begins = text
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric() || first == b'/');
    let relative = text.split_once(':').is_some_and(|(scheme, path)| {
        (scheme == "path" || scheme.ends_with("file")) && !path.starts_with('/')
    });
    if sane && begins && !relative && !text.contains("..") && text.len() <= MAX_FLAKE {
        return Ok(());
    }
    Err("it is no flake reference that is taken; write one such as github:owner/repo#host or /etc/nixos#host, with an absolute path".into())
}

fn check_system(text: &str, store: &Path) -> Result<(), String> {
    let named = text
        .strip_prefix(STORE)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|name| is_system_name(name));
    let Some(name) = named else {
        return Err(format!(
            "it is no system; write {STORE}/HASH{SYSTEM}NAME, complete and without anything behind it"
        ));
    };
    // Not followed: a link would be another path than the one that was checked.
    match std::fs::symlink_metadata(store.join(name)) {
        Ok(found) if !found.is_dir() => Err("it is no directory of the store".into()),
        // Nix writes as root, or as the user who checks this where there is no daemon; nobody writes there afterwards. So
        // what was checked can only vanish before it is used, and then the program that gets it fails.
        Ok(found) if found.mode() & 0o022 != 0 => Err("it may be written by others".into()),
        Ok(found) if found.uid() != 0 && found.uid() != geteuid().as_raw() => {
            Err("it is not the store's own".into())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it is not there ({error})")),
    }
}

fn is_system_name(name: &str) -> bool {
    let Some((hash, rest)) = name.split_at_checked(HASH_LEN) else {
        return false;
    };
    hash.bytes().all(|byte| HASH_CHARS.contains(&byte))
        && rest.strip_prefix(SYSTEM).is_some_and(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+-._?=".contains(&byte))
        })
        && rest.len() <= MAX_STORE_NAME + 1
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdfghijklmnpqrsvwxyz";

    #[track_caller]
    fn check_kind(kind: ArgKind, good: &[&str], bad: &[&str]) {
        let store = tempfile::tempdir().unwrap();
        let system = format!("{HASH}-nixos-system-web1-26.05");
        std::fs::create_dir(store.path().join(&system)).unwrap();
        let link = format!("{HASH}-nixos-system-link");
        std::os::unix::fs::symlink(&system, store.path().join(link)).unwrap();
        std::fs::write(store.path().join(format!("{HASH}-nixos-system-file")), "").unwrap();
        for text in good {
            assert_eq!(kind.check(text, store.path()), Ok(()), "{text}");
        }
        let injected = ["-x", "--option", "a\nb", "a\0b", "\u{1b}[0m"];
        for text in bad.iter().chain(&injected) {
            assert!(kind.check(text, store.path()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn flakes() {
        let long = "a".repeat(2000);
        check_kind(
            ArgKind::Flake,
            &[
                "github:owner/repo?ref=main#web1",
                "/etc/nixos#web1",
                "git+ssh://git@git.lan/cfg.git",
                "path:/cfg",
                "nixpkgs",
            ],
            &[
                "",
                ".",
                "./cfg",
                "../cfg",
                "/cfg/../etc",
                "path:cfg",
                "git+file:cfg",
                "a b",
                "a;b",
                "$(x)",
                "`x`",
                "a|b",
                "a'b",
                "a\"b",
                "ü",
                &long,
            ],
        );
    }

    #[test]
    fn hosts_and_generations() {
        check_kind(ArgKind::Host, &["web1", "a.lan"], &["", "..", "a/b", "a;b"]);
        check_kind(
            ArgKind::Generation,
            &["1", "42", "4294967295"],
            &["", "0", "01", "+1", "1 ", "4294967296", "1;x", "1.0", "٣"],
        );
        check_kind(ArgKind::Text, &["; rm -rf /", "$(x)", ""], &[]);
    }

    #[test]
    fn systems() {
        let at = |text: &str| format!("/nix/store/{text}");
        let good = at(&format!("{HASH}-nixos-system-web1-26.05"));
        let bad = [
            at(&format!("{HASH}-nixos-system-gone")),
            at(&format!("{HASH}-nixos-system-link")),
            at(&format!("{HASH}-nixos-system-file")),
            at(&format!("{HASH}-nixos-system-")),
            at(&format!("{HASH}-nixos-system-a..b")),
            at(&format!("{HASH}-hello")),
            at(&format!("{}-nixos-system-x", "e".repeat(32))),
            at(&format!("{}-nixos-system-x", "0".repeat(31))),
            at(&format!("{HASH}-nixos-system-{}", "x".repeat(300))),
            at("ü".repeat(40).as_str()),
            format!("{good}/bin/switch-to-configuration"),
            format!("{good}/"),
            format!("{good};x"),
            format!("/nix/store/../{good}"),
            format!("/nix/store//{HASH}-nixos-system-web1-26.05"),
            format!("nix/store/{HASH}-nixos-system-web1-26.05"),
            format!("{HASH}-nixos-system-web1-26.05"),
            "/nix/store".into(),
            String::new(),
        ];
        let bad: Vec<&str> = bad.iter().map(String::as_str).collect();
        check_kind(ArgKind::System, &[&good], &bad);
    }

    #[test]
    fn a_system_that_others_could_change_between_check_and_use_is_none() {
        use std::os::unix::fs::{PermissionsExt as _, chown};
        let store = tempfile::tempdir().unwrap();
        let name = format!("{HASH}-nixos-system-web1");
        let (path, text) = (store.path().join(&name), format!("{STORE}/{name}"));
        std::fs::create_dir(&path).unwrap();
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let check = || ArgKind::System.check(&text, store.path());
        mode(0o555);
        assert_eq!(check(), Ok(()));
        for writable in [0o575, 0o557, 0o777] {
            mode(writable);
            assert_eq!(check(), Err("it may be written by others".into()));
        }
        mode(0o555);
        if geteuid().is_root() {
            chown(&path, Some(65534), None).unwrap();
            assert_eq!(check(), Err("it is not the store's own".into()));
        } else {
            println!("skipped: a system of another user is none: this needs root");
        }
        std::fs::remove_dir(&path).unwrap();
        assert!(check().unwrap_err().contains("not there"));
    }

    #[test]
    fn the_number_of_arguments_is_the_declared_one() {
        let store = Path::new("/nowhere");
        let args = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        let kinds = [ArgKind::Host, ArgKind::Generation];
        assert_eq!(check(&args(&["web1", "7"]), &kinds, false, store), Ok(()));
        for (given, part) in [
            (args(&["web1"]), "takes 2 arguments, not 1"),
            (args(&["web1", "7", "8"]), "takes 2 arguments, not 3"),
            (args(&["web1", "x"]), "cannot take argument 2 (\"x\")"),
            (args(&["x"; MAX_ARGS + 1]), "at most 64"),
        ] {
            let error = check(&given, &kinds, false, store).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
