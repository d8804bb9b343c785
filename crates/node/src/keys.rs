//! A node's secrets: made once, kept in the folder `keys`, read at start.
//!
//! All of them are in one file, `sealed.json`, a box ([`crypto::lockbox`]) that opens by a passphrase,
//! a key file or a token: what the node proves itself with, the key of the store's pages, the keys of
//! backups, and the secret behind the keys of single patients ([`ring`]). Folders from before that have
//! a file for each secret ([`plain`]); `consilium keys seal` takes them into a box.

pub mod plain;
pub mod ring;
pub mod task;
pub mod token;
pub mod unlock;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crypto::{CryptoError, RsaKey, SigningKey, sha256};

use ring::Ring;

/// What a node proves itself with.
pub struct Keys {
    /// Signs assertions.
    pub assertion: SigningKey,
    /// Proves the node in TLS; its certificate is made from it at every start.
    pub tls: SigningKey,
    /// Encrypts second-factor secrets at rest.
    pub vault: [u8; 32],
    /// What signs assertions and proves the node in TLS once the membership list names it.
    pub next: Option<(SigningKey, SigningKey)>,
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
    /// The box does not open.
    #[error("{0}")]
    Locked(String),
}

impl Keys {
    /// Makes new keys and keeps them in `folder`, in a box that the file `node.key` beside it opens.
    pub fn create(folder: &Path) -> Result<Self, KeysError> {
        fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        Ring::create(folder)?.keys()
    }

    /// Reads the keys in `folder`.
    pub fn read(folder: &Path) -> Result<Self, KeysError> {
        match Ring::open(folder)? {
            Some(ring) => ring.keys(),
            None => plain::Files::read(folder)?.keys(),
        }
    }
}

/// The key that signs ID tokens for apps, made when it is first needed.
pub fn openid(folder: &Path) -> Result<RsaKey, KeysError> {
    let Some(ring) = Ring::open(folder)? else { return plain::openid(folder) };
    let text = match ring.openid() {
        Some(text) => text.to_owned(),
        None => {
            let key = RsaKey::generate().map_err(|e| KeysError::Content("a new key", e))?;
            // Where two ask at the same time, the first one's key is everybody's.
            let made = key.to_pem().to_string();
            Ring::update(folder, |content| content.openid.get_or_insert(made).clone())?
        }
    };
    RsaKey::from_pem(&text).map_err(|e| KeysError::Content("the key of ID tokens", e))
}

/// What the parts of [`Keys`] are made from.
fn assembled(assertion: &str, tls: &str, vault: &str) -> Result<Keys, KeysError> {
    let (assertion, tls) = pair(assertion, tls)?;
    Ok(Keys { assertion, tls, vault: sha256(vault.as_bytes()), next: None })
}

fn pair(assertion: &str, tls: &str) -> Result<(SigningKey, SigningKey), KeysError> {
    let key = |name, text| SigningKey::from_pem(text).map_err(|e| KeysError::Content(name, e));
    Ok((key("the assertion key", assertion)?, key("the TLS key", tls)?))
}

fn failed(path: &Path, error: std::io::Error) -> KeysError {
    KeysError::File(path.display().to_string(), error)
}

/// Writes a new file that only its owner reads.
fn keep(path: &Path, content: &[u8]) -> Result<(), KeysError> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|e| failed(path, e))
}

/// Removes a file of secrets: overwritten first, which helps where the medium writes in place.
fn wipe(path: &Path) -> Result<(), KeysError> {
    let overwrite = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0).min(1 << 20);
        file.write_all(&vec![0; length])?;
        file.sync_all()?;
        fs::remove_file(path)
    };
    overwrite().map_err(|e| failed(path, e))
}
