//! One `POST` over a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::verdict;
use crate::agent::uplink::{ClientConfig, reach};
use crate::base::secret::Secret;

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The most header lines.
const MAX_HEADERS: usize = 64;
/// The most of a refusal's body that is read, in bytes, and quoted, in characters.
const MAX_SAID: usize = 200;
/// How long it may take to come.
const QUOTED: Duration = Duration::from_millis(200);

/// What a back-end answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// It takes bodies that are compressed with zstd.
    pub takes_zstd: bool,
    /// The bytes of the body, where it says so.
    pub length: Option<usize>,
    /// The beginning of a refusal's body.
    pub said: String,
}

/// Writes the request.
pub(super) fn request(
    address: &Address,
    key: Option<&Secret>,
    body: &[u8],
    zstd: bool,
) -> anyhow::Result<Vec<u8>> {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: nixfleet-agent/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nAccept: application/json\r\nConnection: close\r\n",
        address.target,
        address.authority,
        crate::base::VERSION,
        body.len()
    );
    if zstd {
        head.push_str("Content-Encoding: zstd\r\n");
    }
    if let Some(key) = key {
        let key = key.expose();
        anyhow::ensure!(
            key.bytes().all(|byte| byte.is_ascii_graphic()),
            "the key in `api_key_file` has characters that no key has"
        );
        head.push_str("X-API-Key: ");
        head.push_str(key);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// Sends it and reads the answer. Has no deadline of its own.
pub(super) async fn post(
    address: &Address,
    tls: Option<&Arc<ClientConfig>>,
    request: &[u8],
) -> anyhow::Result<Answer> {
    let stream = reach(&address.host, address.port).await?;
    if !address.tls {
        return exchange(stream, request).await;
    }
    let config = tls.context("TLS is not set up")?;
    let name = ServerName::try_from(address.host.clone())
        .map_err(|_| anyhow!("{} is no name that a certificate could have", address.host))?;
    let connector = TlsConnector::from(Arc::clone(config));
    let stream = connector
        .connect(name, stream)
        .await
        .context("no TLS connection")?;
    exchange(stream, request).await
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> anyhow::Result<Answer> {
    // A back-end that refuses a body may answer before it has read it.
    let written = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    let written = written.await;
    let mut bytes = Vec::with_capacity(1024);
    let (mut answer, length) = loop {
        if let Some(parsed) = parse(&bytes)? {
            break parsed;
        }
        if !read(&mut stream, &mut bytes).await {
            written.context("the connection failed")?;
            bail!("it closed the connection without an answer");
        }
    };
    if !(200..300).contains(&answer.status) {
        // The status is the answer. What else is said is worth a moment, and no end of the connection.
        let whole = length + answer.length.unwrap_or(MAX_SAID).min(MAX_SAID);
        let _ = timeout(QUOTED, async {
            while bytes.len() < whole && read(&mut stream, &mut bytes).await {}
        })
        .await;
        let said = String::from_utf8_lossy(&bytes[length..]);
        let said = said.chars().map(|c| if c.is_control() { ' ' } else { c });
        let said: String = said.take(MAX_SAID).collect();
        said.trim().clone_into(&mut answer.said);
    }
    Ok(answer)
}

/// Reads what is there; answers whether there was something.
async fn read(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 1024];
    match stream.read(&mut buffer).await {
        Ok(length) if length > 0 => {
            bytes.extend_from_slice(&buffer[..length]);
            true
        }
        _ => false,
    }
}

/// The head of an answer and its length, once it is whole.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<(Answer, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        _ => bail!("what it answers is no HTTP"),
    };
    let mut answer = Answer {
        status: head.code.unwrap_or_default(),
        ..Answer::default()
    };
    for header in head.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default();
        if header.name.eq_ignore_ascii_case("retry-after") {
            answer.retry_after = verdict::retry_after(value, crate::base::clock::now());
        } else if header.name.eq_ignore_ascii_case("content-length") {
            answer.length = value.trim().parse().ok();
        } else if header.name.eq_ignore_ascii_case("accept-encoding") {
            answer.takes_zstd = value.split(',').any(|coding| coding.trim() == "zstd");
        }
    }
    Ok(Some((answer, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request() {
        let address = Address::try_from("https://a:1/p?q".to_owned()).unwrap();
        let bytes = request(&address, Some(&Secret::new("k3y")), b"{}", true).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.starts_with("POST /p?q HTTP/1.1\r\nHost: a:1\r\n"),
            "{text}"
        );
        assert!(text.contains("Content-Length: 2\r\n"), "{text}");
        assert!(
            text.contains("Content-Encoding: zstd\r\nX-API-Key: k3y\r\n\r\n{}"),
            "{text}"
        );
        let error = request(&address, Some(&Secret::new("a\r\nb")), b"", false).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
    }

    #[test]
    fn answers() {
        assert_eq!(parse(b"HTTP/1.1 20").unwrap(), None);
        let bytes =
            b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nAccept-Encoding: gzip, zstd\r\n\r\nbody";
        let (answer, length) = parse(bytes).unwrap().unwrap();
        assert_eq!((answer.status, answer.takes_zstd), (429, true));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(bytes[length..], *b"body");
        assert!(parse(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(parse(&vec![b'a'; MAX_HEAD]).is_err());
    }
}
