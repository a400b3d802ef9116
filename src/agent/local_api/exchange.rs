//! One connection: a request, its answer, and the next one.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::listen::Stream;
use super::request::{self, Parsed, Request};
use super::routes::{self, Response};
use super::{Api, Door};

/// How long a head may take from its first byte, and the first one from the connection's beginning.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// How long a connection may wait for its next request.
const IDLE_DEADLINE: Duration = Duration::from_secs(30);
/// How long the other end may take to take an answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes that are read at once.
const READ: usize = 1024;

/// Answers until the other end has enough, takes too long, or asks what is no question.
/// `open` says how many connections there are.
pub(super) async fn exchange(
    mut stream: Stream,
    api: Arc<Api>,
    door: Arc<Door>,
    open: Arc<AtomicUsize>,
) {
    let mut buffer = Vec::with_capacity(READ);
    let mut first = true;
    loop {
        let (response, keep_alive) = match next(&mut stream, &mut buffer, first).await {
            Next::Request(request) => {
                api.requests.fetch_add(1, Relaxed);
                let response = routes::answer(&api, &door, &request);
                // Where many come, none keeps its place.
                let room = open.load(Relaxed) <= door.most / 2;
                let keep_alive = request.keep_alive && !request.has_body && room;
                (response.bytes(&request.method, keep_alive), keep_alive)
            }
            Next::Bad(status, why) => (Response::error(status, why).bytes("GET", false), false),
            Next::End => return,
        };
        first = false;
        match timeout(ANSWER_DEADLINE, stream.write_all(&response)).await {
            Ok(Ok(())) if keep_alive => {}
            _ => break,
        }
    }
    let _ = timeout(ANSWER_DEADLINE, stream.shutdown()).await;
}

/// What came next.
enum Next {
    Request(Request),
    Bad(u16, &'static str),
    End,
}

/// Reads one head; what follows it stays in `buffer`.
async fn next(stream: &mut Stream, buffer: &mut Vec<u8>, first: bool) -> Next {
    if !first && buffer.is_empty() {
        match timeout(IDLE_DEADLINE, read(stream, buffer)).await {
            Ok(true) => {}
            _ => return Next::End,
        }
    }
    let head = async {
        loop {
            match request::parse(buffer) {
                Parsed::Head(request, length) => {
                    buffer.drain(..length);
                    return Next::Request(request);
                }
                Parsed::Bad(status, why) => return Next::Bad(status, why),
                Parsed::More => {
                    if !read(stream, buffer).await {
                        return Next::End;
                    }
                }
            }
        }
    };
    let head = timeout(HEAD_DEADLINE, head).await;
    head.unwrap_or(Next::Bad(408, "the request took too long"))
}

/// Reads what is there; answers whether there was something.
async fn read(stream: &mut Stream, buffer: &mut Vec<u8>) -> bool {
    let mut bytes = [0; READ];
    match stream.read(&mut bytes).await {
        Ok(length) if length > 0 => {
            buffer.extend_from_slice(&bytes[..length]);
            true
        }
        _ => false,
    }
}
