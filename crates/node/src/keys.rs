//! A node's private keys: made once, kept in the folder `keys` with mode 0600, read at start.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crypto::random::token;
use crypto::{CryptoError, RsaKey, SigningKey, SystemRandom, sha256};

/// What a node proves itself with.
pub struct Keys {
    /// Signs assertions.
    pub assertion: SigningKey,
    /// Proves the node in TLS; its certificate is made from it at every start.
    pub tls: SigningKey,
    /// Encrypts second-factor secrets at rest.
    pub vault: [u8; 32],
}

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read or written.
    #[error("`{0}`: {1}")]
    File(String, std::io::Error),
    /// A file does not hold what it should, or no key could be made.
    #[error("`{0}`: {1}")]
    Content(&'static str, CryptoError),
}

impl Keys {
    /// Makes new keys and keeps them in `folder`.
    pub fn create(folder: &Path) -> Result<Self, KeysError> {
        let made = |e| KeysError::Content("a new key", e);
        let random = SystemRandom;
        fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        let assertion = SigningKey::generate(&random).map_err(made)?;
        let tls = SigningKey::generate(&random).map_err(made)?;
        let secret = token(&random, 32).map_err(|e| made(e.into()))?;
        keep(&folder.join("assertion.pem"), assertion.to_pem().as_bytes())?;
        keep(&folder.join("tls.pem"), tls.to_pem().as_bytes())?;
        keep(&folder.join("vault.secret"), secret.as_bytes())?;
        Ok(Self { assertion, tls, vault: sha256(secret.as_bytes()) })
    }

    /// Reads the keys in `folder`.
    pub fn read(folder: &Path) -> Result<Self, KeysError> {
        let text = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(|e| failed(&path, e))
        };
        let key = |name: &'static str| {
            SigningKey::from_pem(&text(name)?).map_err(|e| KeysError::Content(name, e))
        };
        let vault = sha256(text("vault.secret")?.as_bytes());
        Ok(Self { assertion: key("assertion.pem")?, tls: key("tls.pem")?, vault })
    }
}

/// The key that signs ID tokens for apps: `openid.pem` in the folder, made when it is first needed.
pub fn openid(folder: &Path) -> Result<RsaKey, KeysError> {
    let path = folder.join("openid.pem");
    match fs::read_to_string(&path) {
        Ok(text) => RsaKey::from_pem(&text).map_err(|e| KeysError::Content("openid.pem", e)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = RsaKey::generate().map_err(|e| KeysError::Content("a new key", e))?;
            keep(&path, key.to_pem().as_bytes())?;
            Ok(key)
        }
        Err(error) => Err(failed(&path, error)),
    }
}

fn failed(path: &Path, error: std::io::Error) -> KeysError {
    KeysError::File(path.display().to_string(), error)
}

fn keep(path: &Path, content: &[u8]) -> Result<(), KeysError> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|e| failed(path, e))
}
