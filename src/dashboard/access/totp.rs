//! One-time codes by the clock (RFC 6238), a user's second factor: SHA-1, six digits, 30 seconds, which is what every
//! authenticator reads and what earlier dashboards asked for.

use anyhow::Context as _;
use totp_rs::{Algorithm, Secret as Bytes, TOTP};

use super::digest::random;
use crate::base::clock::Millis;
use crate::base::secret::Secret;

/// Seconds that a code is the current one.
const STEP: u64 = 30;
/// So many codes before and after it count too: clocks differ, and people type.
const SKEW: u64 = 1;
const DIGITS: usize = 6;
/// The fewest bytes of a secret that somebody brings along: what authenticators made in earlier years.
const LEAST: usize = 10;
/// The most.
const MOST: usize = 64;
/// Under this name authenticators show it.
const ISSUER: &str = "NixFleet";

/// A new secret in base32, 160 bits.
///
/// # Errors
/// The system has no random numbers.
pub fn new_secret() -> anyhow::Result<Secret> {
    let bytes = random::<20>()?.to_vec();
    Ok(Secret::new(Bytes::Raw(bytes).to_encoded().to_string()))
}

/// A secret as people have it, in groups and in small letters too, as it is kept.
///
/// # Errors
/// It is not base32, or not of a secret's length; the text does not show it.
pub fn read_secret(text: &Secret) -> anyhow::Result<Secret> {
    let plain: String = text
        .expose()
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-' | '='))
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    let secret = Secret::new(plain);
    bytes(&secret)?;
    Ok(secret)
}

fn bytes(secret: &Secret) -> anyhow::Result<Vec<u8>> {
    let encoded = Bytes::Encoded(secret.expose().to_owned());
    let bytes = encoded
        .to_bytes()
        .ok()
        .context("the secret is not base32; write letters and the digits 2 to 7")?;
    anyhow::ensure!(
        (LEAST..=MOST).contains(&bytes.len()),
        "the secret has {} bytes; it must have {LEAST} to {MOST}",
        bytes.len()
    );
    Ok(bytes)
}

/// What an authenticator reads, such as from a QR code.
pub fn uri(user: &str, secret: &Secret) -> String {
    // A user's name is of letters, digits and `-_.@`, all of which may stand in a URI as they are.
    format!(
        "otpauth://totp/{ISSUER}:{user}?secret={}&issuer={ISSUER}",
        secret.expose()
    )
}

/// The number of the step that `code` is of, if it counts at `now` and comes after the step `last`: each counts once.
///
/// # Errors
/// The secret is none.
pub fn step(secret: &Secret, code: &str, now: Millis, last: u64) -> anyhow::Result<Option<u64>> {
    let totp = TOTP::new_unchecked(Algorithm::SHA1, DIGITS, 0, STEP, bytes(secret)?);
    let code: String = code.chars().filter(|letter| *letter != ' ').collect();
    let current = now / 1000 / STEP;
    let around = current.saturating_sub(SKEW)..=current + SKEW;
    // Within the library, digits are compared in constant time.
    Ok(around
        .filter(|step| *step > last)
        .find(|step| totp.check(&code, step * STEP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238's examples, `12345678901234567890`.
    fn rfc() -> Secret {
        read_secret(&Secret::new("gezd gnbv-GY3TQOJQ gezdgnbvgy3tqojq")).unwrap()
    }

    #[test]
    fn the_codes_of_the_standard() {
        // RFC 6238, appendix B, the last six digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let found = step(&rfc(), code, seconds * 1000, 0).unwrap();
            assert_eq!(found, Some(seconds / 30), "{code}");
        }
    }

    #[test]
    fn a_code_counts_around_its_time_and_once() {
        let at = |seconds: u64| seconds * 1000;
        let check = |code: &str, now, last| step(&rfc(), code, now, last).unwrap();
        // Of step 37037036.
        let (code, own) = ("081804", 37_037_036);
        assert_eq!(check(code, at(own * 30), 0), Some(own));
        assert_eq!(check("081 804", at(own * 30 + 59), 0), Some(own));
        assert_eq!(check(code, at(own * 30 - 30), 0), Some(own));
        assert_eq!(check(code, at(own * 30 + 60), 0), None, "too late");
        assert_eq!(check(code, at(own * 30 - 31), 0), None, "too early");
        assert_eq!(check(code, at(own * 30), own), None, "used already");
        for wrong in ["", "081805", "81804", "0818040", "08180a", "\u{660}81804"] {
            assert_eq!(check(wrong, at(own * 30), 0), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_made_shown_and_checked() {
        let secret = new_secret().unwrap();
        assert_eq!(secret.expose().len(), 32);
        assert_eq!(read_secret(&secret).unwrap(), secret);
        let uri = uri("ann@example.org", &rfc());
        assert_eq!(
            uri,
            "otpauth://totp/NixFleet:ann@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=NixFleet"
        );
        assert!(read_secret(&Secret::new("JBSWY3DPEHPK3PXP")).is_ok());
        for (wrong, part) in [
            ("n0t base32!", "not base32"),
            ("MFRGG", "3 bytes"),
            ("", "0 bytes"),
        ] {
            let error = read_secret(&Secret::new(wrong)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }
}
