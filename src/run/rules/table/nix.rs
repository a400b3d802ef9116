//! Nix 2.18 to 2.36, and Lix 2.90 to 2.96 where it says the same.

use super::{Rule, rule};
use crate::run::rules::Meaning as M;

pub(super) const RULES: &[Rule] = &[
    // src/libmain/shared.cc printMissing: entries are two spaces and a path.
    rule(
        M::BuildPlan,
        &[
            r"^this derivation will be built:",
            r"^these (?<count>\d{1,18}) derivations will be built:$",
        ],
    ),
    rule(
        M::FetchPlan,
        &[
            concat!(r"^this path will be fetched \(", download!()),
            concat!(
                r"^these (?<count>\d{1,18}) paths will be fetched \(",
                download!()
            ),
        ],
    ),
    rule(M::PlanEntry, &[r"^  (?<store>/[^ -]+-[^ ]+\.drv)$"]),
    // src/libstore/build: derivation goals; the second form comes with `--check`, the third with `--repair`.
    rule(
        M::BuildStart,
        &[
            concat!(
                r"^building ",
                store_path!(),
                r"(?: on '(?<host>[^']*)')?\.\.\.$"
            ),
            concat!(r"^checking outputs of ", store_path!()),
            concat!(r"^repairing outputs of ", store_path!()),
        ],
    ),
    // src/libstore/store-api.cc: from a cache, to a builder, from one store to another.
    rule(M::CopyStart, &[concat!(r"^copying path ", store_path!())]),
    // src/libutil/logging.cc
    rule(M::Record, &[r"^@nix \{"]),
    // src/libutil/util.cc ignoreException: what goes wrong while it cleans up.
    rule(M::Warning, &[r"^error \(ignored\):"]),
    rule(M::Error, &[r"^error:"]),
    // `evaluation warning` since 2.23; before, and in Lix, lib.warn is a trace whose second word has a colour. The others:
    // src/libmain/shared.cc, src/build-remote/build-remote.cc, src/libstore/build/derivation-building-goal.cc.
    rule(
        M::Warning,
        &[
            r"^warning:",
            r"^evaluation warning:",
            r"^trace: (?:evaluation )?warning:",
            r"^don't know how to build these paths",
            r"^cannot build on '",
            r"^build hook died unexpectedly",
        ],
    ),
    // src/libstore/build, src/libstore/gc.cc, src/libstore/profiles.cc, src/libfetchers, src/build-remote: what takes its time
    // and is neither a build nor a copy. Some only with `-v`.
    rule(
        M::Activity,
        &[
            r"^waiting for lock on ",
            r"^waiting for locks",
            r"^waiting for a machine to build '",
            r"^waiting for a free build user ID for '",
            r"^waiting for the upload lock to '",
            r"^waiting for the big ",
            r"^waiting for exclusive access to the Nix store",
            r"^waiting for another Nix process to finish fetching input '",
            r"^somebody is hogging the upload lock for '",
            r"^running post-build-hook '",
            r"^fetching Git repository '",
            r"^unpacking '.*' into the Git cache",
            r"^unpacking \d+ channels\.\.\.$",
            r"^downloading '",
            r"^copying \d+ paths",
            r"^copying dependencies to '",
            r"^copying outputs from '",
            r"^evaluating derivation '",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::M;
    use crate::run::rules::tests::check_all;

    #[test]
    fn what_nix_says() {
        check_all(
            None,
            &[
                ("this derivation will be built:", Some(M::BuildPlan)),
                ("these 10 derivations will be built:", Some(M::BuildPlan)),
                ("these 5 derivations will be built: x", None),
                (
                    "this path will be fetched (0.0 MiB download, 0.1 MiB unpacked):",
                    Some(M::FetchPlan),
                ),
                (
                    "these 5 paths will be fetched (2.3 KiB download, 6.1 KiB unpacked):",
                    Some(M::FetchPlan),
                ),
                ("these are words", None),
                ("  /nix/store/abc-hello-2.12.drv", Some(M::PlanEntry)),
                ("  /nix/store/abc-hello-2.12", None),
                ("  /usr/lib/x.drv: not found", None),
                ("    /nix/store/abc-hello-2.12.drv", None),
                ("building '/nix/store/abc-x.drv'...", Some(M::BuildStart)),
                (
                    "building '/nix/store/abc-x.drv' on 'ssh-ng://root@box'...",
                    Some(M::BuildStart),
                ),
                ("building '/nix/store/abc-x.drv' again", None),
                ("building '/tmp/x'...", None),
                (
                    "checking outputs of '/nix/store/abc-x.drv'...",
                    Some(M::BuildStart),
                ),
                (
                    "copying path '/nix/store/abc-x' to 'ssh-ng://box'...",
                    Some(M::CopyStart),
                ),
                (
                    "copying path '/nix/store/abc-x' from 'https://a' to 'ssh://b'...",
                    Some(M::CopyStart),
                ),
                ("\u{1b}[K\u{1b}[31;1merror:\u{1b}[0m x", Some(M::Error)),
                ("error (ignored): error: cannot unlink", Some(M::Warning)),
                (
                    "\u{1b}[35;1mevaluation warning:\u{1b}[0m x",
                    Some(M::Warning),
                ),
                (
                    "trace: \u{1b}[1;31mwarning: x is old\u{1b}[0m",
                    Some(M::Warning),
                ),
                ("trace: evaluation warning: x is old", Some(M::Warning)),
                ("trace: { a = 1; }", None),
                ("warning: Git tree '/etc/nixos' is dirty", Some(M::Warning)),
                (
                    "don't know how to build these paths (may be caused by read-only store access):",
                    Some(M::Warning),
                ),
                (
                    "cannot build on 'ssh-ng://box': error: failed to start SSH connection to 'box'",
                    Some(M::Warning),
                ),
                ("cannot build one", None),
                (
                    "waiting for lock on \u{1b}[35;1m'/nix/store/abc-x'\u{1b}[0m",
                    Some(M::Activity),
                ),
                (
                    "waiting for a machine to build '/nix/store/abc-x.drv'",
                    Some(M::Activity),
                ),
                (
                    "unpacking 'github:NixOS/nixpkgs/abc' into the Git cache...",
                    Some(M::Activity),
                ),
                ("unpacking 'x.tar.gz'", None),
                ("unpacking sources", None),
                ("copying 12 paths...", Some(M::Activity)),
                ("copying files", None),
                (
                    "running post-build-hook '/etc/nix/hook'...",
                    Some(M::Activity),
                ),
            ],
        );
    }
}
