//! Opening the box: a key file, a token, a passphrase.
//!
//! A passphrase (or a token's PIN) is asked for at the terminal, or read from a file that
//! `--passphrase-file` names (`/dev/fd/3` for a file descriptor), or from the credential
//! `consilium.passphrase` that systemd hands over. It is never an argument, nor an environment variable:
//! other programs on the machine can read those. It is asked for once in the life of the process.

use std::fs;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::lockbox::{Lockbox, Opened, SHORTEST, Secret, Way};
use crypto::{Random as _, SystemRandom};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::{KeysError, failed, keep, token};

/// The name of the credential (systemd's `LoadCredential=`, `LoadCredentialEncrypted=`).
const CREDENTIAL: &str = "consilium.passphrase";
/// Bytes of the longest passphrase.
const MOST: u64 = 1024;

static PASSPHRASE_FILE: OnceLock<PathBuf> = OnceLock::new();
static RECOVERY_FILE: OnceLock<PathBuf> = OnceLock::new();
static PASSPHRASE: Mutex<Option<Zeroizing<String>>> = Mutex::new(None);

/// Says where the passphrase is read from, and a recovery file that opens the box instead.
pub fn sources(passphrase_file: Option<PathBuf>, recovery: Option<PathBuf>) {
    // Set once, by the command line.
    if let Some(file) = passphrase_file {
        let _ = PASSPHRASE_FILE.set(file);
    }
    if let Some(file) = recovery {
        let _ = RECOVERY_FILE.set(file);
    }
}

/// Opens the box in `folder` by the first way that works: a key file that is there, the recovery file
/// that was named, a token, and last what a person must be asked for.
pub(super) fn unlock(folder: &Path, closed: &Lockbox) -> Result<Opened, KeysError> {
    let mut reasons = Vec::new();
    let order = |way: &&Way| match way {
        Way::File { .. } => 0,
        Way::Recovery { .. } => 1,
        Way::Token { .. } => 2,
        Way::Passphrase { .. } => 3,
    };
    let mut ways: Vec<&Way> = closed.ways().iter().collect();
    ways.sort_by_key(order);
    for way in ways {
        match open_by(folder, closed, way) {
            Ok(Some(opened)) => return Ok(opened),
            Ok(None) => {}
            Err(reason) => reasons.push(reason.to_string()),
        }
    }
    let folder = folder.display();
    let reasons = match reasons.is_empty() {
        true => "no key file, token or recovery file that opens them is there".to_owned(),
        false => reasons.join("; "),
    };
    Err(KeysError::Locked(format!("the keys in `{folder}` stay closed: {reasons}")))
}

fn open_by(folder: &Path, closed: &Lockbox, way: &Way) -> Result<Option<Opened>, KeysError> {
    let wrong = |what: String| move |_| KeysError::Locked(what);
    match way {
        Way::Token { .. } => token::open(way, passphrase("PIN of the token")?.as_str()).map(Some),
        _ => {
            let Some(secret) = secret_of(folder, way)? else { return Ok(None) };
            let what = match way {
                Way::Passphrase { .. } => {
                    // The next command asks again instead of repeating what was wrong.
                    "the passphrase is not the right one; nothing was changed".to_owned()
                }
                Way::File { path, .. } => format!("the key file `{path}` is not the right one"),
                _ => "the recovery file is not the right one".to_owned(),
            };
            closed.open(way, &secret).map(Some).map_err(wrong(what))
        }
    }
}

/// The secret that opens a way other than a token; `None` where what holds it is not there.
pub(super) fn secret_of(folder: &Path, way: &Way) -> Result<Option<Secret>, KeysError> {
    match way {
        Way::File { path, .. } => {
            let path = folder.join(path);
            if path.exists() { read_key_file(&path).map(Some) } else { Ok(None) }
        }
        Way::Recovery { .. } => RECOVERY_FILE.get().map(|path| read_key_file(path)).transpose(),
        Way::Passphrase { .. } => {
            let passphrase = passphrase("passphrase of the node's keys")?;
            way.stretch(&passphrase).map(Some).map_err(|e| KeysError::Content("the passphrase", e))
        }
        Way::Token { .. } => Ok(None),
    }
}

/// Writes a new file with 256 random bits and returns them.
pub(super) fn new_key_file(path: &Path) -> Result<Secret, KeysError> {
    let mut secret = Secret::default();
    let made = |e: crypto::RandomFault| KeysError::Content("a new key", e.into());
    SystemRandom.fill(&mut *secret).map_err(made)?;
    let text = Zeroizing::new(BASE64.encode(*secret) + "\n");
    keep(path, text.as_bytes())?;
    Ok(secret)
}

fn read_key_file(path: &Path) -> Result<Secret, KeysError> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|e| failed(path, e))?);
    let bytes = BASE64.decode(text.trim()).map(Zeroizing::new).ok();
    let secret = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    let path = path.display();
    let reason = || KeysError::Locked(format!("`{path}` is not a key file: 32 bytes in base64"));
    Ok(Zeroizing::new(secret.ok_or_else(reason)?))
}

/// The passphrase, asked for once.
pub(super) fn passphrase(what: &str) -> Result<Zeroizing<String>, KeysError> {
    let mut known = PASSPHRASE.lock();
    if let Some(known) = &*known {
        return Ok(known.clone());
    }
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY")
        .map(|folder| Path::new(&folder).join(CREDENTIAL))
        .filter(|path| path.exists());
    let found = match PASSPHRASE_FILE.get().or(credential.as_ref()) {
        Some(path) => from_file(path)?,
        None => asked(what)?,
    };
    *known = Some(found.clone());
    Ok(found)
}

/// What a file holds, without the end of its line.
pub(super) fn from_file(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    let mut text = Zeroizing::new(String::new());
    let read = fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text));
    read.map_err(|e| failed(path, e))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn asked(what: &str) -> Result<Zeroizing<String>, KeysError> {
    let terminal = console::Term::stderr();
    if !std::io::stdin().is_terminal() {
        let reason = format!(
            "the {what} is needed and there is no terminal to ask at; name a file with \
             `--passphrase-file` (`/dev/fd/3` for a descriptor), or hand it over as systemd \
             credential `{CREDENTIAL}`"
        );
        return Err(KeysError::Locked(reason));
    }
    let read = terminal.write_str(&format!("{what}: ")).and_then(|()| terminal.read_secure_line());
    let read = read.map_err(|e| KeysError::File("the terminal".into(), e))?;
    Ok(Zeroizing::new(read))
}

/// A new passphrase: from a file, or asked for twice.
pub(super) fn new_passphrase(file: Option<&Path>) -> Result<Zeroizing<String>, KeysError> {
    let found = match file {
        Some(file) => from_file(file)?,
        None => {
            let (first, again) = (asked("new passphrase")?, asked("the same again")?);
            if *first != *again {
                return Err(KeysError::Locked(
                    "the two are not the same; nothing was changed".into(),
                ));
            }
            first
        }
    };
    if found.chars().count() < SHORTEST {
        let reason =
            format!("a passphrase has at least {SHORTEST} characters; nothing was changed");
        return Err(KeysError::Locked(reason));
    }
    Ok(found)
}

/// Takes up another passphrase for the rest of this process.
pub(super) fn now_is(passphrase: Zeroizing<String>) {
    *PASSPHRASE.lock() = Some(passphrase);
}
