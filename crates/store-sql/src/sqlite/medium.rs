//! A database file and the key of its pages.
//!
//! Every page of the file and of its write-ahead log is encrypted and authenticated with
//! ChaCha20-Poly1305 (RFC 8439) under a nonce that is drawn anew each time the page is written:
//! scheme `chacha20` of SQLite3 Multiple Ciphers, without its derivation from a password, as the key
//! is 256 random bits already. Bytes 16 to 23 of the file (page size and versions) are not
//! encrypted. An authentic older page can be put in the place of a newer one: what was rolled back
//! is found by the audit's tree and by backups, not by the cipher.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use store::StoreError;
use zeroize::Zeroizing;

use super::fault::Fault;

/// How a file without encryption begins.
const PLAIN: &[u8] = b"SQLite format 3\0";

/// The key of a database's pages: 256 bits.
#[derive(Clone)]
pub struct PageKey(Zeroizing<[u8; 32]>);

impl PageKey {
    /// Takes 32 random bytes as the key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Whether it is the same as another, in constant time.
    pub fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(&*other.0).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }

    /// The statements by which a connection takes it up, before any other.
    pub fn statements(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(crypto::hash::hex(&*self.0));
        Zeroizing::new(format!("PRAGMA cipher = 'chacha20'; PRAGMA key = 'raw:{}';", *key))
    }
}

impl std::fmt::Debug for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageKey(hidden)")
    }
}

/// How a database file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// There is no file yet.
    Absent,
    /// Its pages are not encrypted.
    Plain,
    /// Its pages are encrypted.
    Sealed,
}

/// How the file is kept.
pub(super) fn form(file: &Path) -> Result<Form, Fault> {
    use std::io::Read;
    let mut start = Vec::new();
    match std::fs::File::open(file) {
        Ok(file) => file.take(PLAIN.len() as u64).read_to_end(&mut start)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Form::Absent),
        Err(error) => return Err(error.into()),
    };
    Ok(match start.as_slice() {
        [] => Form::Absent,
        PLAIN => Form::Plain,
        _ => Form::Sealed,
    })
}

/// A file and its key; `None` where its pages are not encrypted.
#[derive(Clone, Debug)]
pub(super) struct Medium {
    pub(super) file: PathBuf,
    key: Option<PageKey>,
}

/// The database in the folder of a store: `store.db`, or where its pages were encrypted anew, the
/// `store.N.db` with the highest number. A number is given to a file only once it is whole.
pub(super) fn database(folder: &Path) -> PathBuf {
    let newest = numbered(folder).map(|(number, _)| number).max().unwrap_or(0);
    file_of(folder, newest)
}

fn file_of(folder: &Path, number: u64) -> PathBuf {
    match number {
        0 => folder.join("store.db"),
        _ => folder.join(format!("store.{number}.db")),
    }
}

/// The databases in a folder, with their numbers.
fn numbered(folder: &Path) -> impl Iterator<Item = (u64, PathBuf)> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
        let path = entry.path();
        let name = entry.file_name();
        let middle = name.to_str()?.strip_prefix("store.")?;
        match middle.strip_suffix(".db") {
            Some(number) => Some((number.parse().ok()?, path)),
            None => (middle == "db").then_some((0, path)),
        }
    })
}

/// Removes what an encryption anew has left behind: the database before the newest, and a copy that
/// was not finished.
pub(super) fn sweep(folder: &Path, newest: &Path) -> std::io::Result<()> {
    let mut old: Vec<PathBuf> = numbered(folder).map(|(_, file)| file).collect();
    old.retain(|file| file != newest);
    let entries = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    old.extend(entries.filter(|file| file.extension().is_some_and(|end| end == "part")));
    old.iter().try_for_each(|file| remove(file))
}

/// Removes a database file and what SQLite keeps beside it.
fn remove(file: &Path) -> std::io::Result<()> {
    for beside in ["-shm", "-wal", ""] {
        let mut name = file.as_os_str().to_owned();
        name.push(beside);
        match std::fs::remove_file(Path::new(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Medium {
    /// The file that comes after this one, under another key.
    pub(super) fn next(&self, key: PageKey) -> Self {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let newest = numbered(folder).map(|(number, _)| number).max().unwrap_or(0);
        Self { file: file_of(folder, newest + 1), key: Some(key) }
    }

    /// What it is called until it is whole.
    pub(super) fn part(&self) -> Self {
        Self { file: self.file.with_extension("part"), key: self.key.clone() }
    }

    /// Whether its pages are encrypted.
    pub(super) fn is_sealed(&self) -> bool {
        self.key.is_some()
    }

    /// Removes the file.
    pub(super) fn remove(&self) -> std::io::Result<()> {
        remove(&self.file)
    }

    pub(super) fn new(file: PathBuf, key: Option<PageKey>) -> Self {
        Self { file, key }
    }

    /// A connection for reading and writing; the file is made where it is missing.
    pub(super) fn open(&self) -> Result<Connection, Fault> {
        self.unlocked(Connection::open(&self.file)?)
    }

    /// A connection for reading.
    pub(super) fn open_to_read(&self) -> Result<Connection, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        self.unlocked(Connection::open_with_flags(&self.file, flags)?)
    }

    fn unlocked(&self, conn: Connection) -> Result<Connection, Fault> {
        let Some(key) = &self.key else { return Ok(conn) };
        conn.execute_batch(&key.statements())?;
        // The first page that is read tells whether it is the right one.
        match conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
                Err(wrong(&self.file))
            }
            other => other.map(|()| conn).map_err(Fault::from),
        }
    }
}

fn wrong(file: &Path) -> Fault {
    let file = file.display();
    Fault::Store(StoreError::Failed(format!(
        "`{file}` does not open with this node's key; use the folder `keys` that belongs to it"
    )))
}
