//! Whom to trust on `wss://`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_tungstenite::Connector;

/// How to secure a connection.
#[derive(Clone)]
pub struct Tls(Connector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls")
    }
}

impl Tls {
    /// For `url`: nothing at all for `ws://`, which saves the memory of the root certificates; else the public roots and
    /// the certificates in `ca_file`.
    ///
    /// # Errors
    /// The file cannot be read or has no certificate.
    pub fn for_url(url: &str, ca_file: Option<&Path>) -> anyhow::Result<Self> {
        if !url.starts_with("wss://") {
            return Ok(Self(Connector::Plain));
        }
        Ok(Self(Connector::Rustls(client_config(ca_file)?)))
    }

    pub(super) fn connector(&self) -> Connector {
        self.0.clone()
    }
}

/// For any TLS connection: the public roots and the certificates in `ca_file`.
///
/// # Errors
/// The file cannot be read or has no certificate.
pub fn client_config(ca_file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = ca_file {
        let mut added = 0;
        let certificates = CertificateDer::pem_file_iter(path)
            .with_context(|| format!("ca_file {}: cannot be read", path.display()))?;
        for certificate in certificates {
            let certificate = certificate
                .with_context(|| format!("ca_file {}: is no PEM file", path.display()))?;
            roots.add(certificate).with_context(|| {
                format!(
                    "ca_file {}: has a certificate that cannot be used",
                    path.display()
                )
            })?;
            added += 1;
        }
        anyhow::ensure!(
            added > 0,
            "ca_file {}: has no certificate; write PEM certificates into it",
            path.display()
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no usable TLS version")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
