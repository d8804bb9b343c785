//! The functions that need a terminology service (FHIR R4, section 2.9.1.5): `memberOf`,
//! `subsumes` and `subsumedBy`.

use super::{Call, Function as F, truth};
use crate::eval::{EvalError, Evaluated, Evaluator, wrong_type};
use crate::item::Item;

/// What codes mean, for expressions that ask. Whoever evaluates hands one over with
/// [`crate::Env::with_codes`].
pub trait Codes: std::fmt::Debug + Sync {
    /// Whether a code belongs to the value set with this canonical address. Without `system` any
    /// code system of the value set will do. `None` where that cannot be said.
    fn is_member(&self, value_set: &str, system: Option<&str>, code: &str) -> Option<bool>;

    /// Whether a code is one of a code system's. `None` where that cannot be said.
    fn is_code(&self, system: &str, code: &str) -> Option<bool>;

    /// Whether code `general` of a code system is code `special` or above it. `None` where that
    /// cannot be said.
    fn is_same_or_above(&self, system: &str, general: &str, special: &str) -> Option<bool>;
}

/// System and code of each coding of an item.
type Codings = Vec<(Option<String>, String)>;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn codes(&self, call: &Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        let codes = self.env.codes.ok_or(EvalError::Unsupported(name))?;
        let Some(item) = self.single(name, &call.input)? else { return Ok(Vec::new()) };
        let argument = self.arg(call, 0)?;
        let Some(argument) = self.single(name, &argument)? else { return Ok(Vec::new()) };
        let own = codings(item).ok_or_else(|| wrong_type(name, item))?;
        let answers: Vec<_> = if call.function == F::MemberOf {
            let url = argument.as_text().ok_or_else(|| wrong_type(name, argument))?;
            let ask = |(system, code): &(Option<String>, String)| {
                codes.is_member(&url, system.as_deref(), code)
            };
            own.iter().map(ask).collect()
        } else {
            let other = codings(argument).ok_or_else(|| wrong_type(name, argument))?;
            let mut answers = Vec::new();
            for (a_system, a) in &own {
                for (b_system, b) in &other {
                    let (general, special) =
                        if call.function == F::Subsumes { (a, b) } else { (b, a) };
                    answers.push(match (a_system, b_system) {
                        (Some(one), Some(other)) if one == other => {
                            codes.is_same_or_above(one, general, special)
                        }
                        _ => Some(false),
                    });
                }
            }
            answers
        };
        if answers.contains(&Some(true)) {
            truth(true)
        } else if answers.contains(&None) {
            Ok(Vec::new())
        } else {
            truth(false)
        }
    }
}

fn codings(item: &Item<'_>) -> Option<Codings> {
    let Item::Node(node) = item else { return Some(vec![(None, item.as_text()?.into_owned())]) };
    let coding = |value: fhir::Value<'_>| {
        let system = value.str_at("system").map(std::borrow::Cow::into_owned);
        Some((system, value.str_at("code")?.into_owned()))
    };
    match node.type_of().name {
        "Coding" => Some(node.value().and_then(coding).into_iter().collect()),
        "CodeableConcept" => {
            let list = node.value().and_then(|value| value.get("coding"));
            Some(list.into_iter().flat_map(fhir::Value::items).filter_map(coding).collect())
        }
        _ => Some(vec![(None, item.as_text()?.into_owned())]),
    }
}
