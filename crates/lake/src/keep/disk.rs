//! The folder of a lake: sealed files that are written whole, then known.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crypto::Random;
use crypto::aead::AeadKey;
use crypto::frames::{Reader, Writer};

/// The most bytes of a file that is read at once: the manifest, and lists of what is gone.
const MAX_WHOLE: u64 = 256 * 1024 * 1024;

/// A folder whose files are sealed, each for its name.
pub(crate) struct Folder {
    path: PathBuf,
    key: AeadKey,
    random: Arc<dyn Random>,
    /// In tests: how many more steps succeed before the power fails.
    #[cfg(test)]
    pub(crate) steps: std::sync::atomic::AtomicI64,
}

impl Folder {
    /// Opens the folder, which is made where there is none.
    pub(crate) fn open(path: PathBuf, key: AeadKey, random: Arc<dyn Random>) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self {
            path,
            key,
            random,
            #[cfg(test)]
            steps: std::sync::atomic::AtomicI64::new(i64::MAX),
        })
    }

    /// One step that a crash may come before.
    fn step(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.steps.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) <= 0 {
            return Err(io::Error::other("the power failed"));
        }
        Ok(())
    }

    /// Begins a file that grows.
    pub(crate) fn create(&self, name: &str) -> io::Result<Writer<BufWriter<File>>> {
        self.step()?;
        let file = BufWriter::new(File::create(self.path.join(name))?);
        Writer::create(file, &self.key, name, &*self.random)
    }

    /// Ends a file and waits until it is on disk. Returns its length in bytes.
    pub(crate) fn finish(&self, writer: Writer<BufWriter<File>>) -> io::Result<u64> {
        self.step()?;
        let mut out = writer.finish()?;
        self.step()?;
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(out.get_ref().metadata()?.len())
    }

    /// Opens a file to read from any place.
    pub(crate) fn read(&self, name: &str) -> io::Result<Reader<File>> {
        Reader::open(File::open(self.path.join(name))?, &self.key, name)
    }

    /// Bytes of a file as it lies there.
    pub(crate) fn length(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path.join(name))?.len())
    }

    /// Replaces a file as a whole: after a crash at any point it is the old one or the new one.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let sealed = self
            .key
            .seal(name.as_bytes(), content, &*self.random)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let next = self.path.join(format!("{name}.new"));
        self.step()?;
        let mut file = File::create(&next)?;
        let (first, rest) = sealed.split_at(sealed.len() / 2);
        file.write_all(first)?;
        self.step()?;
        file.write_all(rest)?;
        file.sync_all()?;
        self.step()?;
        fs::rename(&next, self.path.join(name))?;
        File::open(&self.path)?.sync_all()
    }

    /// Reads a file as a whole; `None` where there is none.
    pub(crate) fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(known) if known.len() > MAX_WHOLE => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(_) => {}
        }
        let opened = self.key.open(name.as_bytes(), &fs::read(path)?);
        let opened = opened.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Some(opened.to_vec()))
    }

    /// Removes a file. What cannot be removed now is removed when the lake is opened again.
    pub(crate) fn remove(&self, name: &str) {
        if self.step().is_ok() {
            let _ = fs::remove_file(self.path.join(name));
        }
    }

    /// The names of all files.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }
}
