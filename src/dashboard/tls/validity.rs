//! When a certificate ends.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::base::clock::Millis;

/// When it ends; none if nobody can tell.
pub(super) fn end(certificate: &CertificateDer) -> Option<Millis> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate.validity.not_after;
    Millis::try_from(end.to_unix_duration().as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    /// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=fleet -days 3000`.
    const CERTIFICATE: &str = include_str!("../../../tests/data/alerts/certificate.pem");

    #[test]
    fn the_end_of_a_certificate() {
        assert_eq!(end(&CertificateDer::from(b"no certificate".to_vec())), None);
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let end = end(&certificate).map(crate::base::clock::rfc3339);
        assert_eq!(end.as_deref(), Some("2035-02-12T08:25:57.000Z"));
    }
}
