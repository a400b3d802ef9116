//! What a supervisor would have written.

use tokio_tungstenite::tungstenite::Message;

use crate::run::event::{LineMark, Outcome, RunEvent};
use crate::run::id::{RunId, Seq};
use crate::run::phase::{Phase, RunState};
use crate::run::view::RunView;
use crate::wire::to_dashboard::{KnownRun, RunStatus, ToDashboard};
use crate::wire::{frame, record};

/// A run's journal in the making.
#[derive(Debug, Clone)]
pub struct Journal {
    pub run: RunId,
    pub seq: u64,
    lines: u64,
    bytes: u64,
    /// Bytes of the unfinished line before.
    open: u64,
    /// Of all output.
    pub crc32c: u32,
}

impl Journal {
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            seq: 0,
            lines: 0,
            bytes: 0,
            open: 0,
            crc32c: 0,
        }
    }

    /// Any event that carries no output.
    pub fn event(&mut self, event: &RunEvent) -> Vec<u8> {
        self.record(event, b"")
    }

    fn record(&mut self, event: &RunEvent, raw: &[u8]) -> Vec<u8> {
        self.seq += 1;
        let mut bytes = Vec::new();
        record::encode(Seq(self.seq), event, raw, &mut bytes).unwrap();
        bytes
    }

    pub fn started(&mut self) -> Vec<u8> {
        let event = RunEvent::Started {
            at: 1000,
            argv: vec!["true".into()],
            agent_version: "0".into(),
            boot_id: None,
            generation: None,
            system: None,
        };
        self.record(&event, b"")
    }

    pub fn phase(&mut self, phase: Phase) -> Vec<u8> {
        let event = RunEvent::Phase {
            at: 1500,
            phase,
            line: self.lines + 1,
        };
        self.record(&event, b"")
    }

    pub fn output(&mut self, raw: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        let first_line = self.lines + 1;
        for byte in raw {
            self.open += 1;
            if *byte == b'\n' {
                lines.push(LineMark {
                    len: self.open,
                    skip: 0,
                    ago: 0,
                });
                self.open = 0;
            }
        }
        self.lines += lines.len() as u64;
        let offset = self.bytes;
        self.bytes += raw.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, raw);
        let event = RunEvent::Output {
            at: 2000 + self.seq,
            offset,
            first_line,
            lines,
            tail_skip: 0,
        };
        self.record(&event, raw)
    }

    pub fn finished(&mut self, state: RunState) -> Vec<u8> {
        let event = RunEvent::Finished {
            at: 9000,
            outcome: Outcome {
                state,
                exit_code: Some(0),
                signal: None,
                reason: None,
                failure: None,
            },
            lines: self.lines,
            bytes: self.bytes,
            crc32c: self.crc32c,
            generation: None,
            system: None,
        };
        self.record(&event, b"")
    }

    /// Output that the host could not keep.
    pub fn gap(&mut self, bytes: u64, lines: u64) -> Vec<u8> {
        let event = RunEvent::Gap {
            at: 3000,
            offset: self.bytes,
            bytes,
            lines,
            reason: "the disk was full".into(),
        };
        self.bytes += bytes;
        self.lines += lines;
        self.record(&event, b"")
    }

    /// What the records so far add up to.
    pub fn checkpoint(&mut self) -> Vec<u8> {
        let event = RunEvent::Checkpoint {
            at: 4000,
            offset: self.bytes,
            lines: self.lines,
            crc32c: self.crc32c,
            view: Box::new(self.view(RunState::Running)),
        };
        self.record(&event, b"")
    }

    pub fn view(&self, state: RunState) -> RunView {
        let over = state.is_terminal();
        RunView {
            state,
            started_at: Some(1000),
            finished_at: over.then_some(9000),
            outcome: over.then_some(Outcome {
                state,
                exit_code: Some(0),
                signal: None,
                reason: None,
                failure: None,
            }),
            lines: self.lines,
            bytes: self.bytes,
            ..RunView::default()
        }
    }

    /// How it stands, ahead of its records.
    pub fn status(&self, state: RunState) -> ToDashboard {
        ToDashboard::RunStatus(Box::new(RunStatus {
            run: self.run,
            last_seq: Seq(self.seq),
            view: self.view(state),
        }))
    }

    /// A frame of some of its records.
    pub fn frame(&self, records: &[u8]) -> Message {
        Message::binary(frame::encode(self.run, Seq(0), Seq(self.seq), records).unwrap())
    }

    pub fn known(&self) -> KnownRun {
        KnownRun {
            run: self.run,
            command: "switch".parse().unwrap(),
            last_seq: Seq(self.seq),
            alive: true,
        }
    }
}
