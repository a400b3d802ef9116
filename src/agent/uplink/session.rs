//! One connection: register, then heartbeats, runs and their output until it ends.

mod registration;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;

use super::dial::{Dialled, Socket};
use super::v2::{self, Taken};
use super::writer::{self, MAX_CONTROL, MAX_OUTPUT, MAX_STATUS, Queues};
use super::{End, Uplink, closed, proof};
use crate::agent::health::Health;
use crate::agent::key_file::KeyPair;
use crate::agent::runs::Request;
use crate::agent::shipper::Word;
use crate::agent::subjects::MAX_MESSAGES;
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{CommandRejected, ToDashboard};

/// A peer that says nothing, not even a pong, for this long is given up.
const READ_DEADLINE: Duration = Duration::from_secs(45);
/// How long the dashboard may take to answer `register`: whoever only answers pings is none.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the dashboard may take to answer the closing of the connection.
const CLOSE_DEADLINE: Duration = Duration::from_secs(3);
/// How long the closing waits while a run goes on: what ends the agent is often the run's own switch, and that it has
/// begun its activation must be known, or the host counts as away for no reason.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// How long the dashboard may take to ask for a proof of the key.
const CHALLENGE: Duration = Duration::from_secs(crate::wire::key::PROOF_SECONDS);
/// The most of an unreadable message that is logged, in characters.
const MAX_QUOTED: usize = 200;

/// What goes on in one connection.
struct Session<'a> {
    uplink: &'a Uplink,
    tasks: JoinSet<Result<(), String>>,
    control: mpsc::Sender<ToDashboard>,
    status: mpsc::Sender<ToDashboard>,
    messages: mpsc::Sender<ToDashboard>,
    output: mpsc::Sender<Bytes>,
    /// To be proven before anything else is said.
    key: Option<KeyPair>,
    /// To the task that starts and stops runs, once the dashboard has answered.
    requests: Option<mpsc::Sender<Request>>,
    /// To the shipper, once there is one.
    words: Option<mpsc::Sender<Word>>,
    registered: bool,
    /// Whether the dashboard speaks the earlier protocol.
    earlier: Arc<AtomicBool>,
    /// Counts pongs: the one answer that an earlier dashboard gives.
    pongs: watch::Sender<u64>,
    /// When the dashboard was last heard, once it has answered as one of this protocol.
    heard: watch::Sender<Option<Instant>>,
}

/// Serves the connection until it ends. Everything that it started ends with it, the runs excepted.
pub async fn serve(uplink: &Uplink, dialled: Dialled, shutdown: &CancellationToken) -> End {
    let (sink, mut stream) = dialled.socket.split();
    let (control, control_queue) = mpsc::channel(MAX_CONTROL);
    let (status, status_queue) = mpsc::channel(MAX_STATUS);
    let (messages, message_queue) = mpsc::channel(MAX_MESSAGES);
    let (output, output_queue) = mpsc::channel(MAX_OUTPUT);
    let close = CancellationToken::new();
    let earlier = Arc::new(AtomicBool::new(false));
    let (heard, last_heard) = watch::channel(None);
    let queues = Queues {
        control: control_queue,
        status: status_queue,
        messages: message_queue,
        output: output_queue,
        close: close.clone(),
        earlier: Arc::clone(&earlier),
        heard: last_heard,
    };
    let mut session = Session {
        uplink,
        tasks: JoinSet::new(),
        control,
        status,
        messages,
        output,
        key: dialled.key,
        requests: None,
        words: None,
        registered: false,
        earlier,
        pongs: watch::channel(0).0,
        heard,
    };
    session.tasks.spawn(writer::write(sink, queues));
    let end = session.listen(&mut stream, shutdown).await;
    uplink.health.send_modify(Health::gone);
    uplink.subjects.disconnected();
    if !matches!(end, End::Lost { .. }) {
        let busy = uplink.runs.as_ref().is_some_and(|runs| !runs.is_idle());
        if matches!(end, End::Shutdown) && busy {
            tokio::time::sleep(LAST_WORDS).await;
        }
        close.cancel();
        // The dashboard's own closing frame tells that it has read all before it.
        let goodbye = async { while let Some(Ok(_)) = stream.next().await {} };
        if timeout(CLOSE_DEADLINE, goodbye).await.is_err() {
            tracing::debug!("the dashboard did not answer the closing");
        }
    }
    session.tasks.shutdown().await;
    end
}

/// The message, or a word in the log that it is none.
fn understood<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text)
        .inspect_err(|error| {
            let quoted = text.chars().take(MAX_QUOTED).flat_map(char::escape_debug);
            let quoted: String = quoted.collect();
            tracing::warn!("ignored: a message that is not understood ({error}): {quoted}");
        })
        .ok()
}

impl Session<'_> {
    async fn listen(
        &mut self,
        stream: &mut SplitStream<Socket>,
        shutdown: &CancellationToken,
    ) -> End {
        if let Some(key) = self.key.take() {
            let challenge = timeout(CHALLENGE, proof::challenge(stream));
            let challenged = tokio::select! {
                () = shutdown.cancelled() => return End::Shutdown,
                challenged = challenge => challenged,
            };
            let said = challenged
                .unwrap_or_else(|_| Err("the dashboard asked for no proof of the key".into()))
                .and_then(|nonce| self.say(proof::proof(&self.uplink.identity, &key, &nonce)));
            if let Err(reason) = said {
                return self.lost(reason);
            }
        }
        let registered = tokio::select! {
            () = shutdown.cancelled() => return End::Shutdown,
            registered = self.register() => registered,
        };
        if let Err(reason) = registered {
            return self.lost(reason);
        }
        let answer_due = Instant::now() + ANSWER;
        loop {
            let silence_due = Instant::now() + READ_DEADLINE;
            let due = if self.registered {
                silence_due
            } else {
                silence_due.min(answer_due)
            };
            let received = tokio::select! {
                () = shutdown.cancelled() => return End::Shutdown,
                Some(ended) = self.tasks.join_next() => {
                    let reason = match ended {
                        Ok(Err(reason)) => reason,
                        Ok(Ok(())) => "the connection was closed".to_owned(),
                        Err(panicked) => format!("a task of the connection failed: {panicked}"),
                    };
                    return self.lost(reason);
                }
                received = timeout_at(due, stream.next()) => received,
            };
            let message = match received {
                Err(_) if due == answer_due => {
                    return self.lost(format!(
                        "{}: connected, but `register` was not answered within {} s; is `url` a dashboard's address, and can the dashboard write its store?",
                        self.uplink.identity.url,
                        ANSWER.as_secs()
                    ));
                }
                Err(_) => {
                    return self.lost(format!(
                        "the dashboard said nothing for {} s",
                        READ_DEADLINE.as_secs()
                    ));
                }
                Ok(None) => return self.lost("the dashboard closed the connection".into()),
                Ok(Some(Err(error))) => {
                    return self.lost(format!("the connection failed: {error}"));
                }
                Ok(Some(Ok(message))) => message,
            };
            if self.registered && !self.is_earlier() {
                self.heard.send_replace(Some(Instant::now()));
            }
            match message {
                Message::Text(text) => match self.take(&text) {
                    Ok(false) => {}
                    Ok(true) => return End::Acknowledged,
                    Err(reason) => return self.lost(reason),
                },
                Message::Close(frame) => return self.lost(closed(frame)),
                Message::Binary(_) => {
                    tracing::warn!("ignored: a binary message; the dashboard sends none");
                }
                Message::Pong(_) => {
                    self.pongs.send_modify(|n| *n += 1);
                    // It was sent after the first heartbeat.
                    if self.uplink.once && self.is_earlier() {
                        return End::Acknowledged;
                    }
                }
                Message::Ping(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Takes one message; answers whether this was all that `--once` asks for.
    fn take(&mut self, text: &str) -> Result<bool, String> {
        if self.is_earlier() {
            let Some(message) = understood(text) else {
                return Ok(false);
            };
            let Some(runs) = &self.uplink.runs else {
                tracing::warn!("ignored: a command, which this program does not offer");
                return Ok(false);
            };
            match v2::take(message, runs) {
                Taken::Request(_) if self.uplink.once => {
                    tracing::warn!("ignored: a request during --once");
                }
                Taken::Request(request) => self.ask(request)?,
                Taken::Answer(answer) => self.say(answer)?,
                Taken::Ignored(why) => tracing::warn!("ignored: {why}"),
            }
            return Ok(false);
        }
        let Some(message) = understood(text) else {
            return Ok(false);
        };
        match message {
            ToAgent::Registered(registered) => self.registered(registered)?,
            ToAgent::HeartbeatAck { n } => {
                tracing::trace!("heartbeat {n} acknowledged");
                self.uplink.health.send_modify(Health::acknowledged);
                return Ok(self.uplink.once);
            }
            ToAgent::Run(request) if self.uplink.once => {
                self.say(ToDashboard::CommandRejected(CommandRejected {
                    run: Some(request.run),
                    reason: "this is `--once`, which only tells how the host is".into(),
                    ..CommandRejected::default()
                }))?;
            }
            ToAgent::Run(request) if self.uplink.runs.is_none() => {
                self.say(ToDashboard::CommandRejected(CommandRejected {
                    run: Some(request.run),
                    reason: "this agent is part of another program and runs no commands".into(),
                    ..CommandRejected::default()
                }))?;
            }
            ToAgent::Run(request) => self.ask(Request::Start(request))?,
            ToAgent::RunStop(stop) => self.ask(Request::Stop(stop))?,
            ToAgent::FlushInterval(flush) => self.tell(Word::Flush(flush))?,
            ToAgent::RunAck(ack) => self.tell(Word::Ack(ack))?,
            ToAgent::Message(message) => self.uplink.subjects.deliver(*message, text.len()),
            ToAgent::Published(published) => self.uplink.subjects.published(published),
            ToAgent::MessagesDropped { n } => self.uplink.subjects.lost(n),
            ToAgent::Challenge { .. } => tracing::warn!("ignored: a challenge without a key"),
        }
        Ok(false)
    }

    fn is_earlier(&self) -> bool {
        self.earlier.load(Ordering::Relaxed)
    }

    fn ask(&self, request: Request) -> Result<(), String> {
        let Some(requests) = &self.requests else {
            tracing::warn!("ignored: a request before `registered`");
            return Ok(());
        };
        requests
            .try_send(request)
            .map_err(|_| "too many requests wait: does the disk hang?".to_owned())
    }

    /// What is said before there is a shipper concerns no record of this connection.
    fn tell(&self, word: Word) -> Result<(), String> {
        match &self.words {
            Some(words) => words
                .try_send(word)
                .map_err(|_| "too many acknowledgements wait".to_owned()),
            None => Ok(()),
        }
    }

    fn say(&self, message: ToDashboard) -> Result<(), String> {
        self.control
            .try_send(message)
            .map_err(|_| "the connection does not move: too many messages wait".to_owned())
    }

    fn lost(&self, reason: String) -> End {
        End::Lost {
            reason,
            registered: self.registered,
        }
    }
}
