//! What filters mean for the variables of a data set.

use super::{BeaconError, BeaconRequest, Entry, Filter, Operator};
use crate::description::{Coding, Dataset, Kind, Variable};

/// A condition on the records of a data set. All of a request's must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// One of the variables has one of its levels. Both are places in the description, levels in order.
    AnyLevel(Vec<(usize, Vec<usize>)>),
    /// A value is there.
    Present {
        /// The place of the variable.
        variable: usize,
    },
    /// A number compares so.
    Number {
        /// The place of the variable.
        variable: usize,
        /// How.
        comparison: Comparison,
        /// With what.
        value: f64,
    },
}

/// How a number compares.
pub type Comparison = Operator;

/// The conditions of a request for individuals on the records of a data set; nothing where the data set
/// does not know one of its terms, so that it has no result. `is_below` says whether a code is a term or,
/// where the request wants them, one below it: the application asks the terminology.
///
/// # Errors
/// 400 where a value cannot be compared so with the variable.
pub fn conditions(
    request: &BeaconRequest,
    set: &Dataset,
    is_below: impl Fn(&Coding, &str) -> bool,
) -> Result<Option<Vec<Condition>>, BeaconError> {
    let mut all = Vec::new();
    for filter in request.filters.iter().filter(|f| f.scope() != Some(Entry::Dataset)) {
        match condition(filter, set, &is_below)? {
            Some(condition) => all.push(condition),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

fn condition(
    filter: &Filter,
    set: &Dataset,
    is_below: &impl Fn(&Coding, &str) -> bool,
) -> Result<Option<Condition>, BeaconError> {
    match filter {
        Filter::Ontology { id, descendants, .. } => {
            let is_it =
                |coding: &Coding| coding.curie() == *id || (*descendants && is_below(coding, id));
            Ok(by_code(set, is_it))
        }
        // Of our own there are no terms but the names of variables.
        Filter::Custom { id, .. } => {
            let place = set.variables.iter().position(|variable| variable.name == *id);
            Ok(place.map(|variable| Condition::Present { variable }))
        }
        Filter::Alphanumeric { id, operator, value, .. } => {
            let is_it = |v: &Variable| {
                v.name == *id || v.coding.as_ref().is_some_and(|coding| coding.curie() == *id)
            };
            let Some(place) = set.variables.iter().position(is_it) else { return Ok(None) };
            compared(place, &set.variables[place].kind, *operator, value).map(Some)
        }
    }
}

/// Levels that have the code; else a variable that has it itself and a value.
fn by_code(set: &Dataset, is_it: impl Fn(&Coding) -> bool) -> Option<Condition> {
    let mut found = Vec::new();
    for (place, variable) in set.variables.iter().enumerate() {
        let Kind::Category { levels } = &variable.kind else { continue };
        let has_code = |place: &usize| levels[*place].coding.as_ref().is_some_and(&is_it);
        let places: Vec<usize> = (0..levels.len()).filter(has_code).collect();
        if !places.is_empty() {
            found.push((place, places));
        }
    }
    if !found.is_empty() {
        return Some(Condition::AnyLevel(found));
    }
    let has_code = |variable: &Variable| variable.coding.as_ref().is_some_and(&is_it);
    let variable = set.variables.iter().position(has_code)?;
    Some(Condition::Present { variable })
}

fn compared(
    variable: usize,
    kind: &Kind,
    operator: Operator,
    value: &str,
) -> Result<Condition, BeaconError> {
    match kind {
        Kind::Integer { .. } | Kind::Decimal { .. } => {
            let number: Option<f64> = value.parse().ok();
            let value = number.filter(|number| number.is_finite()).ok_or_else(|| {
                BeaconError::invalid("`value` of a filter on a number is a number")
            })?;
            Ok(Condition::Number { variable, comparison: operator, value })
        }
        Kind::Category { levels } => {
            let wanted = match operator {
                Operator::Equal => true,
                Operator::Not => false,
                _ => {
                    let message = "`operator` of a filter on a category is = or !";
                    return Err(BeaconError::invalid(message));
                }
            };
            let is_wanted = |place: &usize| is_like(&levels[*place].name, value) == wanted;
            let places = (0..levels.len()).filter(is_wanted).collect();
            Ok(Condition::AnyLevel(vec![(variable, places)]))
        }
        Kind::Truth | Kind::Date | Kind::Instant | Kind::Text => {
            Err(BeaconError::invalid("a filter compares numbers and categories only"))
        }
    }
}

/// Whether a text is like a pattern, in which `%` stands for any characters. Time is at most the product
/// of both lengths: the last `%` alone is gone back to.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'%') {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            (t, p) = (t + 1, p + 1);
        } else if let Some((at, from)) = back {
            back = Some((at, from + 1));
            (t, p) = (from + 1, at + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

/// Whether a request for data sets is one for this one: every filter names a term of its data use, of a
/// variable or of a level.
#[must_use]
pub fn is_asked_for(
    request: &BeaconRequest,
    set: &Dataset,
    is_below: impl Fn(&Coding, &str) -> bool,
) -> bool {
    request.filters.iter().all(|filter| {
        let id = filter.id();
        let data_use = || set.data_uses.iter().any(|one| format!("DUO:{}", one.code) == id);
        data_use() || matches!(condition(filter, set, &is_below), Ok(Some(_)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::is_like;

    #[test]
    fn a_wildcard_stands_for_any_characters() {
        for (text, pattern) in
            [("", "%"), ("lung", "lung"), ("lung", "l%g"), ("aab", "%ab"), ("", "")]
        {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("lung", "lun"), ("", "a"), ("lung", "%x%"), ("ab", "b%")] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_like_itself_cut_by_wildcards(text in "[a-c]{0,20}", at in 0_usize..20, to in 0_usize..20) {
            let (from, to) = (at.min(to).min(text.len()), at.max(to).min(text.len()));
            let pattern = format!("{}%{}", &text[..from], &text[to..]);
            prop_assert!(is_like(&text, &pattern));
        }
    }
}
