//! Whether two rounds ask the same, when two machines have each worked one out of the same sums.

use serde_json::{Number, Value};

use crate::rounds::Round;

/// Part by which a number of the state may differ: machines differ in the last bits of logarithms and
/// exponentials, and steps of an iteration enlarge that.
const LIKE: f64 = 1e-9;

impl Round {
    /// Whether this asks what `other` asks: the same round with the same layout, and a state whose
    /// numbers are those of the other to within 1e-9 of their size. A number that is none, or is
    /// infinite, is like no other.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.number == other.number
            && self.layout == other.layout
            && are_like(&self.state, &other.state)
    }
}

fn are_like(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => are_like_numbers(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| are_like(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    other.get(name).is_some_and(|other| are_like(value, other))
                })
        }
        (one, other) => one == other,
    }
}

fn are_like_numbers(one: &Number, other: &Number) -> bool {
    if !one.is_f64() && !other.is_f64() {
        return one == other;
    }
    let (Some(one), Some(other)) = (one.as_f64(), other.as_f64()) else { return false };
    let is_near = (one - other).abs() <= LIKE * one.abs().max(other.abs());
    one.is_finite() && other.is_finite() && is_near
}
