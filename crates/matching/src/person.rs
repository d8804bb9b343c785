//! What a FHIR Patient says about who the person is.

use crate::address::Address;
use crate::birth::PartialDate;
use crate::identifier::{Identifier, Sorted, Ssn, sort};
use crate::name::{Generation, Name};
use crate::text::{MAX_CHARS, all_same, digits, name_words};
use fhir::{Resource, Value};

/// The most names, numbers or addresses of one person that are looked at.
const MAX_OF_EACH: usize = 8;
/// The most entries of a list in the resource that are read.
const MAX_READ: usize = 64;
const MOTHERS_MAIDEN_NAME: &str =
    "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName";

/// Administrative gender as far as it can agree or contradict; `other` and `unknown` do neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gender {
    /// `female`
    Female,
    /// `male`
    Male,
}

/// Whether the person is one of twins or more, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MultipleBirth {
    /// A single birth.
    Single,
    /// One of several, order not known.
    Several,
    /// Place in the order of birth, from 1.
    Order(u8),
}

/// What is known about the person's death.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// Said to be alive.
    Alive,
    /// Dead, day not known.
    Dead,
    /// Died on this day.
    On(PartialDate),
}

/// The identifying part of a Patient in the form in which persons are compared.
///
/// Lists are sorted and free of repeats, so the order in the resource makes no difference.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub(crate) names: Vec<Name>,
    pub(crate) generation: Option<Generation>,
    pub(crate) birth_date: Option<PartialDate>,
    pub(crate) gender: Option<Gender>,
    pub(crate) phones: Vec<String>,
    pub(crate) emails: Vec<String>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) ssns: Vec<Ssn>,
    pub(crate) identifiers: Vec<Identifier>,
    pub(crate) mother: Option<String>,
    pub(crate) multiple_birth: Option<MultipleBirth>,
    pub(crate) death: Option<Death>,
}

impl Person {
    /// Reads a Patient. Whatever is missing, malformed or a known placeholder is left out;
    /// another kind of resource gives a person of whom nothing is known.
    pub fn of(patient: &Resource) -> Self {
        let root = patient.root();
        let all: Vec<Name> = each(root, "name").map(Name::of).collect();
        let generation = all.iter().filter_map(|name| name.generation).min();
        let names = names(all);
        let (ssns, identifiers) = identifiers(root);
        let (phones, emails) = telecoms(root);
        Self {
            generation,
            names,
            birth_date: root.str_at("birthDate").and_then(|text| PartialDate::parse(&text)),
            gender: root.str_at("gender").and_then(|code| match code.as_ref() {
                "female" => Some(Gender::Female),
                "male" => Some(Gender::Male),
                _ => None,
            }),
            phones,
            emails,
            addresses: sorted(each(root, "address").filter_map(Address::of)),
            ssns,
            identifiers,
            mother: mother(root),
            multiple_birth: multiple_birth(root),
            death: death(root),
        }
    }

    /// All names, current ones first.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// The birth date, which may be partial.
    pub fn birth_date(&self) -> Option<PartialDate> {
        self.birth_date
    }

    /// All addresses.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }
}

/// Says how much is known, never what: a person must not reach a log by accident.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("names", &self.names.len())
            .field("birth_date", &self.birth_date.is_some())
            .field("phones", &self.phones.len())
            .field("addresses", &self.addresses.len())
            .field("ssns", &self.ssns.len())
            .field("identifiers", &self.identifiers.len())
            .finish_non_exhaustive()
    }
}

fn each<'a>(root: Value<'a>, member: &str) -> impl Iterator<Item = Value<'a>> {
    root.get(member).into_iter().flat_map(Value::each).take(MAX_READ)
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items.dedup();
    items.truncate(MAX_OF_EACH);
    items
}

/// Names, each completed from the first of the others: a maiden name is often entered without
/// its given name.
fn names(all: Vec<Name>) -> Vec<Name> {
    let names = sorted(all.into_iter().filter(|name| !name.is_empty()));
    let with_given = names.iter().find(|name| !name.given.is_empty()).cloned();
    let with_family = names.iter().find(|name| !name.family.is_empty()).cloned();
    sorted(names.into_iter().map(|mut name| {
        for other in [&with_given, &with_family].into_iter().flatten() {
            name.complete_from(other);
        }
        name
    }))
}

fn identifiers(root: Value<'_>) -> (Vec<Ssn>, Vec<Identifier>) {
    let (mut ssns, mut others) = (Vec::new(), Vec::new());
    for identifier in each(root, "identifier").filter_map(sort) {
        match identifier {
            Sorted::Ssn(ssn) => ssns.push(ssn),
            Sorted::Other(identifier) => others.push(identifier),
        }
    }
    (sorted(ssns.into_iter()), sorted(others.into_iter()))
}

fn telecoms(root: Value<'_>) -> (Vec<String>, Vec<String>) {
    let (mut phones, mut emails) = (Vec::new(), Vec::new());
    for telecom in each(root, "telecom") {
        let Some(value) = telecom.str_at("value") else { continue };
        match telecom.str_at("system").as_deref() {
            Some("email") => emails.extend(email(&value)),
            Some("phone" | "sms") | None => phones.extend(phone(&value)),
            _ => {}
        }
    }
    (sorted(phones.into_iter()), sorted(emails.into_iter()))
}

/// The digits of a telephone number without the North American country code and extension.
fn phone(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("tel:");
    let number = digits(text.split(['x', 'X', ';', 'e', 'E']).next()?);
    let number = match number.strip_prefix('1') {
        Some(rest) if rest.len() == 10 => rest.to_owned(),
        _ => number,
    };
    let placeholder = ["1234567890", "0123456789", "1234567", "5551234", "5555551234"];
    let tail = number.get(number.len().saturating_sub(7)..).unwrap_or_default();
    let usable = (7..=15).contains(&number.len()) && !all_same(tail);
    (usable && !placeholder.contains(&number.as_str())).then_some(number)
}

fn email(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("mailto:");
    let address: String = text.chars().take(MAX_CHARS).flat_map(char::to_lowercase).collect();
    let (local, domain) = address.split_once('@')?;
    let nobody = ["none", "noemail", "no", "na", "unknown", "noreply", "declined", "test"];
    let usable = !local.is_empty() && domain.contains('.') && !nobody.contains(&local);
    usable.then_some(address)
}

/// The family name of the mother at birth: the last word of the extension's text.
fn mother(root: Value<'_>) -> Option<String> {
    let mut found: Vec<String> = each(root, "extension")
        .filter(|e| e.get("url").is_some_and(|url| url.is_str(MOTHERS_MAIDEN_NAME)))
        .filter_map(|e| name_words(&e.str_at("valueString")?).pop())
        .filter(|name| name != "unknown")
        .collect();
    found.sort_unstable();
    found.into_iter().next()
}

fn multiple_birth(root: Value<'_>) -> Option<MultipleBirth> {
    if let Some(order) = root.get("multipleBirthInteger").and_then(Value::as_number) {
        return match order.parse::<u8>() {
            Ok(0) | Err(_) => Some(MultipleBirth::Several),
            Ok(order) => Some(MultipleBirth::Order(order)),
        };
    }
    let several = root.get("multipleBirthBoolean")?.as_bool()?;
    Some(if several { MultipleBirth::Several } else { MultipleBirth::Single })
}

fn death(root: Value<'_>) -> Option<Death> {
    if let Some(text) = root.str_at("deceasedDateTime") {
        return Some(PartialDate::parse(&text).map_or(Death::Dead, Death::On));
    }
    let dead = root.get("deceasedBoolean")?.as_bool()?;
    Some(if dead { Death::Dead } else { Death::Alive })
}
