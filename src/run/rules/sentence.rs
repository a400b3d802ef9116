//! The text of an error as a reason: what matters of it, and whether it only follows from another one.

/// Where what Nix says of an error ends and what it says beside it begins (Nix src/libstore, src/libmain, 2.18 to 2.36).
const BESIDE: &[&str] = &[
    " (usually happens due to ",
    "; try '--fallback'",
    " (curl error: ",
    "; retrying in ",
    "; retrying from ",
    "; see '",
    "; For full logs, run",
    "\n",
];

/// The shortest true sentence of an error's text.
pub(in crate::run) fn sentence(text: &str) -> &str {
    let end = BESIDE
        .iter()
        .filter_map(|beside| text.find(beside))
        .filter(|end| *end > 0)
        .min();
    end.map_or(text, |end| &text[..end])
        .trim_end_matches([';', ' '])
}

/// Whether an error only says that something else failed: then another one is the cause.
pub(in crate::run) fn is_consequence(text: &str) -> bool {
    let text = text.trim_end_matches(['.', ';']);
    text.starts_with("Command '")
        || (text.starts_with("build of '") && text.ends_with("failed") && !text.contains(" on '"))
        || text.ends_with("dependencies failed")
        || text.ends_with("dependency failed")
        || (text.contains(" dependencies of derivation '") && text.ends_with("failed to build"))
        || text.starts_with("Build failed due to failed dependency")
        || text.starts_with("Automatic merge failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(sentence(text), expected);
    }

    #[test]
    fn sentences() {
        for whole in [
            "attribute 'x' missing",
            "infinite recursion encountered",
            "unable to download 'https://x': HTTP error 404",
            "cannot connect to socket at '/nix/var/nix/daemon-socket/socket': No such file or directory",
            "cannot add path '/nix/store/h-x' because it lacks a signature by a trusted key",
            "path '/nix/store/h-x' is required, but there is no substituter that can build it",
            "writing to file: No space left on device",
            "interrupted by the user",
            "; see 'x'",
            "",
        ] {
            check(whole, whole);
        }
        check(
            "some substitutes for the outputs of derivation '/nix/store/h-x.drv' failed (usually happens due to networking issues); try '--fallback' to build derivation from source ",
            "some substitutes for the outputs of derivation '/nix/store/h-x.drv' failed",
        );
        check(
            "unable to download 'https://x': HTTP error 502 (curl error: Recv failure); retrying in 263 ms",
            "unable to download 'https://x': HTTP error 502",
        );
    }

    #[test]
    fn consequences() {
        for text in [
            "1 dependencies of derivation '/nix/store/h-x.drv' failed to build",
            "Cannot build '/nix/store/h-x.drv'. Reason: 1 dependency failed.",
            "Cannot build '/nix/store/h-x.drv'. Reason: 2 dependencies failed.",
            "build of '/nix/store/h-x.drv' failed",
            "build of '/nix/store/h-x.drv', '/nix/store/h-y.drv' failed",
            "Build failed due to failed dependency",
            "Command 'nix' returned non-zero exit status 1.",
        ] {
            assert!(is_consequence(text), "{text}");
        }
        for text in [
            "builder for '/nix/store/h-x.drv' failed with exit code 1",
            "Cannot build '/nix/store/h-x.drv'. Reason: builder failed with exit code 2.",
            "build of '/nix/store/h-x.drv' on 'ssh://box' failed: no connection",
            "attribute 'dependencies' missing",
            "",
        ] {
            assert!(!is_consequence(text), "{text}");
        }
    }
}
