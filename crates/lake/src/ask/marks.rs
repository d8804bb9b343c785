//! Marks of rows: numbers by which the same row is known in two queries.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The name of the function, which no query can call: it is not registered.
const NAME: &str = "_row_mark";

/// The mark of a row: 32 bits of SHA-256. Of the key of a resource that has one row, and of the text of a
/// key, it is the same: somebody's row in `patient` and their `patient_key` elsewhere have one mark. Where a
/// resource has several rows, its key and the values of a row are given.
pub(super) fn row_mark(arguments: Vec<Expr>) -> Expr {
    ScalarUDF::new_from_impl(RowMark { signature: Signature::variadic_any(Volatility::Immutable) })
        .call(arguments)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RowMark {
    signature: Signature,
}

impl ScalarUDFImpl for RowMark {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let marks = match columns.as_slice() {
            [one] => of_key(one)?,
            several => of_values(several)?,
        };
        Ok(ColumnarValue::Array(Arc::new(marks)))
    }
}

fn of_key(keys: &ArrayRef) -> Result<Int64Array> {
    if let Some(keys) = keys.as_any().downcast_ref::<FixedSizeBinaryArray>() {
        return Ok(keys.iter().map(|key| key.map(first)).collect());
    }
    let texts = cast(keys, &DataType::Utf8)?;
    let hashed = |text: Option<&str>| text.map(|text| first(&crypto::sha256(text.as_bytes())));
    Ok(texts.as_string::<i32>().iter().map(hashed).collect())
}

fn of_values(columns: &[ArrayRef]) -> Result<Int64Array> {
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let rows = RowConverter::new(fields)?.convert_columns(columns)?;
    Ok(rows.iter().map(|row| Some(first(&crypto::sha256(row.as_ref())))).collect())
}

/// The first 32 bits.
fn first(bytes: &[u8]) -> i64 {
    bytes.first_chunk::<4>().map_or(0, |first| u32::from_be_bytes(*first).into())
}
