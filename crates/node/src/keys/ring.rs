//! What is in the box: every secret of a node, and the file it is in.
//!
//! The box is replaced as a whole (written beside, synced, renamed), under the lock of `keys/lock`, so
//! that programs that change it at the same time do not undo each other, and one that is killed
//! leaves the old box or the new one.

use std::fs::{self, File};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::aead::AeadKey;
use crypto::hash::{from_hex, hex};
use crypto::lockbox::{Lockbox, Opened, Way};
use crypto::puncture::Secret;
use crypto::random::token;
use crypto::{CryptoError, Random as _, SigningKey, SystemRandom};
use serde::{Deserialize, Serialize};
use store_sql::sqlite::PageKey;
use zeroize::{Zeroize, Zeroizing};

use super::plain::Files;
use super::{Keys, KeysError, assembled, failed, keep, pair, unlock, wipe};

/// The box.
pub const BOX: &str = "sealed.json";
/// The key file that a new box opens with.
pub const KEY_FILE: &str = "node.key";
/// Times that a patient can be erased and come back under the same id.
const MOST_LIVES: usize = 64;

/// A key with its number; the highest is the newest.
#[derive(Clone, Serialize, Deserialize)]
pub struct Numbered {
    /// Its number, from 1.
    pub number: u32,
    /// 64 hexadecimal digits.
    key: String,
}

/// What a node proves itself with, as PEM.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pair {
    assertion: String,
    tls: String,
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.assertion.zeroize();
        self.tls.zeroize();
    }
}

/// Every secret of a node.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    assertion: String,
    tls: String,
    vault: String,
    pub(super) openid: Option<String>,
    /// Keys of the store's pages.
    pub(super) store: Vec<Numbered>,
    /// Keys of backups.
    pub(super) files: Vec<Numbered>,
    /// The secret behind the keys of single patients, base64.
    units: String,
    /// What the node will prove itself with once the membership list names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Pair>,
    /// What it proved itself with before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<Pair>,
}

impl Drop for Content {
    fn drop(&mut self) {
        // The pairs see to themselves.
        let Self { assertion, tls, vault, openid, store, files, units, next: _, before: _ } = self;
        for text in [assertion, tls, vault, units] {
            text.zeroize();
        }
        openid.zeroize();
        store.iter_mut().chain(files).for_each(|key| key.key.zeroize());
    }
}

fn made(error: CryptoError) -> KeysError {
    KeysError::Content("a new key", error)
}

fn unreadable(error: CryptoError) -> KeysError {
    KeysError::Content(BOX, error)
}

impl Content {
    /// New keys for data, beside what a node proves itself with.
    fn new(files: Files) -> Result<Self, KeysError> {
        let units = Secret::generate(&SystemRandom).map_err(made)?;
        let mut new = Self {
            assertion: files.assertion,
            tls: files.tls,
            vault: files.vault,
            openid: files.openid,
            store: Vec::new(),
            files: Vec::new(),
            units: BASE64.encode(&*units.to_bytes()),
            next: None,
            before: Vec::new(),
        };
        add_key(&mut new.store)?;
        add_key(&mut new.files)?;
        Ok(new)
    }

    fn units(&self) -> Result<Secret, KeysError> {
        let bytes = BASE64.decode(&self.units).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| unreadable(CryptoError::Sealed))?;
        Secret::from_bytes(&bytes).map_err(unreadable)
    }
}

/// Adds a key that is the newest from now on.
pub(super) fn add_key(keys: &mut Vec<Numbered>) -> Result<u32, KeysError> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom.fill(&mut *bytes).map_err(|e| made(e.into()))?;
    let number = keys.iter().map(|key| key.number).max().unwrap_or(0) + 1;
    keys.push(Numbered { number, key: hex(&*bytes) });
    Ok(number)
}

/// The open box.
pub struct Ring {
    content: Content,
    units: Secret,
}

impl Ring {
    /// Makes a box with new secrets, and the key file that opens it.
    pub fn create(folder: &Path) -> Result<Self, KeysError> {
        let key = || SigningKey::generate(&SystemRandom).map_err(made);
        let files = Files {
            assertion: key()?.to_pem().to_string(),
            tls: key()?.to_pem().to_string(),
            vault: token(&SystemRandom, 32).map_err(|e| made(e.into()))?,
            openid: None,
        };
        Self::take_in(folder, files)
    }

    /// Makes a box with these secrets and new keys for data.
    pub fn take_in(folder: &Path, files: Files) -> Result<Self, KeysError> {
        if folder.join(BOX).exists() {
            let reason = format!("there is a box in `{}` already", folder.display());
            return Err(KeysError::Locked(reason));
        }
        let content = Content::new(files)?;
        let opened = Opened::generate(&SystemRandom).map_err(made)?;
        let mut new = Lockbox::new(&opened, &text(&content)?, &SystemRandom).map_err(made)?;
        let secret = unlock::new_key_file(&folder.join(KEY_FILE))?;
        let way = Way::File { path: KEY_FILE.into(), sealed: String::new() };
        new.add(&opened, way, None, &secret, &SystemRandom).map_err(made)?;
        write(folder, &new)?;
        Self::of(content)
    }

    /// Opens the box in `folder`; `None` where there is none. Asks for a passphrase where it needs one.
    pub fn open(folder: &Path) -> Result<Option<Self>, KeysError> {
        let Some(closed) = read(folder)? else { return Ok(None) };
        let opened = unlock::unlock(folder, &closed)?;
        Ok(Some(Self::of(content(&closed, &opened)?)?))
    }

    fn of(content: Content) -> Result<Self, KeysError> {
        let units = content.units()?;
        Ok(Self { content, units })
    }

    /// Changes the content of the box and returns what `change` does.
    pub fn update<T>(
        folder: &Path,
        change: impl FnOnce(&mut Content) -> T,
    ) -> Result<T, KeysError> {
        alter(folder, |closed, opened| {
            let mut content = content(closed, opened)?;
            let done = change(&mut content);
            closed.fill(opened, &text(&content)?, &SystemRandom).map_err(made)?;
            Ok(done)
        })
    }

    /// What the node proves itself with.
    pub fn keys(&self) -> Result<Keys, KeysError> {
        let Content { assertion, tls, vault, next, .. } = &self.content;
        let next = next.as_ref().map(|next| pair(&next.assertion, &next.tls)).transpose()?;
        Ok(Keys { next, ..assembled(assertion, tls, vault)? })
    }

    /// Makes what the node will prove itself with; what was made before and is not in use yet is
    /// forgotten.
    pub fn make_next(folder: &Path) -> Result<(SigningKey, SigningKey), KeysError> {
        let key = || SigningKey::generate(&SystemRandom).map_err(made);
        let (assertion, tls) = (key()?, key()?);
        let pair =
            Pair { assertion: assertion.to_pem().to_string(), tls: tls.to_pem().to_string() };
        Self::update(folder, |content| content.next = Some(pair))?;
        Ok((assertion, tls))
    }

    /// Takes it into use, where there is any.
    pub fn take_next(folder: &Path) -> Result<(), KeysError> {
        Self::update(folder, |content| {
            let Some(next) = content.next.take() else { return };
            let used = |text: &mut String, new: &str| std::mem::replace(text, new.to_owned());
            let assertion = used(&mut content.assertion, &next.assertion);
            let tls = used(&mut content.tls, &next.tls);
            content.before.push(Pair { assertion, tls });
        })
    }

    /// The key that signs ID tokens, where it was needed before.
    pub(super) fn openid(&self) -> Option<&str> {
        self.content.openid.as_deref()
    }

    /// Keys of the store's pages, the newest first.
    pub fn page_keys(&self) -> Vec<PageKey> {
        let keys = self.content.store.iter().rev();
        keys.filter_map(|key| from_hex(&key.key).map(PageKey::new)).collect()
    }

    /// The newest key of backups with its number.
    pub fn file_key(&self) -> Result<(u32, AeadKey), KeysError> {
        let newest = self.content.files.iter().max_by_key(|key| key.number);
        let number = newest.map_or(0, |key| key.number);
        let key = self.file_key_of(number).ok_or(unreadable(CryptoError::Sealed))?;
        Ok((number, key))
    }

    /// Every key of files with its number: backups are sealed under them, and the keys of jobs.
    pub fn file_keys(&self) -> Vec<(u32, AeadKey)> {
        let numbers = self.content.files.iter().map(|key| key.number);
        numbers.filter_map(|number| Some((number, self.file_key_of(number)?))).collect()
    }

    /// The key of backups with a number.
    pub fn file_key_of(&self, number: u32) -> Option<AeadKey> {
        let found = self.content.files.iter().find(|key| key.number == number)?;
        let bytes = Zeroizing::new(from_hex(&found.key)?);
        AeadKey::new(&bytes).ok()
    }

    /// The name under which a patient's data are sealed now: the id, and how often it was erased.
    pub fn unit(&self, patient: &fhir::Id) -> Option<String> {
        self.lives(patient).find(|name| self.units.key(name).is_some())
    }

    fn lives(&self, patient: &fhir::Id) -> impl Iterator<Item = String> + use<> {
        let patient = patient.to_string();
        (0..MOST_LIVES).map(move |life| format!("{patient}#{life}"))
    }

    /// The key of all these units together; `None` where one of them was destroyed. With no unit it
    /// is the key of what concerns no patient.
    pub fn unit_key(&self, units: &[String]) -> Option<AeadKey> {
        let mut parts: Vec<Zeroizing<[u8; 32]>> = Vec::new();
        for unit in units {
            parts.push(self.units.key(unit)?);
        }
        if parts.is_empty() {
            parts.push(self.units.key("")?);
        }
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
        let joined = Zeroizing::new(crypto::hash::sha256_of_parts(&parts));
        AeadKey::new(&joined).ok()
    }

    /// Destroys the key of a patient's data for good: the box is replaced, and what was sealed under
    /// that key, wherever its copies are, stays closed.
    pub fn destroy_unit(folder: &Path, patient: &fhir::Id) -> Result<bool, KeysError> {
        alter(folder, |closed, opened| {
            let mut content = content(closed, opened)?;
            let mut ring = Self::of(content.clone())?;
            let destroyed = match ring.unit(patient) {
                Some(name) => ring.units.destroy(&name),
                None => false,
            };
            content.units = BASE64.encode(&*ring.units.to_bytes());
            closed.fill(opened, &text(&content)?, &SystemRandom).map_err(made)?;
            Ok(destroyed)
        })
    }

    /// Keys of pages and of backups by number, and nodes of the patients' secret: for a person.
    pub(super) fn figures(&self) -> (Vec<u32>, Vec<u32>, usize) {
        let numbers = |keys: &[Numbered]| keys.iter().map(|key| key.number).collect();
        (numbers(&self.content.store), numbers(&self.content.files), self.units.nodes())
    }
}

fn text(content: &Content) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let text = serde_json::to_vec(content).map_err(|_| made(CryptoError::Library))?;
    Ok(Zeroizing::new(text))
}

fn content(closed: &Lockbox, opened: &Opened) -> Result<Content, KeysError> {
    let bytes = closed.content(opened).map_err(unreadable)?;
    serde_json::from_slice(&bytes).map_err(|_| unreadable(CryptoError::Sealed))
}

/// The closed box; `None` where there is none.
pub(super) fn read(folder: &Path) -> Result<Option<Lockbox>, KeysError> {
    let path = folder.join(BOX);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Lockbox::parse(&text).map_err(unreadable)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&path, error)),
    }
}

/// Opens the box under its lock, lets it be changed, and replaces it.
pub(super) fn alter<T>(
    folder: &Path,
    change: impl FnOnce(&mut Lockbox, &Opened) -> Result<T, KeysError>,
) -> Result<T, KeysError> {
    let path = folder.join("lock");
    let lock = File::create(&path).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|e| failed(&path, e))?;
    let Some(mut closed) = read(folder)? else {
        let folder = folder.display();
        let reason = format!("there is no box in `{folder}`; make one with `consilium keys seal`");
        return Err(KeysError::Locked(reason));
    };
    let opened = unlock::unlock(folder, &closed)?;
    let done = change(&mut closed, &opened)?;
    write(folder, &closed)?;
    Ok(done)
}

fn write(folder: &Path, closed: &Lockbox) -> Result<(), KeysError> {
    let (path, part) = (folder.join(BOX), folder.join("sealed.part"));
    if part.exists() {
        wipe(&part)?;
    }
    keep(&part, closed.to_text().map_err(made)?.as_bytes())?;
    fs::rename(&part, &path).map_err(|e| failed(&path, e))?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|e| failed(folder, e))
}
