//! k-anonymity, l-diversity and t-closeness of tables by full-domain generalisation.
//!
//! Each quasi-identifying column has a [`Hierarchy`]; the lattice of their levels is searched for
//! the least loss that fulfils a [`Model`] with no more rows left out than allowed. All models are
//! monotone in the lattice: where classes merge, a row in a class that fulfils them stays in one
//! (Machanavajjhala et al. 2007, Li et al. 2007), so what fails prunes all that is finer (the
//! idea of Incognito, LeFevre et al. 2005). Rows left out are not a class of their own.

mod hierarchy;
mod lattice;
mod loss;
mod measure;
mod model;

use serde::{Deserialize, Serialize};

pub use hierarchy::Hierarchy;
pub use loss::Loss;
pub use measure::{Measured, measure};
pub use model::{Closeness, Diversity, Model, Sensitive};

/// The most rows of a table.
pub const MAX_ROWS: usize = 10_000_000;
/// The most combinations of levels that are searched.
pub const MAX_NODES: usize = 100_000;

/// A table by columns; all have the same length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
}

/// A column of texts; numbers and dates are written as texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// A value for each row; empty where there is none.
    pub values: Vec<String>,
}

/// A column by which somebody might be recognised, and how it can be made coarser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quasi {
    /// The name of the column.
    pub column: String,
    /// How its values become coarser.
    pub hierarchy: Hierarchy,
}

/// A table that fulfils the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anonymised {
    /// The table without the rows left out.
    pub table: Table,
    /// The rows of the original that stay, in order.
    pub rows: Vec<usize>,
    /// The level of each quasi-identifier, in the order in which they were given.
    pub levels: Vec<usize>,
    /// How many rows were left out.
    pub suppressed: usize,
    /// The sizes of the classes that stay.
    pub classes: Vec<usize>,
    /// What was lost.
    pub loss: Loss,
    /// Combinations of levels that were looked at, of how many.
    pub searched: (usize, usize),
}

/// Why a table cannot be anonymised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnonymityError {
    /// No column has the name.
    #[error("the table has no column `{0}`")]
    NoColumn(String),
    /// Columns of different length.
    #[error("column `{0}` has not as many values as the first")]
    Ragged(String),
    /// No rows, or too many.
    #[error("the table must have from 1 to `{MAX_ROWS}` rows")]
    Rows,
    /// No quasi-identifier, or hierarchies with too many combinations of levels.
    #[error("give from 1 quasi-identifier to `{MAX_NODES}` combinations of levels")]
    Lattice,
    /// A parameter out of range.
    #[error("`{0}` is out of range")]
    Parameter(&'static str),
    /// Not even the coarsest table fulfils the model.
    #[error("no generalisation fulfils the model: ask less, or allow more rows to be left out")]
    Impossible,
}

impl Table {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Result<&Column, AnonymityError> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.ok_or_else(|| AnonymityError::NoColumn(name.to_owned()))
    }

    fn check(&self) -> Result<(), AnonymityError> {
        let rows = self.rows();
        if rows == 0 || rows > MAX_ROWS {
            return Err(AnonymityError::Rows);
        }
        match self.columns.iter().find(|column| column.values.len() != rows) {
            Some(column) => Err(AnonymityError::Ragged(column.name.clone())),
            None => Ok(()),
        }
    }

    /// The sizes of the classes of rows that are equal in `columns`, in no order.
    pub fn classes(&self, columns: &[&str]) -> Result<Vec<usize>, AnonymityError> {
        self.check()?;
        let columns: Vec<_> =
            columns.iter().map(|name| self.column(name)).collect::<Result<_, _>>()?;
        let mut classes = std::collections::BTreeMap::<Vec<&str>, usize>::new();
        for row in 0..self.rows() {
            let key =
                columns.iter().filter_map(|c| c.values.get(row)).map(String::as_str).collect();
            *classes.entry(key).or_default() += 1;
        }
        Ok(classes.into_values().collect())
    }
}

/// The table with the least loss of granularity that fulfils the model.
pub fn anonymise(
    table: &Table,
    quasi: &[Quasi],
    model: &Model,
) -> Result<Anonymised, AnonymityError> {
    table.check()?;
    model.check()?;
    let columns: Vec<_> =
        quasi.iter().map(|q| table.column(&q.column)).collect::<Result<Vec<_>, _>>()?;
    let sensitive = match &model.sensitive {
        Some(sensitive) => Some(model::Coded::new(table.column(&sensitive.column)?)),
        None => None,
    };
    let coded: Vec<_> =
        columns.iter().zip(quasi).map(|(c, q)| lattice::Levels::new(c, &q.hierarchy)).collect();
    let found = lattice::search(&coded, model, sensitive.as_ref(), table.rows())?;
    let keep = |values: &[String]| -> Vec<String> {
        found.rows.iter().filter_map(|&row| values.get(row).cloned()).collect()
    };
    let columns = table.columns.iter().map(|column| {
        let at = quasi.iter().position(|q| q.column == column.name);
        let level = at.and_then(|at| Some((coded.get(at)?, *found.levels.get(at)?)));
        let values = match level {
            Some((levels, level)) => {
                found.rows.iter().filter_map(|&row| levels.text(row, level)).collect()
            }
            None => keep(&column.values),
        };
        Column { name: column.name.clone(), values }
    });
    Ok(Anonymised {
        table: Table { columns: columns.collect() },
        suppressed: table.rows() - found.rows.len(),
        loss: found.loss,
        levels: found.levels,
        classes: found.classes,
        searched: found.searched,
        rows: found.rows,
    })
}
