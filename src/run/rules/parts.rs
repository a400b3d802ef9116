//! What stands in the lines that the rules find: numbers, names, sizes.

use crate::run::ansi::{render, strip};

/// The text of a line without colours.
pub(in crate::run) fn plain(visible: &[u8]) -> String {
    let text = render(visible);
    strip(&text).into_owned()
}

/// `Failed to start nginx.service` → the unit. Journal lines name a description there, which has no suffix of a unit.
pub(in crate::run) fn failed_unit(text: &str) -> Option<&str> {
    let mut words = text.strip_prefix("Failed to ")?.split(' ');
    let (_, unit) = (words.next()?, words.next()?);
    let suffix = unit.rsplit_once('.')?.1;
    let known = matches!(
        suffix,
        "service"
            | "socket"
            | "timer"
            | "mount"
            | "automount"
            | "target"
            | "path"
            | "swap"
            | "slice"
            | "device"
    );
    (words.next().is_none() && known).then_some(unit)
}

/// The units after the last colon: `…: a.service, b.service`.
pub(in crate::run) fn units(text: &str) -> impl Iterator<Item = &str> {
    let list = text.rsplit_once(": ").map_or("", |(_, list)| list);
    list.split(", ")
        .map(str::trim)
        .filter(|unit| !unit.is_empty())
}

/// `… returned non-zero exit status 4.` → 4
pub(in crate::run) fn exit_status(text: &str) -> Option<i32> {
    let status = text.rsplit_once(" returned non-zero exit status ")?.1;
    status.trim_end_matches('.').parse().ok()
}

/// The number in `these 12 …`; 1 for `this …`.
pub(in crate::run) fn plan_size(text: &str) -> u64 {
    text.split(' ')
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1)
}

/// The download size in `… (0.5 MiB download, …)`, in bytes.
pub(in crate::run) fn plan_bytes(text: &str) -> u64 {
    text.split('(')
        .skip(1)
        .find_map(|inside| {
            let (size, _) = inside.split_once(" download")?;
            let (number, unit) = size.split_once(' ')?;
            let number = number
                .starts_with(|first: char| first.is_ascii_digit())
                .then_some(number)?;
            let known = matches!(unit, "B" | "KiB" | "MiB" | "GiB" | "TiB");
            known.then_some(bytes(number.parse().ok()?, unit))
        })
        .unwrap_or(0)
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

/// `/nix/store/…-hello-2.12.drv'...` or its quotes around → `hello-2.12`.
pub(in crate::run) fn drv_name(path: &str) -> &str {
    let path = path.trim_end_matches(['.', '\'']);
    let file = path.rsplit_once('/').map_or(path, |(_, file)| file);
    let name = file.split_once('-').map_or(file, |(_, name)| name);
    name.strip_suffix(".drv").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        assert_eq!(plan_size("these 12 derivations will be built:"), 12);
        assert_eq!(plan_size("this derivation will be built:"), 1);
        assert_eq!(
            plan_bytes("these 5 paths will be fetched (2.5 KiB download, 6.1 KiB unpacked):"),
            2560
        );
        assert_eq!(
            plan_bytes("this path will be fetched (12 B download, 1 MiB unpacked):"),
            12
        );
        for odd in [
            "",
            "(",
            "(1 download",
            "(inf KiB download",
            "(1 PiB download",
            "(1 MiB unpacked)",
        ] {
            assert_eq!(plan_bytes(odd), 0, "{odd}");
        }
        assert_eq!(
            drv_name("building '/nix/store/abc-hello-2.12.drv'..."),
            "hello-2.12"
        );
        assert_eq!(
            exit_status("Command '/x y' returned non-zero exit status 100."),
            Some(100)
        );
        let all: Vec<_> =
            units("warning: the following units failed: a.service, b.timer").collect();
        assert_eq!(all, ["a.service", "b.timer"]);
    }
}
