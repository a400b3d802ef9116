//! Server-sent events: parsing, and a stream that reconnects and goes on where it was.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use super::client::{Client, ClientError};
use crate::base::backoff::Backoff;

/// The longest line of a stream, in bytes. A batch of output lines is one line here.
const MAX_LINE: u64 = 16 << 20;
/// After so long without a connection, following ends.
const GIVE_UP: Duration = Duration::from_secs(300);

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its kind.
    pub event: String,
    /// What it says.
    pub data: String,
}

/// Lines in, events out.
#[derive(Debug, Default)]
pub struct Parser {
    event: Event,
    has_data: bool,
    /// The id of the event that is being read. It counts only once the event is complete: going on after an event that
    /// never arrived would lose it.
    pending_id: Option<String>,
    last_id: Option<String>,
}

impl Parser {
    /// Takes one line without its end; answers the event that it completes.
    pub fn push(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if let Some(id) = self.pending_id.take() {
                self.last_id = Some(id);
            }
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.event),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            "id" if !value.contains('\0') => self.pending_id = Some(value.to_owned()),
            // Comments, which keep the connection alive, and fields of later servers.
            _ => {}
        }
        None
    }

    /// The id to go on after.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// A new connection begins: what was unfinished comes again.
    pub fn restart(&mut self) {
        self.event = Event::default();
        self.has_data = false;
        self.pending_id = None;
    }
}

/// Reads one line without its end; none at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    reader.take(MAX_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        // The end, in the middle of a line or not, or a line that no dashboard sends.
        return Ok(None);
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A stream of events that survives lost connections.
pub struct Events<'a> {
    client: &'a Client,
    path: String,
    parser: Parser,
    reader: Option<Box<dyn BufRead + Send>>,
    backoff: Backoff,
    last_contact: Instant,
}

impl<'a> Events<'a> {
    /// Connects.
    ///
    /// # Errors
    /// The first connection fails; later ones are tried again.
    pub fn open(client: &'a Client, path: String) -> Result<Self, ClientError> {
        let reader = connect(client, &path, None)?;
        Ok(Self {
            client,
            path,
            parser: Parser::default(),
            reader: Some(reader),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(15)),
            last_contact: Instant::now(),
        })
    }

    /// Waits for the next event, over as many connections as it takes.
    ///
    /// # Errors
    /// The dashboard says no, or it was away for five minutes.
    pub fn next_event(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(reader) = &mut self.reader {
                match read_line(reader) {
                    Ok(Some(line)) => {
                        self.last_contact = Instant::now();
                        if let Some(event) = self.parser.push(&line) {
                            self.backoff.reset();
                            return Ok(event);
                        }
                        continue;
                    }
                    Ok(None) | Err(_) => self.reader = None,
                }
            }
            self.reconnect()?;
        }
    }

    fn reconnect(&mut self) -> Result<(), ClientError> {
        self.parser.restart();
        std::thread::sleep(self.backoff.next(fastrand::f64()));
        match connect(self.client, &self.path, self.parser.last_id()) {
            Ok(reader) => {
                self.reader = Some(reader);
                Ok(())
            }
            // A dashboard that is starting may refuse as well as not answer.
            Err(ClientError::Refused { status, .. }) if status.is_server_error() => Ok(()),
            Err(ClientError::Unreachable { .. }) if self.last_contact.elapsed() < GIVE_UP => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn connect(
    client: &Client,
    path: &str,
    after: Option<&str>,
) -> Result<Box<dyn BufRead + Send>, ClientError> {
    Ok(Box::new(BufReader::new(client.stream(path, after)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stream: &str, expected: &[(&str, &str)], id: Option<&str>) {
        let mut reader = BufReader::with_capacity(3, stream.as_bytes());
        let mut parser = Parser::default();
        let mut found = Vec::new();
        while let Some(line) = read_line(&mut reader).unwrap() {
            found.extend(parser.push(&line));
        }
        let found: Vec<_> = found
            .iter()
            .map(|event| (event.event.as_str(), event.data.as_str()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(parser.last_id(), id);
    }

    #[test]
    fn streams_are_read_as_the_standard_says() {
        check("event: run\ndata: {}\n\n", &[("run", "{}")], None);
        check(
            "id: 7\r\nevent:lines\r\ndata:a\r\ndata: b\r\n\r\n",
            &[("lines", "a\nb")],
            Some("7"),
        );
        check(": keep-alive\n\n: again\n\n", &[], None);
        check("data: 1\n\ndata: 2\n\n", &[("", "1"), ("", "2")], None);
        check("data\n\n", &[("", "")], None);
        check("event: x\n\ndata: 1\n\n", &[("", "1")], None);
        check(
            "data: {\"a\": \"b: c\"}\nretry: 1\nnew: x\n\n",
            &[("", "{\"a\": \"b: c\"}")],
            None,
        );
        check("data: whole\n\ndata: cut o", &[("", "whole")], None);
        check(
            "id: 3\ndata: x\n\nid: 9\ndata: never finished\n",
            &[("", "x")],
            Some("3"),
        );
        check("", &[], None);
    }
}
