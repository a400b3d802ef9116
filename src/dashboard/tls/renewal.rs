//! A renewed certificate is taken while the dashboard serves: connections that are there keep the one they began with.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use tokio::task::spawn_blocking;

use super::Tls;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(30);

/// By what a file that was written anew or replaced is recognised: device, inode, size, and when it was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp(u64, u64, u64, (i64, i64));

/// The state of both files; none for one that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Option<Stamp>, Option<Stamp>);

impl Stamps {
    /// Looks at both. Blocks.
    pub(super) fn of(files: &super::TlsFiles) -> Self {
        let stamp = |path: &Path| {
            let file = fs::metadata(path).ok()?;
            let changed = (file.ctime(), file.ctime_nsec());
            Some(Stamp(file.dev(), file.ino(), file.size(), changed))
        };
        Self(stamp(&files.cert), stamp(&files.key))
    }
}

/// Looks at the files for ever, and has `serving` use what is new in them. What cannot be used is said once, and what is
/// served stays: a certificate and its key are written one after the other.
pub(super) async fn renew(tls: Tls, serving: RustlsConfig) -> Infallible {
    let mut seen = tls.stamps.clone();
    loop {
        tokio::time::sleep(LOOK).await;
        let (files, before) = (tls.files.clone(), seen.clone());
        let looked = spawn_blocking(move || {
            let now = Stamps::of(&files);
            let loaded = (now != before).then(|| files.load());
            (now, loaded)
        });
        let Ok((now, loaded)) = looked.await else {
            continue;
        };
        seen = now;
        match loaded {
            None => {}
            Some(Ok(renewed)) => {
                tls.end.send_replace(*renewed.end.borrow());
                serving.reload_from_config(renewed.config);
                tracing::info!(
                    "tls_cert_file {}: new connections get the renewed certificate",
                    tls.files.cert.display()
                );
            }
            Some(Err(error)) => {
                tracing::warn!("{error:#}; the certificate from before is served on");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::process::Command;
    use std::sync::Arc;

    use axum::Router;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::dashboard::tls::{TlsFiles, serve, validity};

    /// A certificate for `localhost` and its key; none without the program that makes them.
    fn make(dir: &Path, name: &str, days: u32) -> Option<(TlsFiles, CertificateDer<'static>)> {
        let files = TlsFiles {
            cert: dir.join(format!("{name}.pem")),
            key: dir.join(format!("{name}-key.pem")),
        };
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-nodes"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-days", &days.to_string()])
            .args(["-subj", &format!("/CN={name}")])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-out")
            .arg(&files.cert)
            .arg("-keyout")
            .arg(&files.key)
            .output();
        let Ok(made) = made else {
            println!("skipped: a renewed certificate: there is no `openssl` here to make one");
            return None;
        };
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let certificate = CertificateDer::from_pem_file(&files.cert).unwrap();
        Some((files, certificate))
    }

    /// The certificate that a new connection gets. Blocks.
    fn shown(address: SocketAddr, trusted: &[CertificateDer<'static>]) -> CertificateDer<'static> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        while client.is_handshaking() {
            client.complete_io(&mut stream).unwrap();
        }
        client.peer_certificates().unwrap()[0].clone()
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_certificate_is_shown_and_half_of_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let Some((files, first)) = make(dir.path(), "first", 2) else {
            return;
        };
        let Some((renewed, second)) = make(dir.path(), "second", 3) else {
            return;
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let tls = files.load().unwrap();
        let end = tls.end();
        let (first_end, second_end) = (validity::end(&first), validity::end(&second));
        assert!(first_end.is_some() && first_end != second_end);
        let client = async {
            let trusted = vec![first.clone(), second.clone()];
            let look = || {
                let trusted = trusted.clone();
                spawn_blocking(move || shown(address, &trusted))
            };
            assert_eq!(look().await.unwrap(), first);
            // The certificate without its key is no reason to have none.
            fs::rename(&renewed.cert, &files.cert).unwrap();
            tokio::time::sleep(3 * LOOK).await;
            assert_eq!(look().await.unwrap(), first);
            fs::rename(&renewed.key, &files.key).unwrap();
            assert_eq!(*end.borrow(), first_end);
            tokio::time::sleep(3 * LOOK).await;
            assert_eq!(look().await.unwrap(), second);
            assert_eq!(*end.borrow(), second_end);
            shutdown.cancel();
        };
        let serving = serve(listener, Some(tls), Router::new(), shutdown.clone());
        tokio::join!(serving, client).0.unwrap();
    }
}
