//! What a query answers, and whether two engines answer the same.

use std::cmp::Ordering;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde_json::{Value, json};

use crate::Fault;

/// By how much two numbers may differ, as a share of the larger one: sums are added up in another order.
const MOST: f64 = 1e-9;

/// The rows of an answer, in an order that depends only on what they say.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows: numbers, texts, truth values, and null.
    pub rows: Vec<Vec<Value>>,
}

impl Answer {
    /// The answer in these batches.
    ///
    /// Errors: a column that cannot be written as text.
    pub fn of(batches: &[RecordBatch]) -> Result<Self, Fault> {
        let (mut columns, mut rows) = (Vec::new(), Vec::new());
        for batch in batches {
            let schema = batch.schema();
            columns = schema.fields().iter().map(|field| field.name().clone()).collect();
            let cells: Vec<Vec<Value>> =
                batch.columns().iter().map(|column| cells(column)).collect::<Result<_, _>>()?;
            let mut cells: Vec<_> = cells.into_iter().map(Vec::into_iter).collect();
            for _ in 0..batch.num_rows() {
                rows.push(cells.iter_mut().filter_map(Iterator::next).collect());
            }
        }
        rows.sort_by(|a: &Vec<Value>, b| order(a, b));
        Ok(Self { columns, rows })
    }

    /// For a file.
    pub fn json(&self) -> Value {
        json!({"columns": self.columns, "rows": self.rows})
    }

    /// From a file.
    pub fn read(value: &Value) -> Result<Self, Fault> {
        let columns = value["columns"].as_array().ok_or("an answer has no columns")?;
        let columns = columns.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let rows = value["rows"].as_array().ok_or("an answer has no rows")?;
        let rows = rows.iter().filter_map(Value::as_array).cloned().collect();
        Ok(Self { columns, rows })
    }

    /// Compares both row by row. Returns the largest relative difference between two numbers.
    ///
    /// Errors: the first row that is not the same.
    pub fn compare(&self, other: &Self) -> Result<f64, String> {
        let (mine, others) = (self.rows.len(), other.rows.len());
        if mine != others {
            return Err(format!("{mine} rows are not {others}"));
        }
        // An answer without rows may come without columns.
        if mine > 0 && self.columns != other.columns {
            return Err(format!("the columns {:?} are not {:?}", self.columns, other.columns));
        }
        let mut most: f64 = 0.0;
        for (at, (one, two)) in self.rows.iter().zip(&other.rows).enumerate() {
            let apart = one.iter().zip(two).map(|(a, b)| apart(a, b)).fold(0.0, f64::max);
            if one.len() != two.len() || apart > MOST {
                return Err(format!("row {at}: {one:?} is not {two:?}"));
            }
            most = most.max(apart);
        }
        Ok(most)
    }
}

fn cells(column: &dyn Array) -> Result<Vec<Value>, Fault> {
    let all = 0..column.len();
    Ok(match column.data_type() {
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => {
            let numbers = cast(column, &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            all.map(|row| Value::from(numbers.is_valid(row).then(|| numbers.value(row)))).collect()
        }
        whole if whole.is_integer() => {
            let numbers = cast(column, &DataType::Int64)?;
            let numbers = numbers.as_primitive::<Int64Type>();
            all.map(|row| Value::from(numbers.is_valid(row).then(|| numbers.value(row)))).collect()
        }
        DataType::Boolean => {
            let truths = column.as_boolean();
            all.map(|row| Value::from(truths.is_valid(row).then(|| truths.value(row)))).collect()
        }
        _ => {
            let texts = cast(column, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>();
            all.map(|row| Value::from(texts.is_valid(row).then(|| texts.value(row).to_owned())))
                .collect()
        }
    })
}

/// What is no fraction decides first: fractions may differ a little between two engines.
fn order(one: &[Value], other: &[Value]) -> Ordering {
    let solid = |value: &Value| if value.is_f64() { String::new() } else { value.to_string() };
    let firm = one.iter().map(solid).cmp(other.iter().map(solid));
    firm.then_with(|| {
        let pairs = one.iter().zip(other);
        let mut orders = pairs.map(|(a, b)| {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NEG_INFINITY);
            number(a).total_cmp(&number(b))
        });
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    })
}

/// How far two values are apart: 0 where they are the same, infinite where they are not comparable.
fn apart(one: &Value, other: &Value) -> f64 {
    match (one.as_f64(), other.as_f64()) {
        _ if one == other => 0.0,
        (Some(a), Some(b)) if one.is_f64() || other.is_f64() => {
            (a - b).abs() / a.abs().max(b.abs()).max(f64::MIN_POSITIVE)
        }
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rows: &[Value]) -> Answer {
        let rows = rows.iter().map(|row| row.as_array().unwrap().clone()).collect();
        Answer { columns: vec!["a".into(), "b".into()], rows }
    }

    #[test]
    fn what_differs_is_found_and_the_order_of_a_sum_is_no_difference() {
        let whole = answer(&[json!(["x", 0.1 + 0.2]), json!(["y", 3])]);
        let same = answer(&[json!(["x", 0.3]), json!(["y", 3])]);
        let most = whole.compare(&same).unwrap();
        assert!(most > 0.0 && most < 1e-15, "{most}");
        for other in [
            answer(&[json!(["x", 0.300_001]), json!(["y", 3])]),
            answer(&[json!(["x", 0.3]), json!(["y", 4])]),
            answer(&[json!(["x", 0.3]), json!(["z", 3])]),
            answer(&[json!(["x", null]), json!(["y", 3])]),
            answer(&[json!(["x", 0.3])]),
        ] {
            assert!(whole.compare(&other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn an_answer_comes_back_from_its_file() {
        let whole = answer(&[json!(["x", 0.5]), json!([null, 3])]);
        assert_eq!(Answer::read(&whole.json()).unwrap(), whole);
    }
}
