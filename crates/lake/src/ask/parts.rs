//! The parts of a query's groups that have enough people, as they were found.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

/// What the table of them is called in a plan.
const TABLE: &str = "_parts";
/// The column with the number of a part.
pub(super) const PART: &str = "_part";
/// The column with the number of its group.
pub(super) const GROUP: &str = "_of";

/// Parts: two rows are of one part where they are of one group and meet the same conditions.
pub(super) struct Parts {
    /// Their groups and conditions, one row each, then the numbers of part and group.
    found: RecordBatch,
    /// Whether a value is over its rows.
    of_value: Vec<bool>,
    /// The number of the group of each.
    group: Vec<usize>,
}

impl Parts {
    /// Those that were found. The first `groups` columns tell groups apart, the others say which conditions
    /// are met; `counts_all` where there is a value without one.
    pub(super) fn new(
        schema: &SchemaRef,
        batches: &[RecordBatch],
        groups: usize,
        counts_all: bool,
    ) -> Result<Self, DataFusionError> {
        let found = concat_batches(schema, batches)?;
        let met = found.columns().get(groups..).unwrap_or_default();
        let met: Vec<_> =
            met.iter().filter_map(|met| met.as_primitive_opt::<Int64Type>()).collect();
        let is_met = |at: usize| met.iter().any(|met| met.value(at) == 1);
        let of_value = (0..found.num_rows()).map(|at| counts_all || is_met(at)).collect();
        let group = numbered(found.columns().get(..groups).unwrap_or_default(), found.num_rows())?;
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        let mut columns = found.columns().to_vec();
        let mut add = |name: &str, values: Int64Array| {
            fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
            columns.push(Arc::new(values));
        };
        add(PART, (0..found.num_rows()).map(|at| Some(at as i64)).collect());
        add(GROUP, group.iter().map(|at| Some(*at as i64)).collect());
        let found = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(Self { found, of_value, group })
    }

    /// How many were found.
    pub(super) fn len(&self) -> usize {
        self.group.len()
    }

    /// Whether a value is over the rows of a part; of others, nothing is told.
    pub(super) fn is_of_value(&self, part: usize) -> bool {
        self.of_value.get(part).is_none_or(|of| *of)
    }

    /// How many groups they are of.
    pub(super) fn groups(&self) -> usize {
        self.group.iter().max().map_or(0, |last| last + 1)
    }

    /// A plan that gives them.
    pub(super) fn plan(&self) -> Result<LogicalPlan, DataFusionError> {
        let table = MemTable::try_new(self.found.schema(), vec![vec![self.found.clone()]])?;
        LogicalPlanBuilder::scan(TABLE, provider_as_source(Arc::new(table)), None)?.build()
    }
}

/// Numbers for rows, the same where all columns have the same values.
fn numbered(columns: &[ArrayRef], rows: usize) -> Result<Vec<usize>, DataFusionError> {
    if columns.is_empty() {
        return Ok(vec![0; rows]);
    }
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let values = RowConverter::new(fields)?.convert_columns(columns)?;
    let mut known = HashMap::new();
    let number = |row| {
        let next = known.len();
        *known.entry(row).or_insert(next)
    };
    Ok(values.iter().map(number).collect())
}
