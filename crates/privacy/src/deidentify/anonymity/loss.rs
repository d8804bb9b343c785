//! What generalisation loses, by three measures.

use serde::{Deserialize, Serialize};

/// Loss of information. Rows left out count as wholly lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Granularity (Iyengar 2002): for each cell the values that it may stand for, less one, as a
    /// share of all values of the column, less one; the mean. 0 is nothing lost, 1 all.
    pub granularity: f64,
    /// Non-uniform entropy (Gionis and Tassa 2009): the bits that tell the value of a cell once
    /// its generalisation is known, as a share of those of the column; the mean.
    pub entropy: f64,
    /// Discernibility (Bayardo and Agrawal 2005): the sum of squares of the sizes of classes, and
    /// the number of all rows for each row left out.
    pub discernibility: f64,
}
