//! Which records of a large store are worth comparing: a handful of FHIR searches whose joined
//! results hold the person's record with near certainty and little else.
//!
//! Each search survives other errors than its neighbours do: a wrong birth date is found by name,
//! telephone, number or place; a wrong or changed name by birth date; and so on. Values are
//! folded to lower case without accents and digits; FHIR string search ignores case
//! and accents and matches from the start (FHIR R4, 3.1.1.4.8), so `boehm` finds `Boehm581`.

use crate::birth::PartialDate;
use crate::identifier::{IdentifierKind, Ssn};
use crate::name::Name;
use crate::nickname;
use crate::person::Person;

/// The most searches made for one person.
pub const MAX_SEARCHES: usize = 32;
/// The most alternatives joined by commas in one value.
const MAX_ALTERNATIVES: usize = 12;
const SSN_SYSTEM: &str = "http://hl7.org/fhir/sid/us-ssn";

/// One question to a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockingKey {
    /// A search on Patient: parameters that must all hold, with values in FHIR search syntax
    /// (commas join alternatives) and not yet percent-encoded. The caller caps the result.
    Search(Vec<(&'static str, String)>),
}

/// The searches for `person`, most selective first, without repeats, at most [`MAX_SEARCHES`].
/// A person of whom too little is known gets none.
pub fn blocking_keys(person: &Person) -> Vec<BlockingKey> {
    let mut keys = Vec::new();
    let mut search = |parameters: Vec<(&'static str, String)>| {
        let key = BlockingKey::Search(parameters);
        if !keys.contains(&key) && keys.len() < MAX_SEARCHES {
            keys.push(key);
        }
    };
    for value in identifiers(person) {
        search(vec![("identifier", value)]);
    }
    for phone in person.phones.iter().take(3) {
        search(vec![("phone", phone_forms(phone))]);
    }
    for email in person.emails.iter().take(2) {
        search(vec![("email", escape(email))]);
    }
    by_birth_date(person, &mut search);
    by_name(person, &mut search);
    by_place(person, &mut search);
    keys
}

type Search<'a> = dyn FnMut(Vec<(&'static str, String)>) + 'a;

fn by_birth_date(person: &Person, search: &mut Search<'_>) {
    let Some(date) = person.birth_date else { return };
    if date.day().is_some() {
        // On 1 January stand all whose day is not known, so there a name is asked for too.
        let crowded = date.month() == Some(1) && date.day() == Some(1);
        for name in person.names.iter().take(2).filter(|_| crowded) {
            let names = [("family", &name.family_phrase), ("given", &name.given)];
            for (parameter, value) in names.into_iter().filter(|(_, value)| !value.is_empty()) {
                search(vec![("birthdate", date.to_string()), (parameter, escape(value))]);
            }
        }
        search(vec![("birthdate", date.to_string())]);
        if let Some(exchanged) = date.exchanged() {
            search(vec![("birthdate", exchanged.to_string())]);
        }
    }
}

/// Family name with the given name in all its forms, both ways round, and family name with the
/// birth year: the one for wrong birth dates, the other for given names nothing alike.
fn by_name(person: &Person, search: &mut Search<'_>) {
    for name in person.names.iter().take(3) {
        for family in family_forms(name) {
            let given = given_forms(name);
            if !given.is_empty() {
                search(vec![("family", family.clone()), ("given", given)]);
            }
            if let Some(date) = person.birth_date {
                search(vec![("family", family), ("birthdate", date.year().to_string())]);
            }
        }
        if !name.family.is_empty() && !name.given.is_empty() {
            search(vec![("family", name.given.clone()), ("given", escape(&name.family_phrase))]);
        }
        if let Some(date) = person.birth_date
            && !name.given.is_empty()
        {
            search(vec![("given", given_forms(name)), ("birthdate", near_months(date))]);
        }
    }
}

fn by_place(person: &Person, search: &mut Search<'_>) {
    let codes = person.addresses.iter().map(|a| &a.postal_code).filter(|code| !code.is_empty());
    for code in codes.take(3) {
        if let Some(date) = person.birth_date {
            search(vec![("address-postalcode", code.clone()), ("birthdate", month(date))]);
        }
        for name in person.names.iter().take(2) {
            if !name.given.is_empty() {
                search(vec![("address-postalcode", code.clone()), ("given", given_forms(name))]);
            }
            for family in family_forms(name).into_iter().take(1) {
                search(vec![("address-postalcode", code.clone()), ("family", family)]);
            }
        }
    }
}

fn identifiers(person: &Person) -> Vec<String> {
    let ssns = person.ssns.iter().filter_map(|ssn| match ssn {
        Ssn::Full(number) => {
            let (area, rest) = number.split_at_checked(3)?;
            let (group, serial) = rest.split_at_checked(2)?;
            Some(format!("{SSN_SYSTEM}|{area}-{group}-{serial},{SSN_SYSTEM}|{number}"))
        }
        Ssn::LastFour(_) => None,
    });
    let own = |kind| kind != IdentifierKind::Other;
    let others = person
        .identifiers
        .iter()
        .filter(|i| own(i.kind))
        .map(|i| format!("{}|{}", escape(&i.system), escape(&i.written)));
    ssns.take(2).chain(others.take(6)).collect()
}

/// The spellings in which a telephone number is commonly stored; token search compares exactly.
fn phone_forms(phone: &str) -> String {
    let (Some(area), Some(exchange), Some(line)) =
        (phone.get(..3), phone.get(3..6), phone.get(6..))
    else {
        return phone.to_owned();
    };
    if phone.len() != 10 {
        return phone.to_owned();
    }
    [
        phone.to_owned(),
        format!("{area}-{exchange}-{line}"),
        format!("({area}) {exchange}-{line}"),
        format!("({area}){exchange}-{line}"),
        format!("{area}.{exchange}.{line}"),
        format!("{area} {exchange} {line}"),
        format!("+1{phone}"),
        format!("+1-{area}-{exchange}-{line}"),
        format!("1-{area}-{exchange}-{line}"),
        format!("{exchange}-{line}"),
    ]
    .join(",")
}

fn family_forms(name: &Name) -> Vec<String> {
    let mut forms = vec![escape(&name.family_phrase)];
    forms.extend(name.family_parts.iter().cloned());
    forms.retain(|form| !form.is_empty());
    forms.dedup();
    forms.truncate(3);
    forms
}

/// The given name, its familiar forms, its parts and the second given names.
fn given_forms(name: &Name) -> String {
    let mut forms = vec![name.given.as_str()];
    forms.extend(name.given_parts.iter().map(String::as_str));
    forms.extend(name.middle.iter().map(String::as_str).filter(|m| m.chars().nth(1).is_some()));
    forms.extend(nickname::forms(&name.given));
    forms.retain(|form| !form.is_empty());
    forms.truncate(MAX_ALTERNATIVES);
    forms.join(",")
}

fn month(date: PartialDate) -> String {
    match date.month() {
        Some(month) => format!("{:04}-{month:02}", date.year()),
        None => date.year().to_string(),
    }
}

/// The month of birth with that of the years beside it; of a bare year, the year.
fn near_months(date: PartialDate) -> String {
    let year = date.year();
    match date.month() {
        Some(month) => {
            format!("{:04}-{month:02},{:04}-{month:02},{year:04}-{month:02}", year - 1, year + 1)
        }
        None => year.to_string(),
    }
}

/// Escapes the separators of FHIR search values (FHIR R4, 3.1.1.3).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ',' | '|' | '$' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::Resource;

    #[test]
    fn searches_for_a_person() {
        let patient = Resource::parse(
            r#"{"resourceType":"Patient","birthDate":"1947-09-10",
            "identifier":[{"system":"http://hl7.org/fhir/sid/us-ssn","value":"999-26-7403"}],
            "name":[{"family":"Bruen-Li238","given":["Chris753"]}],
            "telecom":[{"system":"email","value":"c,b@example.org"}],
            "address":[{"postalCode":"02559"}]}"#,
        );
        let shown: Vec<String> = blocking_keys(&Person::of(&patient.unwrap()))
            .into_iter()
            .map(|BlockingKey::Search(parameters)| {
                let pairs = parameters.into_iter().map(|(name, value)| format!("{name}={value}"));
                pairs.collect::<Vec<_>>().join("&")
            })
            .collect();
        let expected = [
            "identifier=http://hl7.org/fhir/sid/us-ssn|999-26-7403,http://hl7.org/fhir/sid/us-ssn|999267403",
            "email=c\\,b@example.org",
            "birthdate=1947-09-10",
            "birthdate=1947-10-09",
            "family=bruen-li&given=chris,chrissy,christian,christina,christine,christopher,kit,tina,topher",
            "family=bruen-li&birthdate=1947",
            "family=bruen&birthdate=1947",
            "address-postalcode=02559&birthdate=1947-09",
        ];
        for line in expected {
            assert!(shown.iter().any(|s| s == line), "{line} in {shown:#?}");
        }
    }

    #[test]
    fn nothing_known_asks_nothing() {
        let patient = Resource::parse(r#"{"resourceType":"Patient"}"#).unwrap();
        assert!(blocking_keys(&Person::of(&patient)).is_empty());
    }
}
