//! What stands in the lines that the rules find: numbers, names, sizes.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::run::ansi::{render, strip};
use crate::run::rules::Said;
use crate::run::rules::table::STORE_PATH;

impl Said {
    /// What the group of this name matched.
    fn part(&self, name: &str) -> Option<&str> {
        let (_, range) = self.parts.iter().find(|(of, _)| *of == name)?;
        self.text.get(range.clone())
    }

    /// The number in `these 12 …`; 1 for `this …`.
    pub(in crate::run) fn plan_size(&self) -> u64 {
        self.part("count")
            .and_then(|count| count.parse().ok())
            .unwrap_or(1)
    }

    /// The download size in `… (0.5 MiB download, …)`, in bytes; 0 if none is said.
    pub(in crate::run) fn plan_bytes(&self) -> u64 {
        self.part("size")
            .and_then(|size| size.parse().ok())
            .zip(self.part("unit"))
            .map_or(0, |(size, unit)| bytes(size, unit))
    }

    /// The name of the store path in the line: `hello-2.12` of `'/nix/store/…-hello-2.12.drv'`.
    pub(in crate::run) fn name(&self) -> Option<&str> {
        self.part("store").map(store_name)
    }

    /// The machine that builds: `ssh://box` of `… on 'ssh://box'...`.
    pub(in crate::run) fn host(&self) -> Option<&str> {
        self.part("host")
    }

    /// What the line tells, without the program's name before it; the whole line where the rule names no part.
    pub(in crate::run) fn told(&self) -> &str {
        self.part("said").unwrap_or(&self.text)
    }

    /// `Failed to start nginx.service` → the unit.
    pub(in crate::run) fn unit(&self) -> Option<&str> {
        self.part("unit")
    }

    /// The units of `…: a.service, b.service`.
    pub(in crate::run) fn units(&self) -> impl Iterator<Item = &str> {
        self.part("units")
            .unwrap_or_default()
            .split(", ")
            .map(str::trim)
            .filter(|unit| !unit.is_empty())
    }

    /// `… returned non-zero exit status 4.` → 4
    pub(in crate::run) fn exit_status(&self) -> Option<i32> {
        self.part("status")?.parse().ok()
    }

    /// The path that the line is about.
    pub(in crate::run) fn path(&self) -> Option<&str> {
        self.part("path")
    }
}

/// A pattern that is none would find no name; a test finds one.
static STORE_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(STORE_PATH).ok());

/// The name of the first quoted store path in a sentence, or the sentence; of a bare store path, its name:
/// `/nix/store/…-hello-2.12.drv` → `hello-2.12`.
pub(in crate::run) fn store_name(text: &str) -> &str {
    if text.contains('\'') {
        return STORE_NAME
            .as_ref()
            .and_then(|regex| regex.captures(text)?.name("store"))
            .map_or(text, |path| store_name(path.as_str()));
    }
    let file = text.rsplit('/').next().unwrap_or(text);
    let name = file.split_once('-').map_or(file, |(_, name)| name);
    name.strip_suffix(".drv").unwrap_or(name)
}

/// The text of a line without colours.
pub(in crate::run) fn plain(visible: &[u8]) -> String {
    let text = render(visible);
    strip(&text).into_owned()
}

/// A size in bytes.
pub(in crate::run) fn bytes(number: f64, unit: &str) -> u64 {
    let power = match unit {
        "KiB" => 1,
        "MiB" => 2,
        "GiB" => 3,
        "TiB" => 4,
        _ => 0,
    };
    (number.max(0.0) * 1024_f64.powi(power)).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::rules::said;

    #[track_caller]
    fn of<T>(line: &str, part: impl Fn(&Said) -> T) -> T {
        part(&said(line.as_bytes(), None).expect(line))
    }

    #[test]
    fn plans() {
        let size = |line: &str| of(line, Said::plan_size);
        assert_eq!(size("these 12 derivations will be built:"), 12);
        assert_eq!(size("this derivation will be built:"), 1);
        assert_eq!(
            size("these 999999999999999999 derivations will be built:"),
            999_999_999_999_999_999
        );
        let plan = |line: &str| of(line, |said| (said.plan_size(), said.plan_bytes()));
        assert_eq!(
            plan("these 5 paths will be fetched (2.5 KiB download, 6.1 KiB unpacked):"),
            (5, 2560)
        );
        assert_eq!(
            plan("this path will be fetched (12 B download, 1 MiB unpacked):"),
            (1, 12)
        );
        for odd in [
            "",
            "1 download",
            "inf KiB download",
            "-1 KiB download",
            "1 PiB download",
            "1 MiB unpacked)",
        ] {
            assert_eq!(
                plan(&format!("these 7 paths will be fetched ({odd}")),
                (7, 0),
                "{odd}"
            );
        }
    }

    #[test]
    fn names() {
        let name = |line: &str| of(line, |said| said.name().map(str::to_owned));
        let hello = Some("hello-2.12".to_owned());
        assert_eq!(name("building '/nix/store/abc-hello-2.12.drv'..."), hello);
        assert_eq!(
            name("building '/my-nix/store/abc-hello-2.12.drv' on 'ssh://the-host/x'..."),
            hello
        );
        assert_eq!(
            name("copying path '/nix/store/abc-hello-2.12' from 'https://cache.nixos.org'..."),
            hello
        );
        for (text, name) in [
            (
                "checking outputs of '/nix/store/abc-hello-2.12.drv'",
                "hello-2.12",
            ),
            ("/nix/store/abc-hello-2.12.drv", "hello-2.12"),
            ("/nix/store/abc-hello-2.12", "hello-2.12"),
            ("something else", "something else"),
            ("", ""),
        ] {
            assert_eq!(store_name(text), name);
        }
        let host = |line: &str| of(line, |said| said.host().map(str::to_owned));
        assert_eq!(
            host("building '/nix/store/abc-x.drv' on 'ssh://the-host/x'..."),
            Some("ssh://the-host/x".to_owned())
        );
        assert_eq!(host("building '/nix/store/abc-x.drv'..."), None);
    }

    #[test]
    fn units_and_statuses() {
        let unit = |line: &str| of(line, |said| said.unit().map(str::to_owned));
        for verb in ["start", "restart", "reload", "stop"] {
            assert_eq!(
                unit(&format!("Failed to {verb} a@b.timer")),
                Some("a@b.timer".to_owned())
            );
        }
        let units = |line: &str| {
            of(line, |said| {
                said.units().map(str::to_owned).collect::<Vec<_>>()
            })
        };
        for of in ["units", "user units"] {
            assert_eq!(
                units(&format!(
                    "warning: the following {of} failed: a.service, b.timer"
                )),
                ["a.service", "b.timer"]
            );
        }
        let status = |line: &str| of(line, Said::exit_status);
        assert_eq!(
            status("Command '/x y' returned non-zero exit status 100."),
            Some(100)
        );
        assert_eq!(
            status(
                "subprocess.CalledProcessError: Command '['x']' returned non-zero exit status 4."
            ),
            Some(4)
        );
        assert_eq!(
            of("Done. The new configuration is /nix/store/abc-x", |said| {
                said.path().map(str::to_owned)
            }),
            Some("/nix/store/abc-x".to_owned())
        );
        let told = |line: &str| of(line, |said| said.told().to_owned());
        assert_eq!(told("nixos-rebuild: error: no"), "no");
        assert_eq!(told("error: no"), "error: no");
    }
}
