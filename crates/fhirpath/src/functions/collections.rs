//! Existence, subsetting and combining (FHIRPath 5.1, 5.3 and 5.4).

use super::{Call, Function as F, truth};
use crate::eval::{EvalError, Evaluated, Evaluator, equal, union, wrong_type};
use crate::item::{Collection, Item};

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn collection(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let function = call.function;
        match function {
            F::Empty => truth(call.input.is_empty()),
            F::Count => {
                Ok(vec![Item::Integer(i64::try_from(call.input.len()).unwrap_or(i64::MAX))])
            }
            F::AllTrue => self.truths(&call, |all| all.iter().all(|&t| t)),
            F::AnyTrue => self.truths(&call, |all| all.iter().any(|&t| t)),
            F::AllFalse => self.truths(&call, |all| all.iter().all(|&t| !t)),
            F::AnyFalse => self.truths(&call, |all| all.iter().any(|&t| !t)),
            F::Not => {
                let truth = self.boolean(function.name(), &call.input)?;
                Ok(truth.map(|truth| Item::Boolean(!truth)).into_iter().collect())
            }
            F::Distinct => union(self, call.input),
            F::IsDistinct => {
                let count = call.input.len();
                truth(union(self, call.input)?.len() == count)
            }
            F::SubsetOf => truth(self.subset(&call.input, &self.arg(&call, 0)?)?),
            F::SupersetOf => truth(self.subset(&self.arg(&call, 0)?, &call.input)?),
            F::Single => {
                self.single(function.name(), &call.input)?;
                Ok(call.input)
            }
            F::First => Ok(call.input.into_iter().take(1).collect()),
            F::Last => Ok(call.input.into_iter().next_back().into_iter().collect()),
            F::Tail => Ok(call.input.into_iter().skip(1).collect()),
            F::Skip | F::Take => self.part(call),
            F::Union => {
                let other = self.arg(&call, 0)?;
                union(self, call.input.into_iter().chain(other))
            }
            F::Combine => {
                let other = self.arg(&call, 0)?;
                Ok(call.input.into_iter().chain(other).collect())
            }
            F::Intersect | F::Exclude => self.filtered(call),
            F::Coalesce => {
                for number in 0..call.args.len() {
                    let found = self.arg(&call, number)?;
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
                Ok(Vec::new())
            }
            _ => Err(EvalError::Unsupported(function.name())),
        }
    }

    fn truths(&self, call: &Call<'_, '_, 'a>, holds: impl Fn(&[bool]) -> bool) -> Evaluated<'a> {
        let boolean = |item: &Item<'a>| {
            item.as_boolean().ok_or_else(|| wrong_type(call.function.name(), item))
        };
        truth(holds(&call.input.iter().map(boolean).collect::<Result<Vec<_>, _>>()?))
    }

    fn subset(&self, some: &[Item<'a>], all: &[Item<'a>]) -> Result<bool, EvalError> {
        self.charge(some.len().saturating_mul(all.len()))?;
        Ok(some.iter().all(|item| contains(all, item)))
    }

    fn part(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        let Some(number) = self.integer(name, &self.arg(&call, 0)?)? else {
            return Ok(Vec::new());
        };
        let number = usize::try_from(number.max(0)).unwrap_or(usize::MAX);
        let input = call.input.into_iter();
        Ok(match call.function {
            F::Skip => input.skip(number).collect(),
            _ => input.take(number).collect(),
        })
    }

    /// `intersect` drops doubles, `exclude` keeps them.
    fn filtered(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let other = self.arg(&call, 0)?;
        self.charge(call.input.len().saturating_mul(other.len()))?;
        let wanted = call.function == F::Intersect;
        let held: Collection<'a> =
            call.input.into_iter().filter(|item| contains(&other, item) == wanted).collect();
        if wanted { union(self, held) } else { Ok(held) }
    }
}

fn contains<'a>(items: &[Item<'a>], item: &Item<'a>) -> bool {
    items.iter().any(|held| equal(held, item) == Some(true))
}
