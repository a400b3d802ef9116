//! What goes over the helper's socket.

use serde::{Deserialize, Serialize};

use crate::agent::launcher::{Offer, RunCommand};
use crate::run::id::{CommandName, RunId};

/// The longest request, in bytes, its newline included.
pub const MAX_REQUEST: usize = 64 * 1024;
/// The longest answer, likewise.
pub const MAX_ANSWER: usize = 1024 * 1024;
/// The longest name of an operator, in bytes.
const MAX_BY: usize = 1024;

/// What the agent may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Which commands there are.
    Offer {},
    /// Start a run.
    Start {
        /// Which, and with which arguments.
        run: RunCommand,
    },
    /// Stop a run.
    Stop {
        /// Which.
        run: RunId,
        /// Who asked.
        by: String,
        /// Also in the middle of an activation.
        force: bool,
    },
    /// Which runs there are.
    List {},
    /// End the journal of a run whose supervisor is gone.
    Conclude {
        /// Which.
        run: RunId,
    },
    /// The dashboard has all of a run.
    Release {
        /// Which.
        run: RunId,
    },
}

/// What the helper answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To `offer`.
    Offer(Offer),
    /// To `stop`: whether there was a supervisor to ask.
    Stopped {
        /// There was.
        asked: bool,
    },
    /// To `list`.
    Runs {
        /// Oldest first.
        runs: Vec<ListedRun>,
    },
    /// To all else: it is done.
    Done,
    /// Nothing was done.
    Refused {
        /// Why, in words.
        reason: String,
    },
}

/// A run that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedRun {
    /// Its id.
    pub run: RunId,
    /// Its command.
    pub command: CommandName,
    /// Whether its supervisor lives.
    pub alive: bool,
}

/// Reads one request: a line of JSON, with or without its newline.
///
/// # Errors
/// In words: it is too long, no text, no request, or more than one.
pub fn parse(bytes: &[u8]) -> Result<Request, String> {
    if bytes.len() > MAX_REQUEST {
        return Err(format!("the request is longer than {MAX_REQUEST} bytes"));
    }
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if line.contains(&b'\n') {
        return Err("a connection carries one request, in one line".into());
    }
    let request: Request =
        serde_json::from_slice(line).map_err(|error| format!("this is no request: {error}"))?;
    if let Request::Stop { by, .. } = &request
        && by.len() > MAX_BY
    {
        return Err(format!("the operator's name is longer than {MAX_BY} bytes"));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_back_and_nothing_else_is_one() {
        let run = RunId::new();
        let start = Request::Start {
            run: RunCommand {
                run,
                command: "switch".parse().unwrap(),
                args: vec!["a".into()],
                requested_by: "ann".into(),
            },
        };
        let stop = Request::Stop {
            run,
            by: "ann".into(),
            force: true,
        };
        let others = [
            Request::Offer {},
            Request::List {},
            Request::Conclude { run },
            Request::Release { run },
        ];
        for request in [start, stop].iter().chain(&others) {
            let mut line = serde_json::to_vec(request).unwrap();
            assert_eq!(parse(&line).as_ref(), Ok(request));
            line.push(b'\n');
            assert_eq!(parse(&line).as_ref(), Ok(request));
        }
        let long = vec![b' '; MAX_REQUEST + 1];
        let bad: [(&[u8], &str); 9] = [
            (b"", "no request"),
            (b"null", "no request"),
            (br#"{"request":"shell","command":"sh"}"#, "unknown variant"),
            (br#"{"request":"offer","x":1}"#, "unknown field"),
            (br#"{"request":"release","run":"../../etc"}"#, "no request"),
            (br#"{"request":"stop","run":1}"#, "no request"),
            (
                b"{\"request\":\"offer\"}\n{\"request\":\"list\"}",
                "one request",
            ),
            (b"\xff\xfe", "no request"),
            (&long, "longer than"),
        ];
        for (bytes, part) in bad {
            let error = parse(bytes).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
