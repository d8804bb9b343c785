//! What must not be found in an extract: everything that the originals say of people and places.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fhir::{Document, Kind, Value};

use crate::client::Fault;

/// Age from which a year of birth or an age must not be told.
const OLD: i32 = 90;
/// Types whose names are of people or places.
const NAMED: [&str; 6] =
    ["Patient", "Practitioner", "RelatedPerson", "Person", "Organization", "Location"];

/// Texts to look for, in lower case, each with its kind.
#[derive(Debug)]
pub struct Secrets {
    /// By the first run of letters and digits in it.
    by_start: HashMap<String, Vec<(String, &'static str)>>,
    known: BTreeSet<(String, &'static str)>,
    /// Dates to the day and to the month.
    dates: BTreeSet<String>,
    /// The latest year that shows an age over 89.
    pub(super) old_year: i32,
    people_over_89: usize,
}

/// The resources of a Bundle, or the resource itself.
pub fn resources(root: Value<'_>) -> Vec<Value<'_>> {
    match root.get("entry") {
        Some(entries) => entries.items().filter_map(|entry| entry.get("resource")).collect(),
        None => vec![root],
    }
}

impl Secrets {
    /// Nothing yet; ages are reckoned to `year`.
    pub fn new(year: i32) -> Self {
        Self {
            by_start: HashMap::new(),
            known: BTreeSet::new(),
            dates: BTreeSet::new(),
            old_year: year - OLD,
            people_over_89: 0,
        }
    }

    /// Takes everything that a Bundle or resource says of people and places.
    pub fn learn(&mut self, text: &str) -> Result<(), Fault> {
        let document = Document::parse(text)?;
        for resource in resources(document.root()) {
            self.resource(resource);
        }
        Ok(())
    }

    /// How many texts of each kind are looked for.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (_, kind) in &self.known {
            *counts.entry(*kind).or_default() += 1;
        }
        counts.insert("date", self.dates.len());
        counts.insert("birth over 89 years ago", self.people_over_89);
        counts
    }

    /// The kind of the text that starts at the start of `rest`, which is in lower case, and its length.
    pub(super) fn starts<'s>(&'s self, run: &str, rest: &str) -> Option<(&'s str, &'static str)> {
        let joined = |text: &str| {
            let after = rest.get(text.len()..).and_then(|rest| rest.chars().next());
            after.is_some_and(char::is_alphanumeric)
                && text.chars().next_back().is_some_and(char::is_alphanumeric)
        };
        let candidates = self.by_start.get(run)?;
        let found = candidates.iter().find(|(text, _)| rest.starts_with(text) && !joined(text))?;
        Some((&found.0, found.1))
    }

    /// Whether a date, to the day or to the month, is one of the originals.
    pub(super) fn is_date(&self, date: &str) -> bool {
        self.dates.contains(date)
    }

    fn add(&mut self, text: &str, kind: &'static str) {
        let text = text.trim().to_lowercase();
        let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
        let run: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
        // Shorter than three characters it is in everything.
        if text.chars().count() < 3 || !self.known.insert((text.to_owned(), kind)) {
            return;
        }
        self.by_start.entry(run).or_default().push((text.to_owned(), kind));
    }

    fn resource(&mut self, resource: Value<'_>) {
        let kind = resource.str_at("resourceType").unwrap_or_default().into_owned();
        self.add(&resource.str_at("id").unwrap_or_default(), "logical id");
        self.element(resource, "");
        if kind == "Patient"
            && let Some(year) = resource.str_at("birthDate")
            && year
                .get(..4)
                .and_then(|year| year.parse().ok())
                .is_some_and(|y: i32| y <= self.old_year)
        {
            self.people_over_89 += 1;
        }
        if !NAMED.contains(&kind.as_str()) {
            return;
        }
        self.person(resource);
        for contact in resource.get("contact").into_iter().flat_map(|list| list.items()) {
            self.person(contact);
        }
        for extension in resource.get("extension").into_iter().flat_map(|list| list.items()) {
            let url = extension.str_at("url").unwrap_or_default().to_lowercase();
            if url.contains("maidenname") {
                self.name(&extension.str_at("valueString").unwrap_or_default());
            }
            self.address(extension.get("valueAddress"));
        }
    }

    fn person(&mut self, holder: Value<'_>) {
        for name in holder.get("name").into_iter().flat_map(|name| name.each()) {
            if let Some(text) = name.as_str() {
                self.add(&text, "name of a place");
            }
            for part in ["family", "given", "text"] {
                for text in name.get(part).into_iter().flat_map(|part| part.each()) {
                    self.name(&text.as_str().unwrap_or_default());
                }
            }
        }
        for address in holder.get("address").into_iter().flat_map(|address| address.each()) {
            self.address(Some(address));
        }
        for telecom in holder.get("telecom").into_iter().flat_map(|telecom| telecom.each()) {
            self.add(&telecom.str_at("value").unwrap_or_default(), "telephone or mail");
        }
    }

    fn name(&mut self, name: &str) {
        for word in name.split(|c: char| !c.is_alphanumeric()) {
            self.add(word, "name");
        }
    }

    fn address(&mut self, address: Option<Value<'_>>) {
        let parts = [("line", "address line"), ("city", "city"), ("district", "district")];
        for (part, kind) in parts.into_iter().chain([("postalCode", "postal code")]) {
            let value = address.and_then(|address| address.get(part));
            for text in value.into_iter().flat_map(|value| value.each()) {
                let text = text.as_str().unwrap_or_default();
                // Synthea's lose the zero that they begin with, and pass for years then.
                let is_year = text.parse().is_ok_and(|year: u32| (1_800..2_100).contains(&year));
                match kind == "postal code" && text.len() == 4 && is_year {
                    true => self.add(&format!("0{text}"), kind),
                    false => self.add(&text, kind),
                }
            }
        }
    }

    /// Identifiers, exact dates and displays of people, wherever they stand.
    fn element(&mut self, value: Value<'_>, name: &str) {
        match value.kind() {
            Kind::Object => {
                if name == "identifier" {
                    self.add(&value.str_at("value").unwrap_or_default(), "identifier");
                }
                if name == "geolocation" || name == "position" {
                    for part in ["latitude", "longitude"] {
                        let number = value.get(part).and_then(|number| number.as_number());
                        // Shorter ones are measured values as well.
                        let number = number.filter(|number| number.len() >= 7);
                        self.add(number.unwrap_or_default(), "position");
                    }
                }
                for member in value.members() {
                    self.element(member.value, &member.name());
                }
            }
            Kind::Array => value.items().for_each(|item| self.element(item, name)),
            Kind::String => {
                let text = value.as_str().unwrap_or_default();
                if is_date(&text) {
                    self.dates.extend(text.get(..7).map(str::to_owned));
                    self.dates.extend(text.get(..10).map(str::to_owned));
                }
            }
            _ => {}
        }
    }
}

/// Whether a text is a date with a month at least, and nothing else.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| {
        bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    digits(0, 4)
        && bytes.get(4) == Some(&b'-')
        && digits(5, 7)
        && (bytes.len() == 7 || (bytes.get(7) == Some(&b'-') && digits(8, 10)))
        && (bytes.len() <= 10 || bytes.get(10) == Some(&b'T'))
}
