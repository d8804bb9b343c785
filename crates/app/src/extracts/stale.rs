//! Whether everybody in an extract is still in research as they were when it was made.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};

use fhir::Id;

use crate::consent::research::{Standing, participants};
use crate::jobs::folder::Folder;
use crate::jobs::{Outcome, failed};
use crate::{App, Error, Kind, Result};

/// The file, not for download, with the patients of an extract and where they stood.
const PATIENTS: &str = "patients.txt";

/// Writes down who is in it.
pub(super) fn write(folder: &Folder, included: &BTreeMap<Id, Standing>) -> Outcome<()> {
    let write = || -> std::io::Result<()> {
        let mut file = folder.replace(PATIENTS)?;
        for (id, standing) in included {
            writeln!(file, "{id} {}", standing.mark())?;
        }
        file.finish().map(|_| ())
    };
    Ok(write().map_err(|e| failed("written", &e))?)
}

/// Whether all who are in it stand where they stood.
pub(super) fn holds(app: &App, included: &BTreeMap<Id, Standing>) -> Result<bool> {
    let now = participants(app)?;
    Ok(included.iter().all(|(id, then)| now.standing(id).is_as(then)))
}

/// Refuses the files of an extract where somebody does not.
///
/// Errors: [`Kind::Conflict`].
pub(super) fn check(app: &App, folder: &Folder) -> Result<()> {
    let now = participants(app)?;
    let file = folder.open(PATIENTS).map_err(|e| failed("read", &e))?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| failed("read", &e))?;
        let faulty = || Error::internal("the list of patients of an extract is faulty");
        let (id, mark) = line.split_once(' ').ok_or_else(faulty)?;
        let id = Id::new(id).map_err(|_| faulty())?;
        if now.standing(&id).mark() != mark {
            let message = "somebody in the extract has since decided otherwise about research; \
                           order it anew";
            return Err(Error::new(Kind::Conflict, message).by_rule("research-opt-out"));
        }
    }
    Ok(())
}
