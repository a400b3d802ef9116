//! git (2.40 to 2.52) for commands that pull a configuration, and where Nix calls it. Its `error:` lines look like Nix's.

use super::{Rule, rule};
use crate::run::rules::Meaning as M;

pub(super) const RULES: &[Rule] = &[
    rule(
        M::Git,
        &[
            r"^fatal: ",
            r"^CONFLICT \([^)]+\): ",
            r"^Automatic merge failed; fix conflicts",
        ],
    ),
    rule(M::Activity, &[r"^Already up.to.date\.$"]),
];

#[cfg(test)]
mod tests {
    use super::M;
    use crate::run::rules::tests::check_all;

    #[test]
    fn what_git_says() {
        check_all(
            None,
            &[
                (
                    "fatal: Not possible to fast-forward, aborting.",
                    Some(M::Git),
                ),
                ("fatality: none", None),
                (
                    "CONFLICT (content): Merge conflict in flake.lock",
                    Some(M::Git),
                ),
                ("CONFLICTS", None),
                ("Already up to date.", Some(M::Activity)),
                ("Already up-to-date.", Some(M::Activity)),
                (
                    "error: Your local changes to the following files would be overwritten by merge:",
                    Some(M::Error),
                ),
            ],
        );
    }
}
