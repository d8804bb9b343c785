//! What tells people apart who have no name: their demographics, before and after the recipe, in
//! numbers that stand for texts.

use std::collections::HashMap;

use fhir::{Id, Value};
use privacy::deidentify::anonymity::{Column, Hierarchy, Quasi, Table};

/// By what somebody might be recognised, in order.
pub(super) const QUASI: [&str; 8] =
    ["birth", "sex", "zip", "state", "race", "ethnicity", "marital", "died"];
/// The paths of a Patient from which these are taken, which leave it where the table takes their place.
pub(super) const TAKEN: [&str; 8] = [
    "Patient.birthDate",
    "Patient.gender",
    "Patient.address",
    "Patient.extension",
    "Patient.maritalStatus",
    "Patient.deceased",
    "Patient.multipleBirth",
    "Patient.communication",
];
/// The name of the sensitive value: the code of the condition with the latest date.
pub(super) const SENSITIVE: &str = "latest_condition";
/// The name of the column with the patient's id in the extract.
pub(super) const PATIENT: &str = "patient";

const COUNT: usize = QUASI.len();
const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-";

/// Texts by number.
#[derive(Default)]
struct Texts {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", String::as_str)
    }
}

struct Row {
    patient: Id,
    pseudonym: String,
    before: [u32; COUNT],
    after: [u32; COUNT],
}

/// The demographics of everybody in an extract.
#[derive(Default)]
pub(super) struct Demographics {
    texts: Texts,
    rows: Vec<Row>,
    /// The latest condition of each patient: its date and its code.
    conditions: HashMap<Id, (String, u32)>,
}

/// Which of both tables.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Before,
    After,
}

impl Demographics {
    /// Takes a patient as they are stored and as the recipe leaves them.
    pub(super) fn patient(&mut self, id: &Id, before: Value<'_>, after: Value<'_>) {
        let pseudonym = after.str_at("id").unwrap_or_default().into_owned();
        let before = features(before).map(|text| self.texts.number(&text));
        let after = features(after).map(|text| self.texts.number(&text));
        self.rows.push(Row { patient: id.clone(), pseudonym, before, after });
    }

    /// Takes a condition of a patient.
    pub(super) fn condition(&mut self, patient: &Id, condition: Value<'_>) {
        let dates = ["recordedDate", "onsetDateTime"];
        let date = dates.iter().find_map(|name| condition.str_at(name)).unwrap_or_default();
        let code = condition.path(&["code", "coding"]);
        let code = code.and_then(|codings| codings.items().next()?.str_at("code"));
        let Some(code) = code else { return };
        let is_later = |(known, _): &(String, u32)| known.as_str() <= date.as_ref();
        if self.conditions.get(patient).is_none_or(is_later) {
            let number = self.texts.number(&code);
            self.conditions.insert(patient.clone(), (date.into_owned(), number));
        }
    }

    /// How many patients there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// For each row the number of its class: of rows that are equal in everything.
    pub(super) fn classes(&self, side: Side) -> Vec<u32> {
        let mut known: HashMap<[u32; COUNT], u32> = HashMap::new();
        let number = |row: &Row| {
            let key = match side {
                Side::Before => row.before,
                Side::After => row.after,
            };
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *known.entry(key).or_insert(next)
        };
        self.rows.iter().map(number).collect()
    }

    /// For each row the number of its latest condition; 0 for none.
    pub(super) fn sensitive(&self) -> Vec<u32> {
        let number = |row: &Row| self.conditions.get(&row.patient).map_or(0, |(_, n)| n + 1);
        self.rows.iter().map(number).collect()
    }

    /// The table that leaves, with the patients' ids in it and their latest conditions.
    pub(super) fn table(&self) -> Table {
        let column = |at: usize| {
            let text = |row: &Row| self.texts.text(row.after.get(at).copied().unwrap_or(u32::MAX));
            self.rows.iter().map(|row| text(row).to_owned()).collect()
        };
        let mut columns = vec![Column {
            name: PATIENT.to_owned(),
            values: self.rows.iter().map(|row| row.pseudonym.clone()).collect(),
        }];
        let named =
            |(at, name): (usize, &&str)| Column { name: (**name).to_owned(), values: column(at) };
        columns.extend(QUASI.iter().enumerate().map(named));
        let condition = |row: &Row| {
            let found = self.conditions.get(&row.patient);
            found.map_or(String::new(), |(_, number)| self.texts.text(*number).to_owned())
        };
        let values = self.rows.iter().map(condition).collect();
        columns.push(Column { name: SENSITIVE.to_owned(), values });
        Table { columns }
    }

    /// How each of [`QUASI`] can be made coarser. Years of birth become bands of 5, 10 and 20 years.
    pub(super) fn hierarchies(&self) -> Vec<Quasi> {
        let mut births = self.rows.iter().map(|row| self.texts.text(row.after[0]));
        let years = births.all(|birth| birth.len() <= 4);
        let of = |name: &str| match name {
            "birth" if years => Hierarchy::Bands(vec![5.0, 10.0, 20.0]),
            "birth" | "died" if !years => Hierarchy::Dates,
            "zip" => Hierarchy::Zip,
            _ => Hierarchy::Flat,
        };
        let quasi = |name: &&str| Quasi { column: (**name).to_owned(), hierarchy: of(name) };
        QUASI.iter().map(quasi).collect()
    }
}

/// The demographics of a Patient in the order of [`QUASI`]; empty where there are none.
fn features(patient: Value<'_>) -> [String; COUNT] {
    let text = |value: Option<std::borrow::Cow<'_, str>>| value.unwrap_or_default().into_owned();
    let first = |name: &str| patient.get(name).and_then(|list| list.items().next());
    let address = |name: &str| text(first("address").and_then(|address| address.str_at(name)));
    let marital = patient.path(&["maritalStatus", "coding"]);
    let marital = marital.and_then(|codings| codings.items().next()?.str_at("code"));
    let died = match patient.str_at("deceasedDateTime") {
        Some(date) => date.into_owned(),
        None => patient.get("deceasedBoolean").map_or(String::new(), |flag| flag.raw().to_owned()),
    };
    [
        text(patient.str_at("birthDate")),
        text(patient.str_at("gender")),
        address("postalCode"),
        address("state"),
        category(patient, "race"),
        category(patient, "ethnicity"),
        text(marital),
        died,
    ]
}

/// The codes of the categories of an extension of US Core, joined.
fn category(patient: Value<'_>, name: &str) -> String {
    let url = format!("{US_CORE}{name}");
    let all = patient.get("extension").into_iter().flat_map(|list| list.items());
    let of_it = all.filter(|one| one.get("url").is_some_and(|found| found.is_str(&url)));
    let parts =
        of_it.flat_map(|one| one.get("extension").into_iter().flat_map(|list| list.items()));
    let codes =
        parts.filter_map(|part| Some(part.path(&["valueCoding"])?.str_at("code")?.into_owned()));
    codes.collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use fhir::Document;

    use super::*;

    fn add(all: &mut Demographics, id: &str, before: &str, after: &str) {
        let (before, after) = (Document::parse(before).unwrap(), Document::parse(after).unwrap());
        all.patient(&Id::new(id).unwrap(), before.root(), after.root());
    }

    #[test]
    fn classes_are_of_rows_that_look_alike() {
        let mut all = Demographics::default();
        let whole = r#"{"id":"1","birthDate":"1970-01-02","gender":"female","address":[{"postalCode":"01545","state":"MA"}]}"#;
        let other = r#"{"id":"2","birthDate":"1970-11-02","gender":"female","address":[{"postalCode":"01546","state":"MA"}]}"#;
        let left = r#"{"id":"a","birthDate":"1970","gender":"female","address":[{"postalCode":"015","state":"MA"}]}"#;
        add(&mut all, "1", whole, left);
        add(&mut all, "2", other, &left.replace("\"a\"", "\"b\""));
        assert_eq!(all.classes(Side::Before), [0, 1]);
        assert_eq!(all.classes(Side::After), [0, 0]);
        let condition = |date: &str, code: &str| {
            let text =
                format!(r#"{{"recordedDate":"{date}","code":{{"coding":[{{"code":"{code}"}}]}}}}"#);
            Document::parse(text).unwrap()
        };
        let one = Id::new("1").unwrap();
        all.condition(&one, condition("2020-05-01", "new").root());
        all.condition(&one, condition("2001-05-01", "old").root());
        let table = all.table();
        assert_eq!(table.column(SENSITIVE).unwrap().values, ["new", ""]);
        assert_eq!(table.column(PATIENT).unwrap().values, ["a", "b"]);
        assert_eq!(table.column("zip").unwrap().values, ["015", "015"]);
        assert_eq!(all.sensitive()[1], 0);
    }

    #[test]
    fn categories_of_race_are_read() {
        let text = format!(
            r#"{{"extension":[{{"url":"{US_CORE}race","extension":[{{"url":"ombCategory","valueCoding":{{"code":"2106-3"}}}},{{"url":"text","valueString":"White"}}]}}]}}"#
        );
        assert_eq!(features(Document::parse(text).unwrap().root())[4], "2106-3");
    }
}
