//! The rows of one site: columns of numbers or of levels, with gaps.

use crate::dictionary::Dictionary;

/// Columns of equal length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    columns: Vec<(String, Column)>,
    rows: usize,
}

/// The values of one variable, one for each row; a gap is a missing value.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Finite numbers.
    Number(Vec<Option<f64>>),
    /// Places in the levels of the variable in the dictionary, from 0.
    Category(Vec<Option<u32>>),
}

/// Why columns are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not as many values as the columns before.
    #[error("the column `{0}` has another number of rows than those before it")]
    Length(String),
    /// The name is there already.
    #[error("there are two columns `{0}`")]
    Twice(String),
    /// A number that is none.
    #[error("the column `{0}` holds a value that is no finite number")]
    NotFinite(String),
}

impl Column {
    /// How many rows, gaps included.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Number(values) => values.len(),
            Self::Category(values) => values.len(),
        }
    }

    /// The values of these rows, counted from 0, in this order; a row that there is not is missing.
    #[must_use]
    pub fn rows(&self, rows: &[usize]) -> Self {
        match self {
            Self::Number(values) => {
                Self::Number(rows.iter().map(|row| values.get(*row).copied().flatten()).collect())
            }
            Self::Category(values) => {
                Self::Category(rows.iter().map(|row| values.get(*row).copied().flatten()).collect())
            }
        }
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Frame {
    /// A frame of these columns.
    pub fn new(columns: Vec<(String, Column)>) -> Result<Self, FrameError> {
        let rows = columns.first().map_or(0, |(_, column)| column.len());
        for (at, (name, column)) in columns.iter().enumerate() {
            if column.len() != rows {
                return Err(FrameError::Length(name.clone()));
            }
            if columns.iter().take(at).any(|(before, _)| before == name) {
                return Err(FrameError::Twice(name.clone()));
            }
            if let Column::Number(values) = column
                && values.iter().flatten().any(|value| !value.is_finite())
            {
                return Err(FrameError::NotFinite(name.clone()));
            }
        }
        Ok(Self { columns, rows })
    }

    /// How many rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, column)| column)
    }

    /// The columns of the variables of this dictionary alone.
    #[must_use]
    pub fn only(&self, dictionary: &Dictionary) -> Self {
        let mut columns = self.columns.clone();
        columns.retain(|(name, _)| dictionary.variable(name).is_some());
        Self { columns, rows: self.rows }
    }
}
