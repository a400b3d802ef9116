//! What the dashboard itself knows of a run, beside what its records say; and the run that both add up to.

use std::borrow::Cow;

use super::RunRow;
use crate::base::clock::Millis;
use crate::run::id::Seq;
use crate::run::view::RunView;

/// Stored with the run, in the same transaction as its records.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Notes {
    /// CRC32C of the output so far; none where it cannot be known: after bytes that the host did not keep, and for runs
    /// that an earlier dashboard began.
    pub crc32c: Option<u32>,
    /// Whether the whole output is what the host read; none while that is not known.
    pub verified: Option<bool>,
    /// Why the output is not trusted, in words.
    pub doubt: Option<String>,
    /// The output that was set aside when the host was asked for all of it again, which happens once in a run's life.
    pub aside: Option<Aside>,
    /// How the run stands by records that have not come yet.
    pub ahead: Option<Ahead>,
    /// What there was when the run was ended here although its end was known, and its output was not.
    pub cut: Option<Box<Cut>>,
    /// The last record whose build times are in the history: one that is sent again tells nothing new.
    pub learnt: Seq,
    /// How much of its expected time was last said to be over, 0 to 99.
    pub percent: u8,
    /// A run that waits for its host: until when, by the dashboard's clock.
    pub queued_until: Option<Millis>,
    /// Why output may be missing that nobody can count: its agent could not send it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unheard: Option<String>,
    /// Records are missing, and so may be lines at the ends of builds' logs; or such lines were removed here.
    pub build_logs_cut: bool,
}

/// The measures of output that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Aside {
    /// Bytes in all.
    pub bytes: u64,
    /// Lines in all.
    pub lines: u64,
    /// Its CRC32C.
    #[serde(default)]
    pub crc32c: Option<u32>,
}

/// How a run stands on its host, ahead of its records.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ahead {
    /// The newest record that it is made of.
    pub last_seq: Seq,
    /// The run.
    pub view: RunView,
}

/// A run that ended without all of its output, as it was before.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cut {
    /// What the records said.
    pub view: RunView,
    /// What was said ahead of them.
    pub ahead: Option<Ahead>,
}

impl Notes {
    /// Of a run that begins.
    pub fn new() -> Self {
        Self {
            crc32c: Some(0),
            ..Self::default()
        }
    }
}

impl RunRow {
    /// The run as it is shown: the newer of what the records say and of what the host said ahead of them. Lines and
    /// bytes are always the stored ones.
    pub fn shown(&self) -> Cow<'_, RunView> {
        let Some(ahead) = self.ahead() else {
            return Cow::Borrowed(&self.view);
        };
        let stored = &self.view;
        Cow::Owned(RunView {
            lines: stored.lines,
            bytes: stored.bytes,
            bytes_missing: stored.bytes_missing.max(ahead.bytes_missing),
            warnings: stored.warnings.max(ahead.warnings),
            errors: stored.errors.max(ahead.errors),
            recovered: stored.recovered || ahead.recovered,
            ..ahead.clone()
        })
    }

    /// What the host said, if it is ahead of the records.
    fn ahead(&self) -> Option<&RunView> {
        let ahead = self.notes.ahead.as_ref()?;
        (ahead.last_seq > self.last_seq).then_some(&ahead.view)
    }

    /// Bytes of output that the host has and that are not here yet.
    pub fn bytes_pending(&self) -> u64 {
        let Some(ahead) = self.ahead() else { return 0 };
        let kept = |view: &RunView| view.bytes.saturating_sub(view.bytes_missing);
        kept(ahead).saturating_sub(kept(&self.view))
    }

    /// Whether the run has ended on its host. Records of it may still come.
    pub fn has_ended(&self) -> bool {
        self.shown().state.is_terminal()
    }

    /// Whether nothing more will come.
    pub fn is_complete(&self) -> bool {
        self.view.state.is_terminal()
    }

    /// Whether it has ended, and its output is not all here as the host read it.
    pub fn is_incomplete(&self) -> bool {
        let view = self.shown();
        view.state.is_terminal()
            && (!self.is_complete()
                || view.bytes_missing > 0
                || self.notes.verified == Some(false)
                || self.notes.unheard.is_some())
    }

    /// Whether it waits for its host.
    pub fn is_waiting(&self) -> bool {
        self.notes.queued_until.is_some() && !self.is_complete()
    }
}
