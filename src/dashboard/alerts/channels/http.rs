//! One HTTP request, on a connection of its own. Deliveries are few: nothing is kept open for the next one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::{HeaderValue, Request, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Leave;

/// As much of an answer is read, so that it ends in order; what it says is not looked at.
const MAX_ANSWER: usize = 64 * 1024;

/// What a server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The pause that it asked for.
    pub retry_after: Option<Duration>,
}

/// A client with the certificates that it trusts.
pub struct Http {
    tls: TlsConnector,
}

impl Http {
    /// Trusts the public authorities, or those in `authorities` instead.
    ///
    /// # Errors
    /// There is no certificate in them.
    pub fn new(authorities: Option<&[u8]>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        if let Some(pem) = authorities {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots
                    .add(certificate.context("this is not PEM")?)
                    .context("a certificate in it cannot be used")?;
            }
            anyhow::ensure!(
                !roots.is_empty(),
                "no certificate in it; it must be PEM with `-----BEGIN CERTIFICATE-----`"
            );
        } else {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("preparing TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Sends `request`, whose address is absolute, and answers as soon as the status is there: that is the answer, whatever
    /// becomes of the rest. The error is a sentence without the address.
    ///
    /// # Errors
    /// No answer came.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<(Answer, Leave), String> {
        let uri = request.uri().clone();
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        // Within the connection only the path is named.
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| String::from("a strange path"))?;
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        let name = HeaderValue::from_str(authority).map_err(|_| String::from("a strange host"))?;
        request.headers_mut().insert(header::HOST, name);
        request
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        let stream = TcpStream::connect((bare, port))
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        if !is_tls {
            return exchange(stream, request).await;
        }
        let server = ServerName::try_from(bare.to_owned())
            .map_err(|_| String::from("this host can have no certificate"))?;
        let stream = self
            .tls
            .connect(server, stream)
            .await
            .map_err(|error| format!("no TLS: {error}"))?;
        exchange(stream, request).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(Answer, Leave), String> {
    let broken = |error: hyper::Error| format!("the connection broke: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let mut connection = Box::pin(connection);
    let mut is_over = false;
    let response = {
        let asking = sender.send_request(request);
        tokio::pin!(asking);
        tokio::select! {
            biased;
            response = &mut asking => response,
            // The connection may be over before its last answer has been read.
            _ = &mut connection => {
                is_over = true;
                asking.await
            }
        }
    }
    .map_err(broken)?;
    let headers = response.headers();
    let answer = Answer {
        status: response.status().as_u16(),
        retry_after: headers.get(header::RETRY_AFTER).and_then(retry_after),
    };
    let leave = async move {
        let reading = drain(response.into_body());
        tokio::pin!(reading);
        tokio::select! {
            biased;
            () = &mut reading => {}
            _ = &mut connection, if !is_over => {}
        }
    };
    Ok((answer, Box::pin(leave)))
}

async fn drain(mut body: Incoming) {
    let mut n_bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        n_bytes += frame.data_ref().map_or(0, Bytes::len);
        if n_bytes > MAX_ANSWER {
            return;
        }
    }
}

/// Seconds, as they are usually written. A date is not: the doubling pause does as well.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
