//! Files that grow line by line, are rolled over at a number of lines, and can be taken up again
//! after a restart at exactly the place that a checkpoint names.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::jobs::folder::{Folder, Output};
use crate::jobs::{Outcome, failed};

/// Where files for download are.
const OUT: &str = "out";

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

impl Part {
    /// Its name in the folder of the job.
    pub fn place(&self) -> String {
        place(&self.name)
    }
}

/// What a file for download is called in the folder of its job.
pub fn place(name: &str) -> String {
    format!("{OUT}/{name}")
}

/// The files of several outputs, each under a key of its own (`Patient`, the name of a view).
pub struct Rolls {
    folder: Folder,
    rows: u64,
    heading: BTreeMap<String, String>,
    parts: BTreeMap<String, Vec<Part>>,
    open: BTreeMap<String, Output>,
}

impl Rolls {
    /// Takes up the files that `parts` names, as long as it says; whatever was written behind
    /// that is cut off, and files below `out/` that neither it nor `done` names are removed.
    pub fn resume(
        folder: &Folder,
        rows: u64,
        parts: BTreeMap<String, Vec<Part>>,
        done: &BTreeMap<String, Vec<Part>>,
    ) -> Outcome<Self> {
        let known: Vec<&Part> = parts.values().chain(done.values()).flatten().collect();
        let files = std::fs::read_dir(folder.at(OUT)).map_err(|e| failed("read", &e))?;
        for file in files.flatten() {
            let name = file.file_name();
            if !known.iter().any(|part| part.name.as_str() == name) {
                std::fs::remove_file(file.path()).map_err(|e| failed("removed", &e))?;
            }
        }
        let mut open = BTreeMap::new();
        for (key, part) in parts.iter().filter_map(|(key, parts)| Some((key, parts.last()?))) {
            let taken = folder.take_up(&part.place(), part.bytes);
            open.insert(key.clone(), taken.map_err(|e| failed("taken up again", &e))?);
        }
        let heading = BTreeMap::new();
        Ok(Self { folder: folder.clone(), rows: rows.max(1), heading, parts, open })
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
        let writer = self.open.get_mut(key);
        let writer = writer.ok_or_else(|| Error::internal("an output has no file"))?;
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
        let mut part = Part { name, count: 0, bytes: 0 };
        let mut writer = self.folder.create(&part.place()).map_err(|e| failed("made", &e))?;
        if let Some(line) = self.heading.get(key) {
            writer.write_all(line.as_bytes()).map_err(|e| failed("written", &e))?;
            part.bytes = line.len() as u64;
        }
        parts.push(part);
        self.open.insert(key.to_owned(), writer);
        Ok(())
    }

    /// Brings everything to the disk; [`Rolls::parts`] may be saved after.
    pub fn sync(&mut self) -> Outcome<()> {
        for writer in self.open.values_mut() {
            writer.sync().map_err(|e| failed("written", &e))?;
        }
        Ok(())
    }

    /// Ends every file; durable on return. Nothing is added afterwards.
    pub fn finish(&mut self) -> Outcome<()> {
        std::mem::take(&mut self.open).into_values().try_for_each(settle)
    }

    /// The files of every output so far.
    pub fn parts(&self) -> &BTreeMap<String, Vec<Part>> {
        &self.parts
    }
}

fn settle(writer: Output) -> Outcome<()> {
    writer.finish().map_err(|e| failed("written", &e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crypto::SystemRandom;
    use crypto::aead::AeadKey;

    use super::*;
    use crate::jobs::folder::Keys;

    /// A folder of a job, sealed or not.
    fn folder(home: &std::path::Path, sealed: bool) -> Folder {
        let numbered = vec![(1, AeadKey::new(&[1; 32]).unwrap())];
        let keys = sealed.then(|| Keys::new(numbered, Arc::new(SystemRandom)));
        Folder::make(&home.join("job"), "job", keys.as_ref()).unwrap()
    }

    fn texts(folder: &Folder) -> Vec<(String, String)> {
        let files = std::fs::read_dir(folder.at(OUT)).unwrap().map(|file| file.unwrap());
        let mut texts: Vec<_> = files
            .map(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                let text = folder.read(&place(&name)).unwrap();
                (name, String::from_utf8(text).unwrap())
            })
            .collect();
        texts.sort();
        texts
    }

    fn resumed(folder: &Folder, parts: BTreeMap<String, Vec<Part>>) -> Rolls {
        let mut rolls = Rolls::resume(folder, 4, parts, &BTreeMap::new()).unwrap();
        rolls.head("A", "head\n".into());
        rolls
    }

    /// Writes lines 0 to 9, but is cut off after any number of lines with more on the disk than
    /// the checkpoint knows of, or after its end, and goes on from there.
    #[test]
    fn a_cut_changes_nothing_wherever_it_comes() {
        for sealed in [false, true] {
            let whole = tempfile::tempdir().unwrap();
            let whole = folder(whole.path(), sealed);
            let mut rolls = resumed(&whole, BTreeMap::new());
            for number in 0..10 {
                rolls.line("A", "csv", &format!("line {number}")).unwrap();
            }
            rolls.finish().unwrap();
            let expected = texts(&whole);
            assert_eq!(expected.len(), 3, "rolled at four lines");
            assert!(expected.iter().all(|(_, text)| text.starts_with("head\nline")));
            for (cut, ended) in (0..=10).flat_map(|cut| [(cut, false), (cut, true)]) {
                let home = tempfile::tempdir().unwrap();
                let folder = folder(home.path(), sealed);
                let mut rolls = resumed(&folder, BTreeMap::new());
                let mut saved = BTreeMap::new();
                for number in 0..=10 {
                    if number == cut {
                        rolls.sync().unwrap();
                        saved = rolls.parts().clone();
                    }
                    if number < 10 {
                        rolls.line("A", "csv", &format!("line {number}")).unwrap();
                    }
                }
                if ended {
                    rolls.finish().unwrap();
                }
                drop(rolls);
                std::fs::write(folder.at("out/B.part1.csv"), "not in the checkpoint").unwrap();
                let mut rolls = resumed(&folder, saved);
                for number in cut..10 {
                    rolls.line("A", "csv", &format!("line {number}")).unwrap();
                }
                rolls.finish().unwrap();
                assert_eq!(texts(&folder), expected, "cut before line {cut}, sealed: {sealed}");
            }
        }
    }

    #[test]
    fn a_file_that_has_lost_lines_is_not_taken_up() {
        for sealed in [false, true] {
            let home = tempfile::tempdir().unwrap();
            let folder = folder(home.path(), sealed);
            let mut rolls = Rolls::resume(&folder, 4, BTreeMap::new(), &BTreeMap::new()).unwrap();
            rolls.line("A", "ndjson", "line").unwrap();
            rolls.sync().unwrap();
            let saved = rolls.parts().clone();
            let file =
                std::fs::OpenOptions::new().write(true).open(folder.at("out/A.part1.ndjson"));
            let file = file.unwrap();
            file.set_len(file.metadata().unwrap().len() - 1).unwrap();
            assert!(Rolls::resume(&folder, 4, saved, &BTreeMap::new()).is_err());
        }
    }
}
