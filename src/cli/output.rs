//! Where results go: text for people, JSON for programs.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

/// Standard output. Every write may find the pipe closed, which ends the program quietly.
#[derive(Debug)]
pub struct Output {
    json: bool,
    colour: bool,
    stdout: io::Stdout,
}

impl Output {
    /// Colours only on a terminal, and not with `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            colour: wanted && io::stdout().is_terminal(),
            stdout: io::stdout(),
        }
    }

    /// Whether JSON is wanted.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether colours are.
    pub fn has_colour(&self) -> bool {
        self.colour
    }

    /// Prints text as it is.
    pub fn text(&self, text: &str) -> io::Result<()> {
        let mut out = self.stdout.lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints one JSON document on a line of its own.
    pub fn document(&self, document: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(document)?;
        line.push(b'\n');
        let mut out = self.stdout.lock();
        out.write_all(&line)?;
        out.flush()
    }
}
