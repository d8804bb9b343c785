//! Files that grow line by line, are rolled over at a number of lines, and can be taken up again
//! after a restart at exactly the place that a checkpoint names.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::jobs::{Outcome, failed};

/// One file of an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the folder.
    pub name: String,
    /// Lines, without a heading.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The files of several outputs, each under a key of its own (`Patient`, the name of a view).
pub struct Rolls {
    folder: PathBuf,
    rows: u64,
    heading: BTreeMap<String, String>,
    parts: BTreeMap<String, Vec<Part>>,
    open: BTreeMap<String, BufWriter<File>>,
}

impl Rolls {
    /// Takes up the files that `parts` names, as long as it says; whatever was written behind
    /// that is cut off, and files that it does not name are removed.
    pub fn resume(folder: &Path, rows: u64, parts: BTreeMap<String, Vec<Part>>) -> Outcome<Self> {
        let known: Vec<&str> = parts.values().flatten().map(|part| part.name.as_str()).collect();
        let files = std::fs::read_dir(folder).map_err(|e| failed("read", &e))?;
        for file in files.flatten() {
            if !known.contains(&file.file_name().to_string_lossy().as_ref()) {
                std::fs::remove_file(file.path()).map_err(|e| failed("removed", &e))?;
            }
        }
        for part in parts.values().filter_map(|parts| parts.last()) {
            let cut = || -> std::io::Result<()> {
                let file = OpenOptions::new().write(true).open(folder.join(&part.name))?;
                if file.metadata()?.len() < part.bytes {
                    return Err(std::io::Error::other("it is shorter than the checkpoint says"));
                }
                file.set_len(part.bytes)
            };
            cut().map_err(|e| failed("taken up again", &e))?;
        }
        let (heading, open) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { folder: folder.to_owned(), rows: rows.max(1), heading, parts, open })
    }

    /// Makes every file of an output start with a line.
    pub fn head(&mut self, key: &str, line: String) {
        self.heading.insert(key.to_owned(), line);
    }

    /// Adds a line to an output; `extension` is that of its files.
    pub fn line(&mut self, key: &str, extension: &str, line: &str) -> Outcome<()> {
        let full = |part: &Part| part.count >= self.rows;
        if self.parts.get(key).and_then(|parts| parts.last()).is_none_or(full) {
            self.roll(key, extension)?;
        }
        let writer = self.writer(key)?;
        writer
            .write_all(line.as_bytes())
            .and_then(|()| writer.write_all(b"\n"))
            .map_err(|e| failed("written", &e))?;
        if let Some(part) = self.parts.get_mut(key).and_then(|parts| parts.last_mut()) {
            part.count += 1;
            part.bytes += line.len() as u64 + 1;
        }
        Ok(())
    }

    /// Starts the next file of an output: also one without any line.
    pub fn roll(&mut self, key: &str, extension: &str) -> Outcome<()> {
        if let Some(writer) = self.open.remove(key) {
            settle(writer)?;
        }
        let parts = self.parts.entry(key.to_owned()).or_default();
        let name = format!("{key}.part{}.{extension}", parts.len() + 1);
        let file = File::create(self.folder.join(&name)).map_err(|e| failed("made", &e))?;
        let mut writer = BufWriter::new(file);
        let mut part = Part { name, count: 0, bytes: 0 };
        if let Some(line) = self.heading.get(key) {
            writer.write_all(line.as_bytes()).map_err(|e| failed("written", &e))?;
            part.bytes = line.len() as u64;
        }
        parts.push(part);
        self.open.insert(key.to_owned(), writer);
        Ok(())
    }

    fn writer(&mut self, key: &str) -> Outcome<&mut BufWriter<File>> {
        if !self.open.contains_key(key) {
            let part = self.parts.get(key).and_then(|parts| parts.last());
            let part = part.ok_or_else(|| Error::internal("an output has no file"))?;
            let file = OpenOptions::new().append(true).open(self.folder.join(&part.name));
            let file = file.map_err(|e| failed("opened", &e))?;
            self.open.insert(key.to_owned(), BufWriter::new(file));
        }
        let writer = self.open.get_mut(key);
        Ok(writer.ok_or_else(|| Error::internal("an output has no file"))?)
    }

    /// Brings everything to the disk; [`Rolls::parts`] may be saved after.
    pub fn sync(&mut self) -> Outcome<()> {
        for writer in self.open.values_mut() {
            writer.flush().map_err(|e| failed("written", &e))?;
            writer.get_ref().sync_data().map_err(|e| failed("written", &e))?;
        }
        Ok(())
    }

    /// The files of every output so far.
    pub fn parts(&self) -> &BTreeMap<String, Vec<Part>> {
        &self.parts
    }
}

fn settle(writer: BufWriter<File>) -> Outcome<()> {
    let file = writer.into_inner().map_err(|e| failed("written", e.error()))?;
    Ok(file.sync_data().map_err(|e| failed("written", &e))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(folder: &Path) -> Vec<(String, String)> {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        let mut texts: Vec<_> = files
            .map(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(file.path()).unwrap())
            })
            .collect();
        texts.sort();
        texts
    }

    /// Writes lines 0 to 9, but is cut off after any number of lines with more on the disk than
    /// the checkpoint knows of, and goes on from there.
    #[test]
    fn a_cut_changes_nothing_wherever_it_comes() {
        let whole = tempfile::tempdir().unwrap();
        let mut rolls = Rolls::resume(whole.path(), 4, BTreeMap::new()).unwrap();
        rolls.head("A", "head\n".into());
        for number in 0..10 {
            rolls.line("A", "csv", &format!("line {number}")).unwrap();
        }
        rolls.sync().unwrap();
        let expected = texts(whole.path());
        assert_eq!(expected.len(), 3, "rolled at four lines");
        assert!(expected.iter().all(|(_, text)| text.starts_with("head\nline")));
        for cut in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let mut rolls = Rolls::resume(folder.path(), 4, BTreeMap::new()).unwrap();
            rolls.head("A", "head\n".into());
            let mut saved = BTreeMap::new();
            for number in 0..10 {
                if number == cut {
                    rolls.sync().unwrap();
                    saved = rolls.parts().clone();
                }
                rolls.line("A", "csv", &format!("line {number}")).unwrap();
            }
            drop(rolls);
            std::fs::write(folder.path().join("B.part1.csv"), "not in the checkpoint").unwrap();
            let mut rolls = Rolls::resume(folder.path(), 4, saved).unwrap();
            rolls.head("A", "head\n".into());
            for number in cut..10 {
                rolls.line("A", "csv", &format!("line {number}")).unwrap();
            }
            rolls.sync().unwrap();
            assert_eq!(texts(folder.path()), expected, "cut before line {cut}");
        }
    }

    #[test]
    fn a_file_that_has_lost_lines_is_not_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut rolls = Rolls::resume(folder.path(), 4, BTreeMap::new()).unwrap();
        rolls.line("A", "ndjson", "line").unwrap();
        rolls.sync().unwrap();
        let saved = rolls.parts().clone();
        std::fs::write(folder.path().join("A.part1.ndjson"), "li").unwrap();
        assert!(Rolls::resume(folder.path(), 4, saved).is_err());
    }
}
