//! Tables of the lake as plain Parquet files, handed out on purpose by whoever operates the node: for an
//! engine that reads them on many machines, for example.
//!
//! What is handed out is not sealed, and later decisions of patients do not reach it. So it is in the
//! audit, with the reason, before any row is read; what tells who or which one something is has another
//! value under a key that nobody keeps; and a folder that is there already is not touched.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crypto::MacKey;
use zeroize::Zeroizing;

use super::{Look, follow, look, place};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Error, Kind, Result};

/// Characters of the longest reason.
const LONGEST: usize = 200;
/// What beside the tables says what they are.
const ABOUT: &str = "README.txt";

/// What to hand out.
#[derive(Clone, Debug)]
pub struct Order {
    /// The tables; all of them where none is named.
    pub tables: Vec<String>,
    /// For what, in one line of at most 200 characters, without a word about a patient. The audit keeps it.
    pub reason: String,
    /// The folder that is made for it. The one above must be there.
    pub to: PathBuf,
}

/// A table that was handed out, and its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its name, and the name of its folder.
    pub table: String,
    /// Rows of those who are in research.
    pub rows: usize,
}

/// Opens the lake of a node that does not serve, has it follow the records to their end, and writes
/// tables of it into a new folder: `TABLE/TABLE.parquet` for each, and a text that says what they are.
/// They show whoever is in research at this moment. The folder is there as a whole or not at all, for the
/// system's user of the node alone. For the operator at the node's own terminal, who has its files anyway.
/// Blocks.
///
/// Errors: an invalid value for a reason that is missing or too long, and for a table that there is not;
/// [`Kind::Conflict`] where the folder is there already, or the node keeps no lake; [`Kind::Busy`] where
/// another process has the lake.
pub fn export(app: &App, order: &Order) -> Result<Vec<Exported>> {
    let Order { reason, to, .. } = order;
    // Without a stroke at the end, which would lead to where a link leads.
    let to = to.components().as_path();
    if reason.trim().is_empty()
        || reason.chars().count() > LONGEST
        || reason.chars().any(char::is_control)
    {
        return Err(Error::invalid("value", "a reason is one line of at most 200 characters"));
    }
    let beside = beside(to);
    for path in [to, beside.as_path()] {
        // A link is there too, wherever it leads.
        match fs::symlink_metadata(path) {
            Ok(_) => {
                let message =
                    format!("`{}` exists already; nothing is overwritten", path.display());
                return Err(Error::new(Kind::Conflict, message));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(disk(path, &error)),
        }
    }
    place::open(app)?;
    while follow::step(app)? {}
    let look = look(app)?;
    let tables = named(&look, &order.tables)?;
    let note =
        format!("hands out as plain files of the lake: {}; reason: {reason}", tables.join(", "));
    app.audit(Event::by_node(Pattern::Disclose).note(note))?;
    let written = whole(&beside, to, || write(app, &look, &tables, &beside, order))?;
    let above = to.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    File::open(above).and_then(|above| above.sync_all()).map_err(|e| disk(above, &e))?;
    look.open.lake.flush().map_err(faulty)?;
    Ok(written)
}

/// The folder that becomes the ordered one once it is whole.
fn beside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Makes the folder `part`, has it filled, and gives it the name `to`. On any error `part` goes: what is there
/// in part would be taken for the whole, and is not encrypted.
fn whole<T>(part: &Path, to: &Path, fill: impl FnOnce() -> Result<T>) -> Result<T> {
    make(part)?;
    let filled = fill().and_then(|filled| {
        fs::rename(part, to).map_err(|e| disk(to, &e))?;
        Ok(filled)
    });
    filled.map_err(|error| match fs::remove_dir_all(part) {
        Ok(()) => error,
        Err(left) => {
            let message = format!(
                "{}; `{}` cannot be removed ({}), is NOT ENCRYPTED and holds personal data: remove it",
                error.message,
                part.display(),
                left.kind()
            );
            // Of a kind whose message is told.
            Error::new(Kind::Conflict, message)
        }
    })
}

/// The tables that are ordered, by name.
fn named(look: &Look, ordered: &[String]) -> Result<Vec<String>> {
    let mut there: Vec<String> = look.snapshot.tables().map(|(name, _)| name.to_owned()).collect();
    there.sort();
    if let Some(unknown) = ordered.iter().find(|name| !there.contains(name)) {
        let message = format!("there is no table `{unknown}`; there are {}", there.join(", "));
        return Err(Error::invalid("value", message));
    }
    there.retain(|name| ordered.is_empty() || ordered.contains(name));
    Ok(there)
}

fn write(
    app: &App,
    look: &Look,
    tables: &[String],
    folder: &Path,
    order: &Order,
) -> Result<Vec<Exported>> {
    // Of this export alone: nobody has it afterwards.
    let key = MacKey::new(&Zeroizing::new(app.new_secret()));
    let mut written = Vec::with_capacity(tables.len());
    for table in tables {
        let within = folder.join(table);
        make(&within)?;
        let path = within.join(format!("{table}.parquet"));
        let mut file = BufWriter::new(fresh(&path)?);
        let rows = look.snapshot.export(table, &key, &mut file).map_err(faulty)?;
        close(&path, file)?;
        written.push(Exported { table: table.clone(), rows });
    }
    let path = folder.join(ABOUT);
    let mut file = BufWriter::new(fresh(&path)?);
    let text = about(app, &written, &order.reason);
    file.write_all(text.as_bytes()).map_err(|e| disk(&path, &e))?;
    close(&path, file)?;
    Ok(written)
}

fn about(app: &App, written: &[Exported], reason: &str) -> String {
    let mut text = format!(
        "Tables of the records of {}, handed out at {}.\nReason: {reason}\n\n\
         These files are NOT ENCRYPTED and hold personal data of patients: one row for each record, with\n\
         exact dates, postal codes and texts that were typed. There are no names, and keys are others than in\n\
         the records; who knows enough of somebody still finds the rows.\n\n\
         They hold whoever was in research at that moment. A patient who decides otherwise later stays in\n\
         them: remove the folder, and hand the tables out anew, as often as you promised your patients.\n\
         Rules of the node (groups of ten people, privacy budgets, output checking) do not hold here.\n\n",
        app.org().name,
        fhir::time::instant(app.now_ms()),
    );
    for Exported { table, rows } in written {
        text += &format!("{table}/{table}.parquet: {rows} rows\n");
    }
    text
}

/// A new folder for the system's user of the node alone.
fn make(path: &Path) -> Result<()> {
    DirBuilder::new().mode(0o700).create(path).map_err(|e| disk(path, &e))
}

/// A new file for the system's user of the node alone.
fn fresh(path: &Path) -> Result<File> {
    let opened = File::options().write(true).create_new(true).mode(0o600).open(path);
    opened.map_err(|e| disk(path, &e))
}

fn close(path: &Path, file: BufWriter<File>) -> Result<()> {
    let file = file.into_inner().map_err(|error| disk(path, error.error()))?;
    file.sync_all().map_err(|e| disk(path, &e))
}

fn disk(path: &Path, error: &io::Error) -> Error {
    let message = format!("`{}` cannot be written: {}", path.display(), error.kind());
    Error::new(Kind::Conflict, message)
}

fn faulty(fault: ::lake::Fault) -> Error {
    Error::internal(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_in_part_where_it_cannot_become_the_whole() {
        let space = tempfile::tempdir().unwrap();
        let to = space.path().join("tables");
        let part = beside(&to);
        let fill = || fs::write(part.join("rows"), "of somebody").map_err(|e| disk(&part, &e));
        // Somebody has put a file there meanwhile.
        fs::write(&to, "theirs").unwrap();
        let refused = whole(&part, &to, fill).unwrap_err();
        let named = format!("`{}` cannot be written", to.display());
        assert!(refused.message.starts_with(&named), "{}", refused.message);
        assert!(!part.exists());
        assert_eq!(fs::read_to_string(&to).unwrap(), "theirs");
        fs::remove_file(&to).unwrap();

        let full = || Err::<(), Error>(Error::new(Kind::Conflict, "the disk is full"));
        assert_eq!(whole(&part, &to, full).unwrap_err().message, "the disk is full");
        assert!(!part.exists() && !to.exists());

        // What was there in part before is not this export's to remove.
        fs::create_dir(&part).unwrap();
        assert!(whole(&part, &to, fill).is_err());
        assert!(part.exists());
        fs::remove_dir(&part).unwrap();

        whole(&part, &to, fill).unwrap();
        assert_eq!(fs::read_to_string(to.join("rows")).unwrap(), "of somebody");
        assert!(!part.exists());
    }
}
