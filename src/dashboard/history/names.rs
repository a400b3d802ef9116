//! Names of derivations, as they are the same from one version to the next.

/// The longest name that is kept, in characters.
pub const MAX_NAME: usize = 100;

/// The name without its version: what is before the first `-` that a digit follows. Nix itself cuts at the first dash that
/// no letter follows (`DrvName` in `src/libstore/names.cc`), which for names of packages is the same.
pub fn without_version(name: &str) -> &str {
    let bytes = name.as_bytes();
    let dash = memchr::memchr_iter(b'-', bytes)
        .find(|at| bytes.get(at + 1).is_some_and(u8::is_ascii_digit));
    short(&name[..dash.unwrap_or(name.len())])
}

/// At most [`MAX_NAME`] characters of it.
pub fn short(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_NAME).map(|(end, _)| end);
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(without_version(name), expected, "{name}");
    }

    #[test]
    fn versions_are_cut() {
        check("hello-2.12", "hello");
        check("hello-2.12.drv", "hello");
        check("hello", "hello");
        check("linux-6.12.8-modules", "linux");
        check("python3.12-requests-2.32.3", "python3.12-requests");
        check(
            "nixos-system-web1-25.05.20250101.abcdef",
            "nixos-system-web1",
        );
        check("unit-nginx.service", "unit-nginx.service");
        check("gtk+3-3.24", "gtk+3");
        check("unit-dbus-broker-1", "unit-dbus-broker");
        check("a--1", "a-");
        check("-1", "");
        check("", "");
        check("ends-", "ends-");
        check("größe-1", "größe");
        check(&"x".repeat(5000), &"x".repeat(MAX_NAME));
        check(&"ö".repeat(5000), &"ö".repeat(MAX_NAME));
    }
}
