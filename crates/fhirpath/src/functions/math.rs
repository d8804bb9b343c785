//! Functions on numbers (FHIRPath 5.7).

use rust_decimal::prelude::*;

use super::{Call, Function as F};
use crate::eval::{EvalError, Evaluated, Evaluator, wrong_type};
use crate::item::{Item, Quantity};

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn math(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        let Some(item) = self.single(name, &call.input)? else { return Ok(Vec::new()) };
        let value = item.to_system().ok_or_else(|| wrong_type(name, item))?;
        let result = match (call.function, value) {
            (F::Abs, Item::Integer(n)) => n.checked_abs().map(Item::Integer),
            (F::Abs, Item::Quantity(q)) => {
                Some(Item::Quantity(Quantity { value: q.value.abs(), ..q }))
            }
            (F::Ceiling | F::Floor | F::Truncate | F::Round, Item::Integer(n))
                if call.args.is_empty() =>
            {
                Some(Item::Integer(n))
            }
            (F::Power, Item::Integer(base)) => {
                let Some(exponent) = self.number(&call)? else { return Ok(Vec::new()) };
                integer_power(base, exponent)
                    .or_else(|| power(Decimal::from(base), exponent).map(Item::Decimal))
            }
            (function, value) => {
                let Some(number) = as_decimal(&value) else { return Err(wrong_type(name, item)) };
                self.decimal_math(function, number, &call)?
            }
        };
        Ok(result.into_iter().collect())
    }

    /// `None` where the function has no value.
    fn decimal_math(
        &self,
        function: F,
        number: Decimal,
        call: &Call<'_, '_, 'a>,
    ) -> Result<Option<Item<'a>>, EvalError> {
        let whole = |number: Decimal| number.to_i64().map(Item::Integer);
        Ok(match function {
            F::Abs => Some(Item::Decimal(number.abs())),
            F::Ceiling => whole(number.ceil()),
            F::Floor => whole(number.floor()),
            F::Truncate => whole(number.trunc()),
            F::Round => {
                let digits = self.integer(function.name(), &self.arg(call, 0)?)?.unwrap_or(0);
                let digits = u32::try_from(digits).map_err(|_| EvalError::Argument {
                    function: function.name(),
                    reason: "the number of digits is negative".into(),
                })?;
                let away = RoundingStrategy::MidpointAwayFromZero;
                Some(Item::Decimal(number.round_dp_with_strategy(digits.min(28), away)))
            }
            F::Exp => float(number.to_f64().map(f64::exp)).map(Item::Decimal),
            F::Sqrt => float(number.to_f64().map(f64::sqrt)).map(Item::Decimal),
            F::Ln => float(number.to_f64().map(f64::ln)).map(Item::Decimal),
            F::Log => {
                let base = self.number(call)?.and_then(|base| base.to_f64());
                let result = number.to_f64().zip(base).map(|(number, base)| number.log(base));
                float(result).map(Item::Decimal)
            }
            F::Power => {
                self.number(call)?.and_then(|exponent| power(number, exponent)).map(Item::Decimal)
            }
            _ => return Err(EvalError::Unsupported(function.name())),
        })
    }

    /// The first argument as a number.
    fn number(&self, call: &Call<'_, '_, 'a>) -> Result<Option<Decimal>, EvalError> {
        let name = call.function.name();
        let arg = self.arg(call, 0)?;
        let Some(item) = self.single(name, &arg)? else { return Ok(None) };
        let number = item.to_system().as_ref().and_then(as_decimal);
        number.map(Some).ok_or_else(|| wrong_type(name, item))
    }
}

fn as_decimal(item: &Item<'_>) -> Option<Decimal> {
    match item {
        Item::Integer(n) => Some(Decimal::from(*n)),
        Item::Decimal(n) => Some(*n),
        _ => None,
    }
}

/// The decimal of a float that is a number; rounded so that `16.log(2)` is 4.
fn float(value: Option<f64>) -> Option<Decimal> {
    let value = value.filter(|value| value.is_finite())?;
    Decimal::from_f64(value).map(|value| value.round_dp(12).normalize())
}

fn integer_power<'a>(base: i64, exponent: Decimal) -> Option<Item<'a>> {
    if !exponent.fract().is_zero() {
        return None;
    }
    base.checked_pow(exponent.to_u32()?).map(Item::Integer)
}

fn power(base: Decimal, exponent: Decimal) -> Option<Decimal> {
    if exponent.fract().is_zero()
        && let Some(exponent) = exponent.to_i64()
    {
        // A few squarings leave the range of decimals, so large exponents end soon.
        let mut result = Decimal::ONE;
        for _ in 0..exponent.unsigned_abs().min(10_000) {
            result = result.checked_mul(base)?;
        }
        return if exponent < 0 { Decimal::ONE.checked_div(result) } else { Some(result) };
    }
    float(base.to_f64().zip(exponent.to_f64()).map(|(base, exponent)| base.powf(exponent)))
}
