//! Taking in a data set for research, and taking it away.

use std::collections::BTreeSet;

use statistics::{Column, Dictionary, Frame, Kind};
use store::Transaction;

use super::{
    About, Dataset, MOST, MOST_ROWS, MOST_VARIABLES, Made, columns, described, library, twin,
};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::records::write::retry;
use crate::{App, Caller, Error, Kind as Fault, Result};

/// A data set as an operator hands it in.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Lower-case letters, digits and hyphens, at most 50, with no hyphen first.
    pub name: String,
    /// For people, at most 200 characters.
    pub title: String,
    /// What its variables are.
    pub dictionary: Dictionary,
    /// Its rows.
    pub rows: Frame,
}

/// Takes in a data set; one of the same name is replaced. For operators. Blocks.
///
/// Errors: [`Fault::Invalid`] where the rows are not as the dictionary says, [`Fault::TooCostly`]
/// beyond the limits.
pub fn register(app: &App, caller: &Caller, draft: Draft) -> Result<Dataset> {
    register_about(app, caller, draft, About::default())
}

/// The same with what the holder says of it for the catalogue.
///
/// Errors: also [`Fault::Invalid`] where what is said is not within its bounds.
pub fn register_about(app: &App, caller: &Caller, draft: Draft, about: About) -> Result<Dataset> {
    authorise(app, caller, Action::of(policy::Action::ManageDatasets))?;
    check(&draft)?;
    keep(app, Event::by(caller, Pattern::Configure), draft, about, Source::Table)
}

/// The same with a dictionary that was made of the rows, so that its bounds and levels tell of them.
///
/// Errors: those of [`register_about`].
pub fn register_undeclared(
    app: &App,
    caller: &Caller,
    draft: Draft,
    about: About,
) -> Result<Dataset> {
    authorise(app, caller, Action::of(policy::Action::ManageDatasets))?;
    check(&draft)?;
    keep(app, Event::by(caller, Pattern::Configure), draft, about, Source::Undeclared)
}

/// What a data set is from.
pub(super) enum Source {
    /// A table with its dictionary.
    Table,
    /// A table alone.
    Undeclared,
    /// The records, by SQL.
    Records(Made),
}

/// Keeps a data set that was checked.
pub(super) fn keep(
    app: &App,
    event: Event<'_>,
    draft: Draft,
    about: About,
    source: Source,
) -> Result<Dataset> {
    let declared = !matches!(source, Source::Undeclared);
    let made = match source {
        Source::Records(made) => Some(made),
        Source::Table | Source::Undeclared => None,
    };
    let Draft { name, title, dictionary, rows } = draft;
    let (rows_here, since_ms) = (rows.rows(), app.now_ms());
    let set = Dataset { name, title, dictionary, rows: rows_here, since_ms, declared, made };
    let snapshot = app.store().snapshot()?;
    let before = columns::description(&*snapshot, &set.name)?;
    if before.is_none() && columns::described(&*snapshot)?.len() >= MOST {
        return Err(Error::new(Fault::TooCostly, "there are too many data sets; remove one first"));
    }
    let mut side = match &before {
        Some(before) => columns::removals(&*snapshot, before)?,
        None => Vec::new(),
    };
    side.extend(columns::writes(&set, &rows)?);
    side.extend(described::writes(app, &*snapshot, &set, &rows, about)?);
    let note = format!("a data set for research is taken in: {}", set.name);
    let writes = vec![library::put(app, &set)?, event.note(note).write(app)?];
    let guards = vec![columns::is_still(&*snapshot, &set.name)?];
    app.store().commit(Transaction { guards, side, writes })?;
    Ok(set)
}

/// Takes a data set away, rows and all. For operators.
///
/// Errors: [`Fault::NotFound`].
pub fn remove(app: &App, caller: &Caller, name: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::ManageDatasets))?;
    retry(|| {
        let snapshot = app.store().snapshot()?;
        let set = columns::description(&*snapshot, name)?.ok_or_else(Error::not_found)?;
        let note = format!("a data set for research is removed: {}", set.name);
        let event = Event::by(caller, Pattern::Configure).note(note);
        let mut side = columns::removals(&*snapshot, &set)?;
        side.push(described::removal(&set.name));
        side.extend(twin::removals(&*snapshot, &set.name)?);
        let writes = vec![library::delete(&set)?, event.write(app)?];
        // What came meanwhile would stay without its data set.
        let guards = vec![
            columns::is_still(&*snapshot, name)?,
            described::is_still(&*snapshot, name)?,
            twin::is_still(&*snapshot, name)?,
        ];
        app.store().commit(Transaction { guards, side, writes })?;
        Ok(())
    })
}

/// Whether a data set is within the limits, and its rows are as the dictionary says.
pub(super) fn check(draft: &Draft) -> Result<()> {
    let Draft { name, title, dictionary, rows } = draft;
    check_description(name, title, dictionary)?;
    check_rows(dictionary, rows)
}

/// Whether a description is within the limits.
pub(super) fn check_description(name: &str, title: &str, dictionary: &Dictionary) -> Result<()> {
    let invalid = |message: String| Err(Error::invalid("value", message));
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    // With a hyphen first it is no `catalog::Slug`, of which addresses and documents are made.
    if name.is_empty() || name.len() > 50 || name.starts_with('-') || !name.chars().all(is_plain) {
        let message = "the name of a data set has 1 to 50 lower-case letters, digits and hyphens, \
                       and begins with a letter or digit";
        return invalid(message.to_owned());
    }
    if title.trim().is_empty() || title.chars().count() > 200 {
        return invalid("the title of a data set has 1 to 200 characters".to_owned());
    }
    if dictionary.variables.len() > MOST_VARIABLES {
        let message = format!("a data set has at most {MOST_VARIABLES} variables");
        return Err(Error::new(Fault::TooCostly, message));
    }
    let mut names = BTreeSet::new();
    for variable in &dictionary.variables {
        let name = &variable.name;
        if name.is_empty() || name.chars().count() > 100 || !names.insert(name) {
            return invalid(format!(
                "the variable `{name}` is there twice, or its name is too long"
            ));
        }
    }
    Ok(())
}

fn check_rows(dictionary: &Dictionary, rows: &Frame) -> Result<()> {
    if rows.rows() > MOST_ROWS {
        let message = format!("a data set has at most {MOST_ROWS} rows");
        return Err(Error::new(Fault::TooCostly, message));
    }
    for variable in &dictionary.variables {
        let name = &variable.name;
        let fits = match (&variable.kind, rows.column(name)) {
            (Kind::Number { min, max }, Some(Column::Number(values))) => {
                let within = |v: &f64| min.is_none_or(|m| m <= *v) && max.is_none_or(|m| *v <= m);
                values.iter().flatten().all(within)
            }
            (Kind::Category { levels }, Some(Column::Category(values))) => {
                values.iter().flatten().all(|level| (*level as usize) < levels.len())
            }
            _ => false,
        };
        if !fits {
            let message = format!("the rows hold for `{name}` what the dictionary does not list");
            return Err(Error::invalid("value", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_can_be_told_of() {
        let nothing = Dictionary { variables: Vec::new() };
        for name in ["lung-2", "2", "a-"] {
            assert!(check_description(name, "A title", &nothing).is_ok(), "{name}");
            assert!(::catalog::Slug::new(name).is_ok(), "{name}");
        }
        for name in ["", "-", "-lung", "Lung", "lung cancer", "lung/2"] {
            assert!(check_description(name, "A title", &nothing).is_err(), "{name}");
        }
    }
}
