//! Functions that evaluate an argument once for every item (FHIRPath 5.2), and `iif`.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::{Call, Function as F, truth};
use crate::ast::Ast;
use crate::eval::{EvalError, Evaluated, Evaluator, Scope, equal, order, wrong_type};
use crate::item::{Collection, Item};

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn iteration(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        match call.function {
            F::Exists => {
                for (index, item) in call.input.iter().enumerate() {
                    if self.criterion(&call, item, index)? {
                        return truth(true);
                    }
                }
                truth(false)
            }
            F::All => {
                for (index, item) in call.input.iter().enumerate() {
                    if !self.criterion(&call, item, index)? {
                        return truth(false);
                    }
                }
                truth(true)
            }
            F::Where => {
                let mut found = Vec::new();
                for (index, item) in call.input.iter().enumerate() {
                    if self.criterion(&call, item, index)? {
                        found.push(item.clone());
                    }
                }
                Ok(found)
            }
            F::Select => {
                let mut found = Vec::new();
                for (index, item) in call.input.iter().enumerate() {
                    found.extend(self.projected(&call, 0, item, index)?);
                }
                Ok(found)
            }
            F::Repeat => self.repeat(call),
            F::Aggregate => self.aggregate(&call),
            F::Sort => self.sort(call),
            F::Iif => self.iif(&call),
            // There is nowhere to write to; the argument is not evaluated.
            F::Trace => Ok(call.input),
            _ => Err(EvalError::Unsupported(call.function.name())),
        }
    }

    /// An argument with an item as `$this`.
    fn projected(
        &self,
        call: &Call<'_, '_, 'a>,
        number: usize,
        item: &Item<'a>,
        index: usize,
    ) -> Evaluated<'a> {
        let Some(arg) = call.args.get(number) else { return Ok(Vec::new()) };
        let this = std::slice::from_ref(item);
        self.eval(arg, &Scope { this, index: Some(index), total: call.scope.total })
    }

    /// Whether the criterion, where there is one, is true for an item.
    fn criterion(
        &self,
        call: &Call<'_, '_, 'a>,
        item: &Item<'a>,
        index: usize,
    ) -> Result<bool, EvalError> {
        if call.args.is_empty() {
            return Ok(true);
        }
        let result = self.projected(call, 0, item, index)?;
        Ok(self.boolean(call.function.name(), &result)?.unwrap_or(false))
    }

    /// Applies the projection to its own results until nothing new comes. Elements are new when
    /// they stand in a new place, other values when they are not equal to one that was found.
    fn repeat(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let mut found: Collection<'a> = Vec::new();
        let mut places = HashSet::new();
        let mut next = call.input.clone();
        while !next.is_empty() {
            let mut fresh = Vec::new();
            for (index, item) in next.iter().enumerate() {
                for result in self.projected(&call, 0, item, index)? {
                    self.charge(1)?;
                    let is_new = match &result {
                        Item::Node(node) => places.insert(node.place()),
                        other => {
                            self.charge(found.len())?;
                            !found.iter().any(|held| equal(held, other) == Some(true))
                        }
                    };
                    if is_new {
                        found.push(result.clone());
                        fresh.push(result);
                    }
                }
            }
            next = fresh;
        }
        Ok(found)
    }

    fn aggregate(&self, call: &Call<'_, '_, 'a>) -> Evaluated<'a> {
        let mut total = self.arg(call, 1)?;
        let Some(step) = call.args.first() else { return Ok(total) };
        for (index, item) in call.input.iter().enumerate() {
            let this = std::slice::from_ref(item);
            let scope = Scope { this, index: Some(index), total: Some(&total) };
            total = self.eval(step, &scope)?;
        }
        Ok(total)
    }

    /// Sorts by keys, the items themselves where there are none. A leading `-` reverses a key.
    fn sort(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let mut keys: Vec<(Option<&'a Ast>, bool)> = call
            .args
            .iter()
            .map(|arg| match arg {
                Ast::Negate(key) => (Some(key.as_ref()), true),
                key => (Some(key), false),
            })
            .collect();
        if keys.is_empty() {
            keys.push((None, false));
        }
        let mut rows = Vec::with_capacity(call.input.len());
        for (index, item) in call.input.iter().enumerate() {
            let this = std::slice::from_ref(item);
            let scope = Scope { this, index: Some(index), total: call.scope.total };
            let mut row = Vec::with_capacity(keys.len());
            for (key, _) in &keys {
                let key = key.map_or_else(|| Ok(this.to_vec()), |key| self.eval(key, &scope))?;
                row.push(self.single("sort", &key)?.cloned());
            }
            rows.push((row, item.clone()));
        }
        self.charge(rows.len().saturating_mul(usize::BITS as usize))?;
        let mut fault = None;
        rows.sort_by(|(a, _), (b, _)| {
            let sides = a.iter().zip(b).zip(&keys);
            for ((a, b), (_, reversed)) in sides {
                let ordering = match (a, b) {
                    (Some(a), Some(b)) => match order("sort", a, b) {
                        Ok(ordering) => ordering.unwrap_or(Ordering::Equal),
                        Err(error) => {
                            fault.get_or_insert(error);
                            Ordering::Equal
                        }
                    },
                    // Whatever the direction, items without a key come first.
                    (a, b) if a.is_some() != b.is_some() => return a.is_some().cmp(&b.is_some()),
                    _ => Ordering::Equal,
                };
                if ordering != Ordering::Equal {
                    return if *reversed { ordering.reverse() } else { ordering };
                }
            }
            Ordering::Equal
        });
        match fault {
            Some(error) => Err(error),
            None => Ok(rows.into_iter().map(|(_, item)| item).collect()),
        }
    }

    /// Evaluates only the branch that is taken.
    fn iif(&self, call: &Call<'_, '_, 'a>) -> Evaluated<'a> {
        self.single("iif", &call.input)?;
        let scope = Scope { this: &call.input, ..*call.scope };
        let [criterion, rest @ ..] = call.args else { return Ok(Vec::new()) };
        let result = self.eval(criterion, &scope)?;
        if let (true, Some(item)) = (self.env.strict, self.single("iif", &result)?)
            && item.as_boolean().is_none()
        {
            return Err(wrong_type("iif", item));
        }
        let branch =
            if self.boolean("iif", &result)? == Some(true) { rest.first() } else { rest.get(1) };
        branch.map_or(Ok(Vec::new()), |branch| self.eval(branch, &scope))
    }
}
