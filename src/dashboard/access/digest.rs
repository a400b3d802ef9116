//! Tokens: 256 random bits that are shown once, and their SHA-256, which is all that is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// SHA-256 of a token. Tokens are random, so a fast hash is enough.
pub type Digest = [u8; 32];

/// What the name of a token's kind looks like at its start, for people and for secret scanners.
pub const API_TOKEN_PREFIX: &str = "nf_";

/// The digest of a token.
pub fn digest(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether two digests are the same, in a time that does not depend on them.
pub fn same(left: &Digest, right: &Digest) -> bool {
    left.ct_eq(right).into()
}

/// Bytes from the system's random source.
///
/// # Errors
/// The system has none to give.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(bytes)
}

/// A new token of 256 bits after `prefix`, safe in a URL.
///
/// # Errors
/// The system has no random numbers.
pub fn new_token(prefix: &str) -> anyhow::Result<String> {
    Ok(format!(
        "{prefix}{}",
        URL_SAFE_NO_PAD.encode(random::<32>()?)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_url_safe() {
        let (one, two) = (new_token("nf_").unwrap(), new_token("nf_").unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 3 + 43);
        assert!(
            one.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert!(same(&digest(&one), &digest(&one)));
        assert!(!same(&digest(&one), &digest(&two)));
    }
}
