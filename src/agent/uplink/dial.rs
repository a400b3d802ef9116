//! From an address to an open WebSocket, within a deadline.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, Response, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::Tls;
use crate::agent::identity::Identity;
use crate::agent::key_file::KeyPair;
use crate::wire::MAX_FRAME;

/// Looking up, connecting, TLS and upgrade together take no longer.
pub const DIAL_DEADLINE: Duration = Duration::from_secs(15);
/// How long one of several addresses may take.
const ONE_ADDRESS: Duration = Duration::from_secs(4);
/// What all of them but the last share: TLS and upgrade need time too.
const ALL_ADDRESSES: Duration = Duration::from_secs(8);
/// Bytes that are read at once. The library's default of 128 KiB is for those who receive more than acknowledgements.
const READ_BUFFER: usize = 8 * 1024;
/// What the system keeps for sending: a larger buffer would hold output that a heartbeat has to wait for.
const SEND_BUFFER: u32 = 128 * 1024;
/// What a proxy answers while the dashboard behind it is away.
const GATEWAY: [u16; 3] = [502, 503, 504];
/// The most of a refusal's body that is quoted, in characters.
const MAX_QUOTED: usize = 200;

/// An open connection.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An open connection, and the key that must be proven on it.
#[derive(Debug)]
pub struct Dialled {
    /// The connection.
    pub socket: Socket,
    /// The key that was shown.
    pub key: Option<KeyPair>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("{why:#}")]
pub struct DialError {
    /// In words, with what to do.
    why: anyhow::Error,
    /// No dashboard was reached: nothing listens, or what stands before it has nobody to pass the request to.
    pub is_away: bool,
}

/// Connects.
///
/// # Errors
/// See [`DialError`].
pub async fn dial(identity: &Identity, tls: &Tls) -> Result<Dialled, DialError> {
    let url = &identity.url;
    let mut is_away = false;
    timeout(DIAL_DEADLINE, attempt(identity, tls, &mut is_away))
        .await
        .unwrap_or_else(|_| {
            Err(anyhow!(
                "{url}: no answer within {} s; is the dashboard there?",
                DIAL_DEADLINE.as_secs()
            ))
        })
        .map_err(|why| DialError { why, is_away })
}

async fn attempt(identity: &Identity, tls: &Tls, is_away: &mut bool) -> anyhow::Result<Dialled> {
    let url = &identity.url;
    let (request, key) = request(identity).await?;
    *is_away = true;
    let stream = connect(&request)
        .await
        .with_context(|| format!("{url}: cannot connect"))?;
    *is_away = false;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_FRAME)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    match client_async_tls_with_config(request, stream, Some(config), Some(tls.connector())).await {
        Ok((socket, _)) => Ok(Dialled { socket, key }),
        Err(Error::Http(response)) => {
            *is_away = GATEWAY.contains(&response.status().as_u16());
            Err(refusal(identity, &response))
        }
        Err(error) => {
            Err(anyhow!(error)).with_context(|| format!("{url}: no WebSocket could be opened"))
        }
    }
}

async fn request(identity: &Identity) -> anyhow::Result<(Request<()>, Option<KeyPair>)> {
    let mut request = identity
        .url
        .as_str()
        .into_client_request()
        .with_context(|| format!("`url` {}: is not an address", identity.url))?;
    // Its file may be on a disk that does not move: heartbeats go on meanwhile, and the deadline counts.
    let credential = identity.credential.clone();
    let shown = spawn_blocking(move || credential.show()).await??;
    let mut value = HeaderValue::from_str(&shown.authorization).map_err(|_| {
        anyhow!(
            "the token in {} has characters that no token has",
            identity.credential.place()
        )
    })?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    Ok((request, shown.key))
}

async fn connect(request: &Request<()>) -> anyhow::Result<TcpStream> {
    let uri = request.uri();
    let host = uri.host().context("the address has no host")?;
    let default = if uri.scheme_str() == Some("wss") {
        443
    } else {
        80
    };
    let port = uri.port_u16().unwrap_or(default);
    reach(host.trim_start_matches('[').trim_end_matches(']'), port).await
}

/// Connects to the first address of `host` that answers.
///
/// # Errors
/// The name is not known, or none answers.
pub async fn reach(host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = lookup_host((host, port))
        .await
        .with_context(|| format!("the name {host} is not known"))?
        .collect();
    let found = reach_any(&addresses).await;
    found.with_context(|| format!("no address of {host} answers"))
}

/// The first of them that answers. One that swallows packets must not keep the others from being tried.
async fn reach_any(addresses: &[SocketAddr]) -> anyhow::Result<TcpStream> {
    let share = ALL_ADDRESSES / u32::try_from(addresses.len().max(1))?;
    let share = share.min(ONE_ADDRESS);
    let mut errors = Vec::new();
    for (n, address) in addresses.iter().enumerate() {
        let connecting = open(*address);
        let opened = if n + 1 < addresses.len() {
            let opened = timeout(share, connecting).await;
            opened.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        } else {
            // The last one has all the time that is left.
            connecting.await
        };
        match opened {
            Ok(stream) => return Ok(stream),
            Err(error) => errors.push(format!("{address}: {error}")),
        }
    }
    anyhow::ensure!(!errors.is_empty(), "it has none");
    Err(anyhow!(errors.join("; ")))
}

async fn open(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()
    } else {
        TcpSocket::new_v4()
    }?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What an HTTP answer instead of an upgrade means.
fn refusal(identity: &Identity, response: &Response<Option<Vec<u8>>>) -> anyhow::Error {
    let status = response.status();
    let body = response.body().as_deref().unwrap_or_default();
    let body: String = String::from_utf8_lossy(body)
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_QUOTED)
        .collect();
    let said = if body.is_empty() {
        String::new()
    } else {
        format!(" ({body})")
    };
    match status.as_u16() {
        401 | 403 => identity.credential.refused(&format!("{status}{said}")),
        404 => anyhow!(
            "{}: {status}{said}; is `url` the dashboard's address?",
            identity.url
        ),
        _ => anyhow!("{}: {status} instead of a WebSocket{said}", identity.url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;
    use tokio::time::{Instant, pause};

    #[tokio::test]
    async fn an_address_that_swallows_packets_does_not_hide_the_next_one() {
        // Once the queue of a listener that takes nothing is full, the system answers no further connection.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let silent = socket.listen(1).unwrap();
        let silent = (silent.local_addr().unwrap(), silent);
        let mut filling = Vec::new();
        while let Ok(opened) = timeout(Duration::from_millis(500), open(silent.0)).await {
            filling.push(opened.unwrap());
        }
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = (good.local_addr().unwrap(), good);
        let refused = ([127, 0, 0, 1], 1).into();
        pause();
        let began = Instant::now();
        let reached = reach_any(&[silent.0, refused, good.0]).await.unwrap();
        assert_eq!(reached.peer_addr().unwrap(), good.0);
        let took = began.elapsed().as_millis();
        assert!((2600..2800).contains(&took), "a third of 8 s: {took} ms");
        let error = reach_any(&[silent.0, refused])
            .await
            .unwrap_err()
            .to_string();
        let named = [
            silent.0.to_string(),
            "timed out".into(),
            "127.0.0.1:1: ".into(),
        ];
        assert!(named.iter().all(|part| error.contains(part)), "{error}");
        let error = reach_any(&[]).await.unwrap_err().to_string();
        assert_eq!(error, "it has none");
    }
}
