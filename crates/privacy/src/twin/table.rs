//! What the columns of a table can hold.

use serde::{Deserialize, Serialize};

/// Most columns.
pub const MOST_COLUMNS: usize = 64;
/// Most cells of a column.
pub const MOST_CELLS: usize = 256;
/// Most counts of all pairs together.
pub const MOST_COUNTS: usize = 4_000_000;

/// A table's columns, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Column>", into = "Vec<Column>")]
pub struct Table {
    columns: Vec<Column>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its cells.
    pub cells: Cells,
    /// Whether a value may be missing, which is one cell more, the last.
    #[serde(default)]
    pub may_be_missing: bool,
}

/// The cells of a column: what its values are counted by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cells {
    /// One for each of these texts.
    Levels {
        /// All that there may be.
        levels: Vec<String>,
    },
    /// One between each two of these edges, the lower one included; the last cell includes both.
    Numbers {
        /// Rising.
        edges: Vec<f64>,
        /// Whether the values are whole numbers.
        #[serde(default)]
        is_whole: bool,
    },
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// None.
    Missing,
    /// A place in the levels, from 0.
    Level(u32),
    /// A number.
    Number(f64),
}

/// Why there is no twin. The words name columns and rules, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwinError {
    /// The columns are no table.
    #[error("{0}")]
    Table(String),
    /// A row does not fit the table.
    #[error("a row has a value that its column `{0}` does not list")]
    Value(String),
    /// A row has more or fewer values than there are columns.
    #[error("a row does not have one value for each column")]
    Row,
    /// Counts of another table, or counts that do not belong together.
    #[error("the counts are not those of the table")]
    Counts,
    /// A budget that cannot be spent so.
    #[error("give ε or ρ, large enough for the columns: {0}")]
    Budget(&'static str),
    /// More rows than are made at once.
    #[error("more than {0} rows")]
    Rows(usize),
}

impl Table {
    /// Checks the columns: 1 to [`MOST_COLUMNS`], of 1 to [`MOST_CELLS`] cells each, no name twice, no
    /// level twice, edges that rise; together at most [`MOST_COUNTS`] counts of pairs.
    ///
    /// # Errors
    /// [`TwinError::Table`].
    pub fn new(columns: Vec<Column>) -> Result<Self, TwinError> {
        let wrong = |why: String| Err(TwinError::Table(why));
        if columns.is_empty() || columns.len() > MOST_COLUMNS {
            return wrong(format!("give 1 to {MOST_COLUMNS} columns"));
        }
        for (at, column) in columns.iter().enumerate() {
            let name = &column.name;
            if columns.iter().take(at).any(|before| before.name == *name) {
                return wrong(format!("there are two columns `{name}`"));
            }
            let is_fit = match &column.cells {
                Cells::Levels { levels } => {
                    let mut sorted: Vec<&String> = levels.iter().collect();
                    sorted.sort();
                    sorted.array_windows::<2>().all(|[one, other]| one != other)
                }
                Cells::Numbers { edges, .. } => {
                    edges.iter().all(|edge| edge.is_finite())
                        && edges.array_windows::<2>().all(|[low, high]| low < high)
                }
            };
            if !is_fit || column.values() == 0 || column.size() > MOST_CELLS {
                return wrong(format!(
                    "`{name}` needs 1 to {MOST_CELLS} cells: levels that differ, or edges that rise"
                ));
            }
        }
        let table = Self { columns };
        let counts: usize = table.pairs().map(|(one, other)| table.size_of(one, other)).sum();
        if counts > MOST_COUNTS {
            return wrong(format!("the pairs of columns have more than {MOST_COUNTS} cells"));
        }
        Ok(table)
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Every pair of columns, in the order of counts: `(0, 1)`, `(0, 2)`, …, `(1, 2)`, ….
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let count = self.columns.len();
        (0..count).flat_map(move |one| (one + 1..count).map(move |other| (one, other)))
    }

    /// The cells of a column.
    pub(super) fn size(&self, column: usize) -> usize {
        self.columns.get(column).map_or(0, Column::size)
    }

    /// The cells of a pair.
    pub(super) fn size_of(&self, one: usize, other: usize) -> usize {
        self.size(one) * self.size(other)
    }

    /// How far one person moves the vector of all counts of columns and pairs, in the Euclidean norm,
    /// rounded up: what [`crate::budget::Mechanism::DiscreteGaussian`] needs for a noisy sum of it.
    #[must_use]
    pub fn sensitivity(&self, rows_per_person: u32) -> u32 {
        let marginals =
            u64::try_from(self.columns.len() + self.pairs().count()).unwrap_or(u64::MAX);
        let squared = marginals.saturating_mul(u64::from(rows_per_person).pow(2));
        let root = squared.isqrt();
        u32::try_from(if root * root < squared { root + 1 } else { root }).unwrap_or(u32::MAX)
    }

    /// The cells of a row.
    ///
    /// # Errors
    /// [`TwinError::Row`], [`TwinError::Value`].
    pub(super) fn cells(&self, row: &[Value], out: &mut Vec<usize>) -> Result<(), TwinError> {
        out.clear();
        if row.len() != self.columns.len() {
            return Err(TwinError::Row);
        }
        for (column, value) in self.columns.iter().zip(row) {
            let cell = column.cell(*value).ok_or_else(|| TwinError::Value(column.name.clone()))?;
            out.push(cell);
        }
        Ok(())
    }
}

impl TryFrom<Vec<Column>> for Table {
    type Error = TwinError;

    fn try_from(columns: Vec<Column>) -> Result<Self, TwinError> {
        Self::new(columns)
    }
}

impl From<Table> for Vec<Column> {
    fn from(table: Table) -> Self {
        table.columns
    }
}

impl Column {
    /// Cells of values, the missing one excepted.
    pub(super) fn values(&self) -> usize {
        match &self.cells {
            Cells::Levels { levels } => levels.len(),
            Cells::Numbers { edges, .. } => edges.len().saturating_sub(1),
        }
    }

    /// How many cells.
    #[must_use]
    pub fn size(&self) -> usize {
        self.values() + usize::from(self.may_be_missing)
    }

    /// The cell of a value; none where the column does not list it.
    fn cell(&self, value: Value) -> Option<usize> {
        match (&self.cells, value) {
            (_, Value::Missing) => self.may_be_missing.then(|| self.values()),
            (Cells::Levels { levels }, Value::Level(level)) => {
                usize::try_from(level).ok().filter(|level| *level < levels.len())
            }
            (Cells::Numbers { edges, is_whole }, Value::Number(number)) => {
                let (low, high) = (edges.first()?, edges.last()?);
                let fits =
                    number >= *low && number <= *high && (!is_whole || number.fract() == 0.0);
                let above = edges.partition_point(|edge| *edge <= number);
                fits.then(|| above.clamp(1, edges.len() - 1) - 1)
            }
            _ => None,
        }
    }
}
