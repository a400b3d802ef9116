//! Serving: plain, or with TLS when there is a certificate; and draining at the end.

mod first_bytes;
mod renewal;
mod validity;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Millis;
use first_bytes::FirstBytes;
use renewal::Stamps;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection's first bytes and a request's head may take, and how long a connection may be idle between
/// requests.
const HEAD: Duration = Duration::from_secs(60);
/// How long open requests may go on after the end was asked for. Streams end by themselves, with the same token.
const DRAIN: Duration = Duration::from_secs(5);

/// Where the certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain in PEM, the server's own certificate first.
    pub cert: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// A certificate and its key as read, and where they came from, so that renewed ones are taken.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsFiles,
    /// Of the files as they were read.
    stamps: Stamps,
    config: Arc<ServerConfig>,
    /// When the certificate that is served ends.
    end: watch::Sender<Option<Millis>>,
}

impl Tls {
    /// When the certificate that is served ends, also after it was renewed; none if nobody can tell.
    pub fn end(&self) -> watch::Receiver<Option<Millis>> {
        self.end.subscribe()
    }
}

impl TlsFiles {
    /// Reads both files.
    ///
    /// # Errors
    /// One cannot be read, is not PEM, or the key is another certificate's; the text names the file.
    pub fn load(&self) -> anyhow::Result<Tls> {
        // Before they are read: what is written meanwhile is new.
        let stamps = Stamps::of(self);
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable("tls_cert_file", &self.cert, "certificate", &error))?;
        anyhow::ensure!(
            !chain.is_empty(),
            "tls_cert_file {}: no certificate in it; it must be PEM with `-----BEGIN CERTIFICATE-----`",
            self.cert.display()
        );
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unreadable("tls_key_file", &self.key, "private key", &error))?;
        let (end, _) = watch::channel(chain.first().and_then(validity::end));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("preparing TLS")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .with_context(|| {
                format!(
                    "tls_cert_file {} and tls_key_file {} do not fit together; give a certificate and its own key",
                    self.cert.display(),
                    self.key.display()
                )
            })?;
        // The agents' WebSocket starts as an HTTP/1.1 request.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls {
            files: self.clone(),
            stamps,
            config: Arc::new(config),
            end,
        })
    }
}

fn unreadable(
    name: &str,
    path: &Path,
    what: &str,
    error: &rustls::pki_types::pem::Error,
) -> anyhow::Error {
    anyhow::anyhow!(
        "{name} {}: cannot read a {what} from it: {error}; check the path, its permissions, and that it is PEM",
        path.display()
    )
}

/// No client keeps a connection by saying nothing, or half of something. WebSockets and streams have their own deadlines.
fn limited<A: axum_server::Address, Acceptor>(
    mut server: Server<A, Acceptor>,
) -> Server<A, Acceptor> {
    // Not the server's own `http1_only`, with which axum-server serves no WebSockets.
    let builder = server.http_builder();
    *builder = builder.clone().http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
    server
}

/// Serves `router` without Nagle's delay (acknowledgements and lines are small messages that somebody waits for) until
/// `shutdown`, then lets open requests end for at most [`DRAIN`]. A certificate that is renewed meanwhile is taken.
///
/// # Errors
/// The listener does not work.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    listener
        .set_nonblocking(true)
        .context("preparing the listener")?;
    let handle = Handle::new();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let drain = async {
        shutdown.cancelled().await;
        handle.graceful_shutdown(Some(DRAIN));
        std::future::pending::<()>().await;
    };
    // No delay: acknowledgements and lines are small messages that somebody waits for, and might wait 40 ms.
    let served = async {
        if let Some(tls) = tls {
            let config = RustlsConfig::from_config(tls.config.clone());
            let server = axum_server::from_tcp_rustls(listener, config.clone())?;
            let served = limited(server.map(|acceptor| {
                let acceptor = acceptor.handshake_timeout(HANDSHAKE);
                FirstBytes::new(acceptor.acceptor(NoDelayAcceptor::new()), HEAD)
            }))
            .handle(handle.clone())
            .serve(service);
            tokio::select! {
                served = served => served,
                never = renewal::renew(tls, config) => match never {},
            }
        } else {
            let acceptor = FirstBytes::new(NoDelayAcceptor::new(), HEAD);
            limited(axum_server::from_tcp(listener)?.acceptor(acceptor))
                .handle(handle.clone())
                .serve(service)
                .await
        }
    };
    tokio::select! {
        served = served => served.context("serving"),
        () = drain => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_certificates_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let files = TlsFiles {
            cert: cert.clone(),
            key,
        };
        let error = files.load().unwrap_err().to_string();
        assert!(
            error.contains("tls_cert_file") && error.contains("cert.pem"),
            "{error}"
        );
        std::fs::write(&cert, "nothing").unwrap();
        let error = files.load().unwrap_err().to_string();
        assert!(error.contains("no certificate in it"), "{error}");
    }

    /// Connects, says `words` and nothing more; answers after how long the connection is ended.
    async fn kept(words: &str) -> Duration {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let client = async {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(words.as_bytes()).await.unwrap();
            let began = tokio::time::Instant::now();
            // An answer may come before the end, and a reset is one too.
            let _ = stream.read_to_end(&mut Vec::new()).await;
            shutdown.cancel();
            began.elapsed()
        };
        let serving = serve(listener, None, Router::new(), shutdown.clone());
        let both = async { tokio::join!(serving, client) };
        tokio::time::timeout(10 * HEAD, both).await.unwrap().1
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_half_of_something_is_dropped() {
        for words in ["", "P", "PRI * HTTP/2.0", "GET / HTTP/1.1\r\nHost: "] {
            let kept = kept(words).await;
            assert!(kept >= HEAD / 2 && kept < 2 * HEAD, "{words}: {kept:?}");
        }
    }

    #[tokio::test]
    async fn serves_until_asked_to_end() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", axum::routing::get(|| async { "hello" }));
        let client = async {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            shutdown.cancel();
            answer
        };
        let (served, answer) = tokio::time::timeout(Duration::from_secs(20), async {
            tokio::join!(serve(listener, None, router, shutdown.clone()), client)
        })
        .await
        .unwrap();
        served.unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
    }
}
