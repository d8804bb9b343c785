//! What may be shown beside what was shown earlier: asked of whoever keeps that.

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, UInt64Type};
use datafusion::error::DataFusionError;

/// What a value of an answer is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Of which rows: the column with the key of a resource, or a table of which a resource has several
    /// rows. Groups of different rows have no marks in common.
    pub rows_of: String,
    /// The number of each person, and the sum of the marks of their rows. The same rows have the same marks
    /// in every query.
    pub people: Vec<(u64, u64)>,
}

/// What comes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be shown.
    Show,
    /// With what was shown earlier it would show too few people.
    Few,
    /// It cannot be looked at beside as much as was shown earlier.
    TooMany,
}

/// Says which groups may be shown beside earlier ones. A group that may counts among them while the query is
/// answered; whether it still does afterwards is for whoever gives the answer.
pub trait Gate: Send + 'static {
    /// What comes of a group.
    fn pass(&mut self, group: &Group) -> Verdict;
}

/// Shows every group: for whoever looks at differences between queries by other means.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

impl Gate for Open {
    fn pass(&mut self, _: &Group) -> Verdict {
        Verdict::Show
    }
}

/// People of groups as they are counted, row by row of three columns: the number of the group, that of
/// the person, and the sum of marks.
pub(super) struct Counted {
    groups: Vec<Group>,
}

impl Counted {
    /// Nobody yet, in this many groups.
    pub(super) fn new(groups: usize, rows_of: &str) -> Self {
        let empty = || Group { rows_of: rows_of.to_owned(), people: Vec::new() };
        Self { groups: (0..groups).map(|_| empty()).collect() }
    }

    /// Takes rows in: those of the column `marks`, where 0 is the first behind group and person.
    pub(super) fn take(
        &mut self,
        batch: &RecordBatch,
        marks: usize,
    ) -> Result<(), DataFusionError> {
        let faulty = || DataFusionError::Internal("people of groups".into());
        let column = |at: usize| batch.columns().get(at).ok_or_else(faulty);
        let group = column(0)?.as_primitive_opt::<Int64Type>().ok_or_else(faulty)?;
        let person = column(1)?.as_primitive_opt::<UInt64Type>().ok_or_else(faulty)?;
        let marks = column(2 + marks)?.as_primitive_opt::<Int64Type>().ok_or_else(faulty)?;
        for ((group, person), marks) in group.iter().zip(person).zip(marks) {
            let at = group
                .and_then(|at| usize::try_from(at).ok())
                .and_then(|at| self.groups.get_mut(at));
            if let (Some(group), Some(marks)) = (at, marks) {
                group.people.push((person.unwrap_or_default(), marks.cast_unsigned()));
            }
        }
        Ok(())
    }

    /// The groups in their order.
    pub(super) fn groups(self) -> Vec<Group> {
        self.groups
    }
}
