//! What a page shows of a record: plain rows, each of which knows the items it stands for.

mod document;
mod measurement;
mod row;

use crate::entry::Entry;
use crate::fact::Kind;
use crate::record::{ItemRef, Record};
use crate::view::Analysis;

/// Rows of one section.
pub(crate) const MAX_ROWS: usize = 500;
/// Types that other rows stand on and that are not rows themselves; they are counted.
const SUPPORTING: [&str; 21] = [
    "Account",
    "AuditEvent",
    "Claim",
    "ClaimResponse",
    "Coverage",
    "ExplanationOfBenefit",
    "Group",
    "Invoice",
    "List",
    "Location",
    "Media",
    "Medication",
    "Organization",
    "Patient",
    "PaymentNotice",
    "PaymentReconciliation",
    "Practitioner",
    "PractitionerRole",
    "Provenance",
    "RelatedPerson",
    "Specimen",
];

/// A page's view of the record.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The person, as the asking organisation knows them, otherwise as the first source does.
    pub person: Option<Person>,
    /// Problems (Condition): active first, then newest.
    pub problems: Section<Row>,
    /// Medicines (MedicationRequest, MedicationStatement): active first, then newest.
    pub medications: Section<Row>,
    /// Allergies, and statements that there are none: active first, then newest.
    pub allergies: Section<Row>,
    /// Vital signs: the latest of each kind, newest first.
    pub vitals: Section<Measurement>,
    /// Laboratory results: the latest of each kind, newest first.
    pub labs: Section<Measurement>,
    /// All other observations: social history, surveys, examinations.
    pub observations: Section<Measurement>,
    /// Vaccinations, newest first.
    pub immunizations: Section<Row>,
    /// Procedures, newest first.
    pub procedures: Section<Row>,
    /// Encounters, newest first.
    pub encounters: Section<Row>,
    /// Documents, and reports with a text of their own, newest first.
    pub documents: Section<Document>,
    /// Reports that only list results, newest first.
    pub reports: Section<Row>,
    /// Everything else that is about the patient's care.
    pub other: Section<Row>,
    /// Items that no row shows (bills, organisations, practitioners …): type and count.
    pub unshown: Vec<(String, usize)>,
}

/// The first rows of a section and how many there are in all.
#[derive(Clone, Debug)]
pub struct Section<T> {
    /// At most 500 rows.
    pub rows: Vec<T>,
    /// How many there are, the ones left out included.
    pub total: usize,
}

impl<T> Default for Section<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0 }
    }
}

impl<T> Section<T> {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Where a row comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The items: more than one where they state the same fact.
    pub items: Vec<ItemRef>,
    /// Names of the organisations, each once.
    pub sources: Vec<String>,
    /// Places in [`crate::View::conflicts`] of the conflicts that concern these items.
    pub conflicts: Vec<usize>,
}

/// A date as it was written, with its place on the time line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// FHIR `date` or `dateTime`.
    pub text: String,
    /// Its first millisecond since the Unix epoch.
    pub start_ms: i64,
}

/// One problem, medicine, allergy, vaccination, procedure, encounter, report or other item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Resource type.
    pub type_name: String,
    /// What it is.
    pub title: String,
    /// `system|code` of the first coding, where there is one.
    pub code: Option<String>,
    /// The status code, such as `active` or `entered-in-error`; empty where there is none.
    pub status: String,
    /// Whether it holds for now.
    pub active: bool,
    /// More in words: dose, reaction, reason, place.
    pub detail: Option<String>,
    /// When it was or began.
    pub date: Option<Moment>,
    /// When it ended.
    pub end: Option<Moment>,
    /// Where it comes from.
    pub origin: Origin,
}

/// The latest value of one kind of observation, and how it got there.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// What was measured.
    pub title: String,
    /// `system|code` of the first coding, where there is one.
    pub code: Option<String>,
    /// The latest value without its unit, `120/80` for a blood pressure.
    pub value: String,
    /// The unit, empty where there is none or each part has its own.
    pub unit: String,
    /// Status of the latest, `final` for example.
    pub status: String,
    /// When the latest was taken.
    pub date: Option<Moment>,
    /// The reference range that came with the latest.
    pub range: Option<ReferenceRange>,
    /// What the interpretation or the range says of the latest.
    pub flag: Option<Flag>,
    /// Points over time in the unit of the latest, one series for each part, at most four.
    pub series: Vec<Series>,
    /// How many measurements of this kind there are, the same fact counted once.
    pub count: usize,
    /// Where the latest comes from; conflicts are those of any measurement of this kind.
    pub origin: Origin,
}

/// A line of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name of the part, empty where the measurement has one part only.
    pub title: String,
    /// Unit of every point.
    pub unit: String,
    /// At most the 200 newest points, oldest first.
    pub points: Vec<Point>,
}

/// One point of a trend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The value, for drawing only.
    pub value: f64,
    /// The item that states it.
    pub item: ItemRef,
}

/// The range within which a result is expected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferenceRange {
    /// Lower bound as written.
    pub low: Option<String>,
    /// Upper bound as written.
    pub high: Option<String>,
    /// The range in words.
    pub text: Option<String>,
}

/// What a result is in relation to what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// Below the range.
    Low,
    /// So low that it needs action now.
    CriticalLow,
    /// Above the range.
    High,
    /// So high that it needs action now.
    CriticalHigh,
    /// Abnormal in a way that has no direction.
    Abnormal,
    /// As expected.
    Normal,
}

/// A document or a report with text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Resource type.
    pub type_name: String,
    /// What kind of document it is.
    pub title: String,
    /// Status code.
    pub status: String,
    /// When it was written.
    pub date: Option<Moment>,
    /// Who wrote it, as far as the item says.
    pub author: Option<String>,
    /// Media type of the content.
    pub content_type: Option<String>,
    /// The text where it is inline `text/plain`, at most 20,000 characters.
    pub text: Option<String>,
    /// Whether `text` was cut.
    pub is_cut: bool,
    /// Where it comes from.
    pub origin: Origin,
}

/// Who the record is about, as one source has it; see the conflicts for what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Family name.
    pub family: String,
    /// Given names.
    pub given: String,
    /// `birthDate` as written.
    pub birth_date: Option<String>,
    /// Code of FHIR R4 administrative gender.
    pub gender: Option<String>,
    /// Whether the person is recorded as dead.
    pub deceased: bool,
    /// All Patient items of the record.
    pub origin: Origin,
}

/// One fact: the entries of one group.
pub(crate) struct Fused<'e, 'a> {
    /// The entry the row is read from: one that holds for now before one that does not, then the
    /// newest.
    pub lead: &'e Entry<'a>,
    pub members: Vec<&'e Entry<'a>>,
}

impl Fused<'_, '_> {
    pub fn kind(&self) -> Kind {
        self.lead.fact.kind
    }

    pub fn start_ms(&self) -> i64 {
        self.lead.fact.start.as_ref().map_or(i64::MIN, |when| when.start_ms)
    }
}

/// Fills the summary from groups of equal facts.
pub(crate) fn summarise(record: &Record, analysis: &Analysis<'_>) -> Summary {
    let origins = row::Origins::of(record, analysis);
    let facts: Vec<Fused<'_, '_>> = analysis
        .groups
        .members
        .iter()
        .filter_map(|members| fuse(members, &analysis.entries))
        .collect();
    let rows = |wanted: &dyn Fn(&Fused<'_, '_>) -> bool| {
        row::section(facts.iter().filter(|fact| wanted(fact)), &origins)
    };
    let of_kind = |kind: Kind| rows(&|fact: &Fused<'_, '_>| fact.kind() == kind);
    let texts = document::Texts::of(&facts);
    let is_other = |fact: &Fused<'_, '_>| {
        matches!(fact.kind(), Kind::Other) && !SUPPORTING.contains(&fact.lead.type_name)
    };
    let measured =
        |category: measurement::Category| measurement::section(&facts, category, &origins);
    Summary {
        person: row::person(&facts, &origins),
        problems: of_kind(Kind::Condition),
        medications: of_kind(Kind::Medication),
        allergies: of_kind(Kind::Allergy),
        vitals: measured(measurement::Category::Vital),
        labs: measured(measurement::Category::Laboratory),
        observations: measured(measurement::Category::Rest),
        immunizations: of_kind(Kind::Immunization),
        procedures: of_kind(Kind::Procedure),
        encounters: of_kind(Kind::Encounter),
        documents: document::section(&facts, &texts, &origins),
        reports: rows(&|fact| fact.kind() == Kind::Report && fact.lead.fact.contents.is_empty()),
        other: rows(&is_other),
        unshown: unshown(analysis),
    }
}

fn fuse<'e, 'a>(members: &[usize], entries: &'e [Entry<'a>]) -> Option<Fused<'e, 'a>> {
    let members: Vec<&Entry<'_>> = members.iter().filter_map(|&at| entries.get(at)).collect();
    let rank = |entry: &&&Entry<'_>| {
        let start = entry.fact.start.as_ref().map_or(i64::MIN, |when| when.start_ms);
        (!entry.fact.is_retracted(), entry.fact.is_active(), start)
    };
    // Of equals the first one wins, which is the one of the earliest source.
    let lead = members.iter().rev().max_by_key(rank).copied()?;
    Some(Fused { lead, members })
}

fn unshown(analysis: &Analysis<'_>) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for entry in &analysis.entries {
        if SUPPORTING.contains(&entry.type_name) && entry.type_name != "Patient" {
            *counts.entry(entry.type_name.to_owned()).or_insert(0) += 1;
        }
    }
    counts.into_iter().collect()
}
