//! The folder `keys` as earlier releases made it: a file for each secret, not sealed.

use std::fs;
use std::path::Path;

use crypto::RsaKey;

use super::{Keys, KeysError, assembled, failed, keep, wipe};

/// The files, with what is in them.
pub struct Files {
    /// `assertion.pem`
    pub assertion: String,
    /// `tls.pem`
    pub tls: String,
    /// `vault.secret`
    pub vault: String,
    /// `openid.pem`, where there is one.
    pub openid: Option<String>,
}

const NAMES: [&str; 4] = ["assertion.pem", "tls.pem", "vault.secret", "openid.pem"];

impl Files {
    /// Reads them.
    pub fn read(folder: &Path) -> Result<Self, KeysError> {
        let text = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(|e| failed(&path, e))
        };
        let openid = folder.join("openid.pem").exists().then(|| text("openid.pem")).transpose()?;
        Ok(Self {
            assertion: text("assertion.pem")?,
            tls: text("tls.pem")?,
            vault: text("vault.secret")?,
            openid,
        })
    }

    /// What the node proves itself with.
    pub fn keys(&self) -> Result<Keys, KeysError> {
        assembled(&self.assertion, &self.tls, &self.vault)
    }

    /// Removes them: what is in them is in a box.
    pub fn remove(folder: &Path) -> Result<(), KeysError> {
        let there = NAMES.iter().map(|name| folder.join(name)).filter(|path| path.exists());
        there.into_iter().try_for_each(|path| wipe(&path))
    }
}

/// `openid.pem`, made when it is first needed.
pub(super) fn openid(folder: &Path) -> Result<RsaKey, KeysError> {
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
