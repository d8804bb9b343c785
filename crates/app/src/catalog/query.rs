//! Data sets that SQL makes of the records, over the views of the lake.
//!
//! The dictionary is what generalises: a number has bounds, a text is one of the levels that are listed, and
//! a row with anything else fails the whole data set, by the name of the variable alone. Nothing but what
//! the dictionary names is kept. Patients who are not in research are in no row.

use std::collections::{BTreeSet, HashMap};

use ::lake::Values;
use statistics::{Column, Dictionary, Frame, Kind};

use super::register::{Source, check, check_description, keep};
use super::{About, Dataset, Draft as Table, Made};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::workspace::refused;
use crate::{App, Caller, Error, Result, lake};

/// A data set of the records as an operator describes it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Lower-case letters, digits and hyphens, at most 50.
    pub name: String,
    /// For people, at most 200 characters.
    pub title: String,
    /// What its variables are: numbers with both bounds, and categories.
    pub dictionary: Dictionary,
    /// One query over the views of the lake, with a column for each variable.
    pub sql: String,
    /// What is said of it for the catalogue.
    pub about: About,
}

/// Makes a data set of the records and keeps the SQL with it, by which it is made anew; one of the same
/// name is replaced. For operators, and the node itself (`None`). Waits until the lake has followed.
///
/// Errors: an invalid value where a row is not as the dictionary says, or the SQL is none;
/// [`crate::Kind::Busy`] while the lake is not open; [`crate::Kind::TooCostly`] beyond the limits.
pub async fn register(app: &App, caller: Option<&Caller>, draft: Draft) -> Result<Dataset> {
    if let Some(caller) = caller.cloned() {
        let action = Action::of(policy::Action::ManageDatasets);
        app.run(move |app| authorise(app, &caller, action)).await?;
    }
    lake::current(app).await?;
    let caller = caller.cloned();
    app.run(move |app| make(app, caller.as_ref(), draft)).await
}

fn make(app: &App, caller: Option<&Caller>, draft: Draft) -> Result<Dataset> {
    let Draft { name, title, dictionary, sql, about } = draft;
    check_description(&name, &title, &dictionary)?;
    check_generalised(&dictionary)?;
    let (rows, made) = rows(app, &dictionary, &sql)?;
    let table = Table { name, title, dictionary, rows };
    check(&table)?;
    let event = match caller {
        Some(caller) => Event::by(caller, Pattern::Configure),
        None => Event::by_node(Pattern::Configure),
    };
    keep(app, event, table, about, Source::Records(made))
}

fn check_generalised(dictionary: &Dictionary) -> Result<()> {
    for variable in &dictionary.variables {
        let name = &variable.name;
        let fault = match &variable.kind {
            Kind::Number { min: Some(_), max: Some(_) } => continue,
            Kind::Number { .. } => "needs its least and its greatest value",
            Kind::Category { levels } => {
                let different: BTreeSet<&String> = levels.iter().collect();
                match different.len() == levels.len() && !levels.is_empty() {
                    true => continue,
                    false => "needs its levels, each once",
                }
            }
        };
        return Err(Error::invalid("value", format!("the variable `{name}` {fault}")));
    }
    Ok(())
}

/// The rows that SQL makes now, and how they were made.
pub(super) fn rows(app: &App, dictionary: &Dictionary, sql: &str) -> Result<(Frame, Made)> {
    let look = lake::look(app)?;
    let found = look.open.engine.columns_now(&look.snapshot, sql).map_err(refused)?;
    let mut columns = Vec::with_capacity(dictionary.variables.len());
    for variable in &dictionary.variables {
        let name = &variable.name;
        let values = found
            .column(name)
            .ok_or_else(|| Error::invalid("value", format!("the query has no column `{name}`")))?;
        let column = column(&variable.kind, values).ok_or_else(|| {
            let message = format!("the query gives for `{name}` what the dictionary does not list");
            Error::invalid("value", message)
        })?;
        columns.push((name.clone(), column));
    }
    let rows = Frame::new(columns).map_err(|e| Error::invalid("value", e.to_string()))?;
    let made = Made {
        sql: sql.to_owned(),
        seq: look.moved,
        mark: look.mark.to_string(),
        tried_ms: app.now_ms(),
    };
    Ok((rows, made))
}

/// A column of a query as one of a variable; `None` where a value is not of it.
fn column(kind: &Kind, values: &Values) -> Option<Column> {
    match (kind, values) {
        (Kind::Number { min, max }, Values::Numbers(values)) => {
            let within = |value: &f64| {
                value.is_finite()
                    && min.is_none_or(|min| min <= *value)
                    && max.is_none_or(|max| *value <= max)
            };
            let fits = values.iter().flatten().all(within);
            fits.then(|| Column::Number(values.clone()))
        }
        (Kind::Category { levels }, Values::Texts(values)) => {
            let places: HashMap<&str, u32> = levels.iter().map(String::as_str).zip(0..).collect();
            let place = |value: &Option<String>| match value {
                None => Some(None),
                Some(value) => places.get(value.as_str()).map(|place| Some(*place)),
            };
            values.iter().map(place).collect::<Option<Vec<_>>>().map(Column::Category)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(min: f64, max: f64) -> Kind {
        Kind::Number { min: Some(min), max: Some(max) }
    }

    #[test]
    fn a_column_holds_what_its_variable_lists_and_nothing_else() {
        let numbers = |values: &[f64]| Values::Numbers(values.iter().copied().map(Some).collect());
        let bounds = number(0.0, 90.0);
        let fits = Column::Number(vec![Some(0.0), Some(90.0)]);
        assert_eq!(column(&bounds, &numbers(&[0.0, 90.0])), Some(fits));
        for outside in [-1.0, 90.5, f64::NAN, f64::INFINITY] {
            assert_eq!(column(&bounds, &numbers(&[1.0, outside])), None, "{outside}");
        }
        let levels = Kind::Category { levels: vec!["no".into(), "yes".into()] };
        let texts = |values: &[Option<&str>]| {
            Values::Texts(values.iter().map(|value| value.map(str::to_owned)).collect())
        };
        let fits = Column::Category(vec![Some(1), None, Some(0)]);
        assert_eq!(column(&levels, &texts(&[Some("yes"), None, Some("no")])), Some(fits));
        assert_eq!(column(&levels, &texts(&[Some("maybe")])), None);
        assert_eq!(column(&levels, &numbers(&[1.0])), None, "a number is no level");
        assert_eq!(column(&bounds, &texts(&[Some("1")])), None, "a text is no number");
    }
}
