//! What the lines of an earlier agent are: which kind of run they tell of, and where each one ends.

use crate::run::event::LineMark;
use crate::run::kind::{RebuildTool, RunKind};
use crate::run::lines::Found;
use crate::run::tracker::{Tracked, Tracker};

/// What a command of the earlier agents is.
pub(super) fn kind(command: &str, host_type: &str) -> RunKind {
    let action = match command {
        "switch" | "pull-switch" | "force-update" | "rollback" => "switch",
        "boot" | "build" | "dry-activate" => command,
        _ => return RunKind::Plain,
    };
    let tool = if host_type == "macos" {
        RebuildTool::DarwinRebuild
    } else {
        RebuildTool::NixosRebuild
    };
    RunKind::Rebuild {
        tool,
        action: action.into(),
    }
}

/// Takes what the assembler finds.
pub(super) struct Lines<'a> {
    pub tracker: &'a mut Tracker,
    pub marks: &'a mut Vec<LineMark>,
    pub found: &'a mut Vec<Tracked>,
    pub silent: &'a mut u64,
    pub count: &'a mut u64,
}

impl Lines<'_> {
    /// One piece.
    pub fn take(&mut self, piece: Found<'_>) {
        let number = *self.count + 1;
        match piece {
            Found::Line { mark, visible } => {
                if self.tracker.line(number, visible, self.found) {
                    *self.count = number;
                    let silent = std::mem::take(self.silent);
                    self.marks.push(LineMark {
                        len: mark.len + silent,
                        skip: mark.skip + silent,
                        ..mark
                    });
                } else {
                    *self.silent += mark.len;
                }
            }
            Found::Redraw { visible } => self.tracker.redraw(number, visible, self.found),
        }
    }
}
