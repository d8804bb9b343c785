//! Where the lake is, and the key that seals it.
//!
//! A lake has a random key of its own, which lies in its folder sealed under a secret of the node's: who
//! has the folder alone reads nothing. A folder that does not open with it is made anew.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ::lake::{Definition, Fault, Lake};
use crypto::Random;
use crypto::aead::AeadKey;
use zeroize::Zeroizing;

use super::Open;
use super::follow::kinds;
use crate::{App, Error, Kind, Result};

/// The file with the key.
const KEY: &str = "key";
/// What the key is sealed for.
const CONTEXT: &[u8] = b"consilium lake";

/// A folder for a lake, and what seals it.
pub struct Place {
    folder: PathBuf,
    under: AeadKey,
    random: Arc<dyn Random>,
}

impl Place {
    /// A folder whose key is sealed under a secret of the node's.
    ///
    /// Errors: those of the library.
    pub fn new(
        folder: PathBuf,
        secret: &[u8; 32],
        random: Arc<dyn Random>,
    ) -> std::result::Result<Self, crypto::CryptoError> {
        Ok(Self { folder, under: AeadKey::new(secret)?, random })
    }

    /// Beside the folder, so that the folder can be made anew while it is held.
    fn lock(&self) -> io::Result<File> {
        let path = self.folder.with_extension("lock");
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.try_lock().map_err(|_| io::ErrorKind::WouldBlock)?;
        Ok(file)
    }

    fn key(&self) -> io::Result<AeadKey> {
        let path = self.folder.join(KEY);
        let key = match fs::read(&path) {
            Ok(sealed) => {
                let closed = |_| io::Error::from(io::ErrorKind::InvalidData);
                let key = self.under.open(CONTEXT, &sealed).map_err(closed)?;
                let key = <[u8; 32]>::try_from(key.as_slice());
                Zeroizing::new(key.map_err(|_| io::ErrorKind::InvalidData)?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = Zeroizing::new([0; 32]);
                self.random.fill(&mut *key).map_err(io::Error::other)?;
                let sealed = self.under.seal(CONTEXT, &*key, &*self.random);
                fs::create_dir_all(&self.folder)?;
                fs::write(&path, sealed.map_err(io::Error::other)?)?;
                File::open(&path)?.sync_all()?;
                key
            }
            Err(error) => return Err(error),
        };
        AeadKey::new(&key).map_err(io::Error::other)
    }

    fn lake(&self, views: Vec<Definition>) -> std::result::Result<Lake, Fault> {
        let disk = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidData => Fault::Sealed("the key"),
            kind => Fault::Disk { place: "the key", kind },
        };
        let key = self.key().map_err(disk)?;
        Lake::open(self.folder.clone(), key, self.random.clone(), views, [])
    }
}

/// Opens the lake, if there is to be one. Blocks.
///
/// Errors: [`Kind::Busy`] while another process has it, and faults of the disk.
pub(super) fn open(app: &App) -> Result<()> {
    let Some(place) = &app.lake().place else { return Ok(()) };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::new(Kind::Busy, "another process has the lake"),
        kind => Error::internal(format!("the lake's folder: {kind}")),
    };
    let lock = place.lock().map_err(failed)?;
    let faulty = |fault: Fault| Error::internal(fault.to_string());
    let views = ::lake::views().map_err(faulty)?;
    let kinds = kinds(&views);
    let lake = match place.lake(views.clone()) {
        Err(Fault::Sealed(what) | Fault::Broken(what)) => {
            tracing::warn!(what, "the lake does not open and is made anew from the records");
            fs::remove_dir_all(&place.folder).map_err(failed)?;
            place.lake(views)
        }
        other => other,
    };
    let open = Open::new(lake.map_err(faulty)?, kinds, lock).map_err(failed)?;
    *app.lake().open.write() = Some(Arc::new(open));
    Ok(())
}
