//! When a certificate ends.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::TlsFiles;
use crate::base::clock::Millis;

impl TlsFiles {
    /// When the first certificate of the chain ends; none if nobody can tell. [`load`](Self::load) says what is wrong with a
    /// file.
    pub fn ends(&self) -> Option<Millis> {
        let first = CertificateDer::pem_file_iter(&self.cert)
            .ok()?
            .next()?
            .ok()?;
        let certificate = Certificate::from_der(&first).ok()?;
        let end = certificate.tbs_certificate.validity.not_after;
        Millis::try_from(end.to_unix_duration().as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=fleet -days 3000`.
    const CERTIFICATE: &str = include_str!("../../../tests/data/alerts/certificate.pem");

    #[test]
    fn the_end_of_a_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let cert = dir.path().join("cert.pem");
        let files = TlsFiles {
            cert: cert.clone(),
            key: cert.clone(),
        };
        assert_eq!(files.ends(), None);
        std::fs::write(&cert, "no certificate").unwrap();
        assert_eq!(files.ends(), None);
        std::fs::write(&cert, CERTIFICATE).unwrap();
        let end = files.ends().map(crate::base::clock::rfc3339);
        assert_eq!(end.as_deref(), Some("2035-02-12T08:25:57.000Z"));
    }
}
