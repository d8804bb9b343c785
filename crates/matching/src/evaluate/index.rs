//! A small search index over the patients of one site, with the meaning that FHIR gives to the
//! parameters of the blocking searches: strings match from the start without regard to case and
//! accents, tokens exactly, a date matches all dates inside it.

use crate::text::fold;
use fhir::{Resource, Value};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct PatientIndex {
    /// Places of records by parameter and folded value.
    entries: BTreeMap<(&'static str, String), Vec<usize>>,
}

impl PatientIndex {
    /// Adds the record at place `at`; places must rise from call to call.
    pub(super) fn add(&mut self, at: usize, patient: &Resource) {
        let root = patient.root();
        let each = |name: &str| root.get(name).into_iter().flat_map(Value::each);
        let mut entry = |parameter, value: String| {
            let places = self.entries.entry((parameter, value)).or_default();
            if places.last() != Some(&at) {
                places.push(at);
            }
        };
        let text = |value: Value<'_>, member| value.str_at(member).unwrap_or_default().into_owned();
        entry("birthdate", text(root, "birthDate"));
        for name in each("name") {
            entry("family", fold(&text(name, "family")));
            let given = name.get("given").into_iter().flat_map(Value::each);
            given.filter_map(Value::as_str).for_each(|given| entry("given", fold(&given)));
        }
        for telecom in each("telecom") {
            let email = telecom.get("system").is_some_and(|system| system.is_str("email"));
            entry(if email { "email" } else { "phone" }, text(telecom, "value"));
        }
        for address in each("address") {
            entry("address-postalcode", fold(&text(address, "postalCode")));
        }
        for identifier in each("identifier") {
            let (system, value) = (text(identifier, "system"), text(identifier, "value"));
            entry("identifier", format!("{system}|{value}"));
        }
    }

    /// Places of the records for which all parameters hold, in order.
    pub(super) fn search(&self, parameters: &[(&'static str, String)]) -> Vec<usize> {
        let mut hits: Option<Vec<usize>> = None;
        for (parameter, value) in parameters {
            let mut places: Vec<usize> = alternatives(value)
                .iter()
                .flat_map(|value| self.places(parameter, value))
                .collect();
            places.sort_unstable();
            places.dedup();
            hits = Some(match hits {
                None => places,
                Some(hits) => {
                    hits.into_iter().filter(|at| places.binary_search(at).is_ok()).collect()
                }
            });
        }
        hits.unwrap_or_default()
    }

    fn places(&self, parameter: &'static str, value: &str) -> Vec<usize> {
        if value.is_empty() {
            return Vec::new();
        }
        let exact = matches!(parameter, "identifier" | "phone" | "email");
        let from = (parameter, value.to_owned());
        self.entries
            .range(from..)
            .take_while(|((name, found), _)| {
                *name == parameter && if exact { found == value } else { found.starts_with(value) }
            })
            .flat_map(|(_, places)| places.iter().copied())
            .collect()
    }
}

/// Splits at commas that are not escaped, and undoes the escapes.
fn alternatives(value: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            ',' => {
                out.push(String::new());
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_like_fhir() {
        let mut index = PatientIndex::default();
        for (at, json) in [
            r#"{"resourceType":"Patient","birthDate":"1947-09-10","name":[{"family":"Guzmán14","given":["Ana"]}]}"#,
            r#"{"resourceType":"Patient","birthDate":"1947-09-11","telecom":[{"system":"phone","value":"1,2"}]}"#,
        ]
        .iter()
        .enumerate()
        {
            index.add(at, &Resource::parse(*json).unwrap());
        }
        let found = |parameters: &[(&'static str, &str)]| {
            let parameters: Vec<_> =
                parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            index.search(&parameters)
        };
        assert_eq!(found(&[("birthdate", "1947-09")]), [0, 1]);
        assert_eq!(found(&[("birthdate", "1947"), ("family", "guzman")]), [0]);
        assert_eq!(found(&[("family", "x,guz")]), [0]);
        assert_eq!(found(&[("phone", "1\\,2")]), [1]);
        assert!(found(&[("phone", "1")]).is_empty());
        assert!(found(&[("given", "")]).is_empty());
    }
}
