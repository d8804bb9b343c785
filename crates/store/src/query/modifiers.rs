//! From a parameter's modifier and one value to tests (FHIR R4 section 3.1.1.4.5: which modifier
//! goes with which type of parameter).

use std::sync::Arc;

use fhirpath::search::{Component, ParamType, SearchParam};

use super::filter::{Reader, fault, may_lead_to, unfit};
use super::terms::{Code, Codes, MAX_CODES, TermsError};
use super::values::{self, Fault};
use super::{NearTest, QueryError, StringMatch, SystemTest, Test, UriMatch, fold};

/// Reads one value; several tests are alternatives.
pub(super) fn tests(
    reader: &Reader<'_>,
    param: &SearchParam,
    modifier: Option<&str>,
    name: &str,
    value: &str,
) -> Result<Vec<Test>, QueryError> {
    let read = |found: Result<Test, Fault>| {
        found.map(|test| vec![test]).map_err(|reason| fault(name, reason))
    };
    let listed = |found: Result<Vec<Code>, TermsError>| {
        match found {
            Ok(codes) if codes.len() > MAX_CODES => Err(TermsError::TooMany),
            Ok(codes) => Ok(vec![Test::Codes(Arc::new(Codes::new(codes)))]),
            Err(error) => Err(error),
        }
        .map_err(|error| QueryError::Terms { name: super::filter::shown(name), error })
    };
    match (param.param_type, modifier) {
        (ParamType::Token, Some("in" | "not-in")) => {
            listed(reader.terms.members(&values::unescape(value), MAX_CODES))
        }
        (ParamType::Token, Some(direction @ ("above" | "below"))) => {
            let (system, code) = code(value).map_err(|reason| fault(name, reason))?;
            let system = system.as_deref();
            listed(match direction {
                "above" => reader.terms.ancestors(system, &code, MAX_CODES),
                _ => reader.terms.descendants(system, &code, MAX_CODES),
            })
        }
        (ParamType::Composite, None) => read(composite(reader, &param.components, value)),
        (ParamType::Special, None) => {
            read(NearTest::parse(&values::unescape(value)).map(Test::Near))
        }
        (ParamType::Reference, Some(target))
            if !matches!(target, "identifier" | "above" | "below") =>
        {
            if !may_lead_to(param, target) {
                return Err(unfit(&param.code, target));
            }
            read(values::reference(reader.registry, value, Some(target)).map(Test::Reference))
        }
        (kind, modifier) => match plain(reader, kind, modifier, value) {
            Some(found) => read(found),
            None => Err(unfit(&param.code, modifier.unwrap_or_default())),
        },
    }
}

/// Where neither a terminology nor the parameter's definition is asked; `None` where the modifier
/// does not go with the type.
fn plain(
    reader: &Reader<'_>,
    kind: ParamType,
    modifier: Option<&str>,
    value: &str,
) -> Option<Result<Test, Fault>> {
    Some(match (kind, modifier) {
        (ParamType::String, None) => values::string(value, StringMatch::Starts),
        (ParamType::String, Some("exact")) => values::string(value, StringMatch::Exact),
        (ParamType::String, Some("contains")) => values::string(value, StringMatch::Contains),
        (ParamType::String, Some("text")) => values::string(value, StringMatch::Words),
        (ParamType::Token, None | Some("not")) => values::token(value).map(Test::Token),
        (ParamType::Token, Some("text")) => values::token_text(value),
        (ParamType::Token, Some("of-type" | "ofType")) => of_type(value),
        (ParamType::Reference, None) => {
            values::reference(reader.registry, value, None).map(Test::Reference)
        }
        (ParamType::Reference, Some("identifier")) => values::token(value).map(Test::Identifier),
        (ParamType::Reference, Some("below")) => values::canonical(value, true),
        (ParamType::Date, None) => values::date(value).map(Test::Date),
        (ParamType::Number, None) => values::number(value).map(Test::Number),
        (ParamType::Quantity, None) => values::quantity(value),
        (ParamType::Uri, None) => values::uri(value, UriMatch::Exact),
        (ParamType::Uri, Some("below")) => values::uri(value, UriMatch::Below),
        (ParamType::Uri, Some("above")) => values::uri(value, UriMatch::Above),
        _ => return None,
    })
}

/// `a$b`, one value for each part.
fn composite(reader: &Reader<'_>, components: &[Component], value: &str) -> Result<Test, Fault> {
    let parts = values::split(value, '$');
    if parts.len() != components.len() || components.is_empty() {
        return Err("one value for each part is expected, joined by `$`");
    }
    let part = |(component, part): (&Component, &str)| {
        if part.is_empty() {
            return Err("a part is empty");
        }
        plain(reader, component.param_type, None, part).unwrap_or(Err("a part cannot be compared"))
    };
    components.iter().zip(parts).map(part).collect::<Result<_, _>>().map(Test::Composite)
}

/// `system|code|value`, all three.
fn of_type(value: &str) -> Result<Test, Fault> {
    let parts: Vec<String> = values::split(value, '|').into_iter().map(values::unescape).collect();
    match parts.as_slice() {
        [system, code, value] if ![system, code, value].iter().any(|part| part.is_empty()) => {
            Ok(Test::OfType { system: system.clone(), code: fold(code), value: fold(value) })
        }
        _ => Err("`system|code|value` is expected, with the type's system and code"),
    }
}

/// System and code of one concept, the code as written.
fn code(value: &str) -> Result<(Option<String>, String), Fault> {
    let parts: Vec<String> = values::split(value, '|').into_iter().map(values::unescape).collect();
    match parts.as_slice() {
        [code] if !code.is_empty() => Ok((None, code.clone())),
        [system, code] if !system.is_empty() && !code.is_empty() => {
            Ok((Some(system.clone()), code.clone()))
        }
        _ => Err("`code` or `system|code` is expected"),
    }
}

/// The test of `ss` and `sb` of `_filter`: the token's code and what lies above or below it.
pub(super) fn subsumption(
    reader: &Reader<'_>,
    above: bool,
    name: &str,
    token: &super::TokenTest,
    written: &str,
) -> Result<Test, QueryError> {
    let system = match &token.system {
        SystemTest::Is(system) => Some(system.as_str()),
        SystemTest::Any | SystemTest::Absent => None,
    };
    let code = written.rsplit('|').next().unwrap_or_default();
    let found = match above {
        true => reader.terms.ancestors(system, code, MAX_CODES),
        false => reader.terms.descendants(system, code, MAX_CODES),
    };
    match found {
        Ok(codes) => Ok(Test::Codes(Arc::new(Codes::new(codes)))),
        Err(error) => Err(QueryError::Terms { name: super::filter::shown(name), error }),
    }
}
