//! The folder of a job: its files, sealed on the disk where the node has keys.
//!
//! Each job has a random key in its folder, sealed under a key of the node's box. It goes with the
//! job: what the medium keeps of the files stays closed. A file is bound to its name and its job, and is
//! opened as it is read. Where a node has no box, files are as they are.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypto::Random;
use crypto::aead::AeadKey;
use crypto::frames::{Reader, Writer};
use zeroize::Zeroizing;

/// Name of the file with the job's key.
const KEY: &str = "key";
/// Where what may be downloaded is.
pub(super) const OUT: &str = "out";

/// The node's keys under which those of jobs are sealed.
pub struct Keys {
    numbered: Vec<(u32, AeadKey)>,
    random: Arc<dyn Random>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(hidden)")
    }
}

impl Keys {
    /// Keys with their numbers, of which the highest seals.
    pub fn new(numbered: Vec<(u32, AeadKey)>, random: Arc<dyn Random>) -> Self {
        Self { numbered, random }
    }

    fn seal(&self, context: &[u8], key: &[u8]) -> io::Result<Vec<u8>> {
        let newest = self.numbered.iter().max_by_key(|(number, _)| *number);
        let (number, under) = newest.ok_or_else(|| io::Error::other("the node has no key"))?;
        let sealed = under.seal(context, key, &*self.random).map_err(io::Error::other)?;
        Ok([number.to_be_bytes().as_slice(), &sealed].concat())
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> io::Result<AeadKey> {
        let (number, sealed) = sealed.split_first_chunk::<4>().ok_or_else(closed)?;
        let number = u32::from_be_bytes(*number);
        let under = self.numbered.iter().find(|(known, _)| *known == number).ok_or_else(closed)?;
        let key = under.1.open(context, sealed).map_err(|_| closed())?;
        let key = Zeroizing::new(<[u8; 32]>::try_from(key.as_slice()).map_err(|_| closed())?);
        AeadKey::new(&key).map_err(io::Error::other)
    }
}

fn closed() -> io::Error {
    io::Error::other("its key does not open with this node's keys; cancel the job")
}

/// What seals the files of one job.
#[derive(Clone)]
struct Seal {
    key: Arc<AeadKey>,
    random: Arc<dyn Random>,
}

/// The folder of a job.
#[derive(Clone)]
pub struct Folder {
    path: PathBuf,
    seal: Option<Seal>,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Folder {
    /// Opens the folder of a job, or makes it with a key.
    ///
    /// Errors: those of the disk, where the key does not open, and where there are files but no key
    /// although the node has keys: files that somebody put there are not taken for the job's.
    pub fn make(path: &Path, id: &str, keys: Option<&Keys>) -> io::Result<Self> {
        let file = path.join(KEY);
        if keys.is_some() && !file.exists() {
            fs::create_dir_all(path)?;
            for inside in [path.to_owned(), path.join(OUT)] {
                let mut files = fs::read_dir(inside).into_iter().flatten().flatten();
                if files.any(|entry| entry.path().is_file() && entry.file_name() != "key.new") {
                    let reason = "the job is older than the sealing of its files; order it anew";
                    return Err(io::Error::other(reason));
                }
            }
        }
        fs::create_dir_all(path.join(OUT))?;
        if let Some(keys) = keys.filter(|_| !file.exists()) {
            let mut key = Zeroizing::new([0; 32]);
            keys.random.fill(&mut *key).map_err(io::Error::other)?;
            Self::plain(path).write(KEY, &keys.seal(&context(id), &*key)?)?;
        }
        Self::open_at(path, id, keys)
    }

    fn open_at(path: &Path, id: &str, keys: Option<&Keys>) -> io::Result<Self> {
        let seal = match (fs::read(path.join(KEY)), keys) {
            (Ok(sealed), Some(keys)) => {
                let key = Arc::new(keys.open(&context(id), &sealed)?);
                Some(Seal { key, random: keys.random.clone() })
            }
            (Ok(_), None) => return Err(closed()),
            (Err(error), None) if error.kind() == io::ErrorKind::NotFound => None,
            (Err(error), _) => return Err(error),
        };
        Ok(Self { path: path.to_owned(), seal })
    }

    /// A folder whose files are not sealed.
    pub fn plain(path: &Path) -> Self {
        Self { path: path.to_owned(), seal: None }
    }

    /// Where a file of this name is.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Begins a file; one that is there goes.
    pub fn create(&self, name: &str) -> io::Result<Output> {
        self.begin(File::create(self.at(name))?, name)
    }

    /// Begins a file that is there, in the place of another one, when it is finished.
    pub fn replace(&self, name: &str) -> io::Result<Output> {
        let (new, place) = (self.at(&format!("{name}.new")), self.at(name));
        let output = self.begin(File::create(&new)?, name)?;
        Ok(Output { place: Some((new, place)), ..output })
    }

    fn begin(&self, file: File, name: &str) -> io::Result<Output> {
        let inner = match &self.seal {
            None => Out::Plain(BufWriter::new(file)),
            Some(Seal { key, random }) => {
                Out::Sealed(Box::new(Writer::create(file, key, name, &**random)?))
            }
        };
        Ok(Output { inner, bytes: 0, place: None })
    }

    /// Takes a file up again where it had `bytes` bytes of content, which must be where it was
    /// synced; what was written behind that is cut off.
    pub fn take_up(&self, name: &str, bytes: u64) -> io::Result<Output> {
        let mut file = OpenOptions::new().read(true).write(true).open(self.at(name))?;
        let inner = match &self.seal {
            None if file.metadata()?.len() < bytes => {
                return Err(io::Error::other("it is shorter than the checkpoint says"));
            }
            None => {
                file.set_len(bytes)?;
                file.seek(SeekFrom::End(0))?;
                Out::Plain(BufWriter::new(file))
            }
            Some(Seal { key, random }) => {
                let (writer, length) = Writer::take_up(file, key, name, bytes, &**random)?;
                writer.get_ref().set_len(length)?;
                Out::Sealed(Box::new(writer))
            }
        };
        Ok(Output { inner, bytes, place: None })
    }

    /// A finished file.
    pub fn open(&self, name: &str) -> io::Result<Input> {
        let file = File::open(self.at(name))?;
        Ok(match &self.seal {
            None => Input::Plain(file),
            Some(Seal { key, .. }) => Input::Sealed(Box::new(Reader::open(file, key, name)?)),
        })
    }

    /// The first `bytes` bytes of a file that may still grow.
    pub fn open_part(&self, name: &str, bytes: u64) -> io::Result<io::Take<Input>> {
        let file = File::open(self.at(name))?;
        let input = match &self.seal {
            None => Input::Plain(file),
            Some(Seal { key, .. }) => {
                Input::Sealed(Box::new(Reader::open_part(file, key, name, bytes)?))
            }
        };
        Ok(input.take(bytes))
    }

    /// Writes a whole file, in the place of one that is there; durable on return.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut output = self.replace(name)?;
        output.write_all(content)?;
        output.finish().map(|_| ())
    }

    /// The content of a finished file.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open(name)?.read_to_end(&mut content)?;
        Ok(content)
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.at(name).is_file()
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }
}

/// The context under which the key of a job is sealed.
fn context(id: &str) -> Vec<u8> {
    [b"consilium job ", id.as_bytes()].concat()
}

/// Removes the folder of a job, its key first: overwritten, so that what is left of the files on the
/// medium stays closed.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let key = folder.join(KEY);
    if let Ok(mut file) = OpenOptions::new().write(true).open(&key) {
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        file.write_all(&vec![0; length])?;
        file.sync_all()?;
    }
    fs::remove_dir_all(folder)
}

enum Out {
    Plain(BufWriter<File>),
    Sealed(Box<Writer<File>>),
}

/// A file that is written.
pub struct Output {
    inner: Out,
    bytes: u64,
    /// Where it is, and where it belongs once it is finished.
    place: Option<(PathBuf, PathBuf)>,
}

impl Output {
    /// Brings to the disk what was written: the file can be taken up again here.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file().sync_data()
    }

    /// Ends the file, durable on return, and says how many bytes of content it has.
    pub fn finish(self) -> io::Result<u64> {
        let file = match self.inner {
            Out::Plain(out) => out.into_inner().map_err(io::IntoInnerError::into_error)?,
            Out::Sealed(out) => out.finish()?,
        };
        file.sync_all()?;
        if let Some((new, place)) = self.place {
            fs::rename(new, &place)?;
            if let Some(folder) = place.parent() {
                File::open(folder)?.sync_all()?;
            }
        }
        Ok(self.bytes)
    }

    fn file(&self) -> &File {
        match &self.inner {
            Out::Plain(out) => out.get_ref(),
            Out::Sealed(out) => out.get_ref(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match &mut self.inner {
            Out::Plain(out) => out.write(bytes)?,
            Out::Sealed(out) => out.write(bytes)?,
        };
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.inner {
            Out::Plain(out) => out.flush(),
            Out::Sealed(out) => out.flush(),
        }
    }
}

/// A file that is read, from any place.
pub enum Input {
    /// As it lies there.
    Plain(File),
    /// Opened as it is read.
    Sealed(Box<Reader<File>>),
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Sealed(file) => file.read(into),
        }
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.seek(to),
            Self::Sealed(file) => file.seek(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use crypto::SystemRandom;

    use super::*;

    fn keys(numbers: &[u32]) -> Keys {
        let key = |number: &u32| (*number, AeadKey::new(&[*number as u8; 32]).unwrap());
        Keys::new(numbers.iter().map(key).collect(), Arc::new(SystemRandom))
    }

    #[test]
    fn a_job_opens_with_its_own_key_only_and_not_without_it() {
        let home = tempfile::tempdir().unwrap();
        let (path, other) = (home.path().join("j"), home.path().join("k"));
        let folder = Folder::make(&path, "j", Some(&keys(&[1]))).unwrap();
        folder.write("a", b"Ottilie Quillfeather").unwrap();
        let on_disk = fs::read(path.join("a")).unwrap();
        assert!(!on_disk.windows(7).any(|part| part == b"Ottilie"));
        // A new key of the node, beside the old one.
        let again = Folder::make(&path, "j", Some(&keys(&[1, 2]))).unwrap();
        assert_eq!(again.read("a").unwrap(), b"Ottilie Quillfeather");
        assert!(Folder::make(&path, "j", Some(&keys(&[2]))).is_err());
        assert!(Folder::make(&path, "j", None).is_err());
        // Its files under another name, in another job, and its folder as another job's.
        fs::copy(path.join("a"), path.join("b")).unwrap();
        assert!(again.read("b").is_err());
        let stranger = Folder::make(&other, "k", Some(&keys(&[1]))).unwrap();
        fs::copy(path.join("a"), other.join("a")).unwrap();
        assert!(stranger.read("a").is_err());
        fs::copy(path.join("key"), other.join("key")).unwrap();
        assert!(Folder::make(&other, "k", Some(&keys(&[1]))).is_err());
        // Without the key, what is there is not taken for the job's.
        fs::remove_file(path.join("key")).unwrap();
        assert!(Folder::make(&path, "j", Some(&keys(&[1]))).is_err());
    }

    #[test]
    fn the_key_is_overwritten_before_the_folder_goes() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        Folder::make(&path, "j", Some(&keys(&[1]))).unwrap();
        let kept = home.path().join("kept");
        fs::hard_link(path.join("key"), &kept).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
        assert!(fs::read(&kept).unwrap().iter().all(|byte| *byte == 0));
    }
}
