//! The derivations that Nix has listed before it builds them: what builds a line `building '…'` can be of.

use std::collections::HashSet;

/// The most derivations of a list that are remembered; of a longer one, none is told apart.
pub(super) const MAX_PLANNED: usize = 20_000;

/// The newest list. Entries follow its first line at once; what looks like one elsewhere is something else.
#[derive(Debug, Default)]
pub(super) struct Plan {
    announced: u64,
    found: u64,
    /// Names, since a derivation may be built under another path than it was listed with (content-addressed inputs).
    names: HashSet<String>,
    /// The line that an entry must follow.
    after: u64,
}

impl Plan {
    /// The first line of a list of that length.
    pub(super) fn begin(&mut self, announced: u64, line: u64) {
        *self = Self {
            announced,
            after: line,
            ..Self::default()
        };
    }

    /// Takes an entry; answers whether it is one.
    pub(super) fn entry(&mut self, name: &str, line: u64) -> bool {
        // Several lines of one record have its number.
        let next = line == self.after || line == self.after.saturating_add(1);
        if !next || self.found >= self.announced {
            return false;
        }
        self.after = line;
        self.found += 1;
        if self.names.len() < MAX_PLANNED {
            self.names.insert(name.to_owned());
        }
        true
    }

    /// Whether a build of that name is one of those listed; yes where nothing is known.
    pub(super) fn may_have(&self, name: &str) -> bool {
        let known = self.found == self.announced && self.found <= MAX_PLANNED as u64;
        !known || self.announced == 0 || self.names.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_list_tells_builds_apart() {
        let mut plan = Plan::default();
        assert!(plan.may_have("x"));
        assert!(!plan.entry("x", 1), "no list has begun");
        plan.begin(2, 10);
        assert!(plan.entry("a", 11));
        assert!(plan.may_have("x"), "the list is not whole");
        assert!(!plan.entry("b", 13), "another line stood between");
        assert!(plan.entry("b", 12));
        assert!(!plan.entry("c", 13), "the list is whole");
        assert!(plan.may_have("a") && plan.may_have("b") && !plan.may_have("c"));
        plan.begin(1, 20);
        assert!(plan.may_have("c"), "another list has begun");
    }

    #[test]
    fn a_list_over_the_limit_tells_nothing() {
        let count = MAX_PLANNED as u64 + 1;
        let mut plan = Plan::default();
        plan.begin(count, 0);
        for line in 1..=count {
            assert!(plan.entry(&format!("d{line}"), line));
        }
        assert_eq!(plan.names.len(), MAX_PLANNED);
        assert!(plan.may_have("x"));
    }
}
