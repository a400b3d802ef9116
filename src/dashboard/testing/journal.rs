//! What a supervisor would have written.

use tokio_tungstenite::tungstenite::Message;

use crate::run::event::{LineMark, Outcome, RunEvent};
use crate::run::id::{RunId, Seq};
use crate::run::phase::RunState;
use crate::wire::to_dashboard::KnownRun;
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
}

impl Journal {
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            seq: 0,
            lines: 0,
            bytes: 0,
            open: 0,
        }
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
            },
            lines: self.lines,
            bytes: self.bytes,
            crc32c: 0,
            generation: None,
        };
        self.record(&event, b"")
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
