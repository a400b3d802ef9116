//! An agent's key pair: an Ed25519 key in a file of its own, PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it, too.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::wire::key::PublicKey;

/// The longest file that is looked at, in bytes. A longer one is surely the wrong one.
const MAX_FILE: u64 = 4096;
/// What comes before the 32 bytes of an Ed25519 key in PKCS#8, version 1 (RFC 8410).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A key pair. `Debug` shows its public half.
pub struct KeyPair {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeyPair({})", self.public)
    }
}

impl KeyPair {
    /// Reads a key file.
    ///
    /// # Errors
    /// It is missing, everybody may read it, or it is no such key; the text names the file and nothing of what is in it.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let metadata = std::fs::metadata(path).with_context(|| {
            format!("cannot read the key file {name}; `nixfleet-agent key create {name}` makes one")
        })?;
        // The last three bits are what others may do.
        anyhow::ensure!(
            metadata.permissions().mode().trailing_zeros() >= 3,
            "the key file {name} is open to everybody on this machine; chmod 600 {name}, and keep it out of the Nix store"
        );
        anyhow::ensure!(
            metadata.is_file() && metadata.len() <= MAX_FILE,
            "the key file {name} is no file of at most {MAX_FILE} bytes; is it the right one?"
        );
        let bytes = std::fs::read(path)
            .with_context(|| format!("cannot read the key file {name}; check its permissions"))?;
        let wrong = || {
            format!(
                "the key file {name} holds no Ed25519 key in PKCS#8 PEM; `nixfleet-agent key create FILE` makes one"
            )
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(&bytes)
            .ok()
            .with_context(wrong)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .ok()
            .with_context(wrong)?;
        let public: [u8; 32] = pair.public_key().as_ref().try_into().with_context(wrong)?;
        Ok(Self {
            pair,
            public: PublicKey::new(public),
        })
    }

    /// Makes a new key in a new file that only its owner may read.
    ///
    /// # Errors
    /// There is a file already, or it cannot be written.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let mut der = PKCS8.to_vec();
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .ok()
            .context("the system gives no random numbers")?;
        der.extend_from_slice(&seed);
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(&der)
        );
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => anyhow::bail!(
                "{name} is there already and is not overwritten; `nixfleet-agent key show {name}` prints its public key"
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("the key file {name} cannot be made"));
            }
        };
        let written = file
            .write_all(pem.as_bytes())
            .and_then(|()| file.sync_all());
        if let Err(error) = written {
            // Half a key is of no use and would be in the way.
            let _ = std::fs::remove_file(path);
            return Err(error).with_context(|| format!("the key file {name} cannot be written"));
        }
        Self::read(path)
    }

    /// The public half, which the dashboard must know.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The signature of a text, base64.
    pub fn sign(&self, text: &str) -> String {
        STANDARD.encode(self.pair.sign(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.key");
        let made = KeyPair::create(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{text}");
        let read = KeyPair::read(&path).unwrap();
        assert_eq!(read.public(), made.public());
        assert_eq!(read.sign("x"), made.sign("x"));
        let error = KeyPair::create(&path).unwrap_err().to_string();
        assert!(error.contains("not overwritten"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        let other = KeyPair::create(&dir.path().join("other.key")).unwrap();
        assert_ne!(other.public(), made.public());
        assert!(!format!("{made:?}").contains(text.lines().nth(1).unwrap()));
    }

    #[test]
    fn keys_of_openssl_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("openssl.key");
        let made = std::process::Command::new("openssl")
            .args(["genpkey", "-algorithm", "ed25519", "-out"])
            .arg(&path)
            .output();
        if !made.is_ok_and(|output| output.status.success()) {
            println!("skipped: keys of openssl: there is no openssl that makes Ed25519 keys");
            return;
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let own = KeyPair::read(&path).unwrap();
        let der = std::process::Command::new("openssl")
            .args(["pkey", "-pubout", "-outform", "DER", "-in"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(der.stdout.ends_with(own.public().bytes()));
    }

    #[test]
    fn what_is_no_key_file_is_named_and_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.key");
        let check = |part: &str| {
            let error = format!("{:#}", KeyPair::read(&path).unwrap_err());
            assert!(
                error.contains("agent.key") && error.contains(part),
                "{error}"
            );
        };
        check("key create");
        let write = |text: &str, mode: u32| {
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        write("secret-token", 0o600);
        check("holds no Ed25519 key");
        write(
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            0o600,
        );
        check("holds no Ed25519 key");
        write("secret", 0o644);
        check("chmod 600");
        write(&"x".repeat(5000), 0o600);
        check("is it the right one");
    }
}
