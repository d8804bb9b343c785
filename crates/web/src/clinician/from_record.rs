//! The record page out of the record engine: [`record::Record`] in, [`RecordView`] out.
//!
//! Nothing is decided here that is a matter of medicine: what is the same fact, what disagrees
//! and what is active comes from the engine. This file chooses words for the page.

mod reading;

use record::{ConflictKind as Kinds, ItemRef, Moment, Severity, View};

use self::reading::{STATED_AT, address, concept, identifiers, phone, statement, text};
use super::record::{
    Access, Audience, Body, Claim, Conflict, ConflictKind, Document, Event, Flag, Measure, Person,
    RecordView, Row, Source, SourceState, Visit, VisitClass,
};
use crate::parts::{SourceChip, Trend};
use crate::terms::{Kind, Mark, Sex, Touched};
use crate::when::When;

/// Claims shown of one conflict.
const CLAIMS_MAX: usize = 8;

/// What a page needs beside the record itself.
#[derive(Clone, Debug)]
pub struct Assembly<'a> {
    /// What has arrived so far.
    pub record: &'a record::Record,
    /// How each source answered; a source without a status is still being asked.
    pub statuses: &'a [record::SourceStatus],
    /// How long each source took, in milliseconds, by its number in the record.
    pub took_ms: &'a [Option<u64>],
    /// For whom the page is.
    pub audience: Audience,
    /// The patient's id at this node.
    pub patient_id: &'a str,
    /// On which grounds other organisations are asked.
    pub access: Option<Access>,
    /// Where a possible match is decided, for readers who may decide.
    pub review: Option<String>,
    /// When the newest answer came in, Unix epoch milliseconds.
    pub as_of_ms: i64,
    /// Whether every item is to be shown.
    pub all: bool,
}

/// The page of what has arrived so far. It may be made again with each answer.
pub fn view(assembly: &Assembly<'_>) -> RecordView {
    let view = assembly.record.view();
    let summary = &view.summary;
    let maker = Maker { record: assembly.record, view: &view };
    let (problems, past_problems) = maker.split("problem", &summary.problems);
    let (medications, past_medications) = maker.split("medication", &summary.medications);
    let sources = sources(assembly);
    RecordView {
        audience: assembly.audience,
        patient: maker.person(assembly.patient_id),
        access: assembly.access.clone(),
        live: sources.iter().any(|source| source.state == SourceState::Asking),
        sources,
        as_of_ms: assembly.as_of_ms,
        all: assembly.all,
        conflicts: maker.conflicts(),
        problems,
        past_problems,
        medications,
        past_medications,
        allergies: maker.rows("allergy", &summary.allergies),
        vitals: maker.measures("vital", &summary.vitals),
        labs: maker.measures("lab", &summary.labs),
        observations: maker.measures("observation", &summary.observations),
        vaccinations: maker.rows("vaccination", &summary.immunizations),
        procedures: maker.rows("procedure", &summary.procedures),
        timeline: maker.timeline(),
        documents: maker.documents(),
        encounters: maker.visits(),
        unlisted: unlisted(summary),
    }
}

fn sources(assembly: &Assembly<'_>) -> Vec<Source> {
    let record = assembly.record;
    let each = record.sources().iter().enumerate();
    each.map(|(number, source)| {
        let items = record.count(number);
        let status = assembly.statuses.iter().rev().find(|status| status.source == number);
        let state = status.map(|status| match status.state {
            record::SourceState::Answered => SourceState::Answered { items },
            record::SourceState::NoMatch => SourceState::NoMatch,
            record::SourceState::PossibleMatch => {
                SourceState::PossibleMatch { review: assembly.review.clone() }
            }
            record::SourceState::Withheld => SourceState::Withheld,
            record::SourceState::TimedOut => SourceState::TimedOut,
            record::SourceState::Partial => SourceState::Partial { items, of: status.expected },
            record::SourceState::Unreachable => SourceState::Unreachable,
            record::SourceState::Refused => SourceState::Refused,
            record::SourceState::NotAsked => SourceState::NotAsked,
        });
        Source {
            chip: chip(number, source),
            here: number == 0,
            state: state.unwrap_or(SourceState::Asking),
            took_ms: assembly.took_ms.get(number).copied().flatten(),
            notes: status.map(|status| status.notes.clone()).unwrap_or_default(),
        }
    })
    .collect()
}

fn chip(number: usize, source: &record::Source) -> SourceChip {
    SourceChip {
        short: source.org.clone(),
        name: source.name.clone(),
        hue: u8::try_from(number % 8).unwrap_or(0),
    }
}

/// Makes the parts of the page from one view of a record.
struct Maker<'a> {
    record: &'a record::Record,
    view: &'a View,
}

impl Maker<'_> {
    fn chip_of(&self, item: ItemRef) -> Option<SourceChip> {
        let number = self.record.item(item)?.source;
        self.record.sources().get(number).map(|source| chip(number, source))
    }

    /// The sources of some items, each once, this hospital first.
    fn chips(&self, items: &[ItemRef]) -> Vec<SourceChip> {
        let mut numbers: Vec<usize> =
            items.iter().filter_map(|item| Some(self.record.item(*item)?.source)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let sources = self.record.sources();
        numbers.into_iter().filter_map(|n| sources.get(n).map(|s| chip(n, s))).collect()
    }

    fn split(&self, kind: &str, section: &record::Section<record::Row>) -> (Vec<Row>, Vec<Row>) {
        let made = self.rows(kind, section);
        let (mut present, mut past) = (Vec::new(), Vec::new());
        for (row, source) in made.into_iter().zip(&section.rows) {
            if source.active { present.push(row) } else { past.push(row) }
        }
        (present, past)
    }

    fn rows(&self, kind: &str, section: &record::Section<record::Row>) -> Vec<Row> {
        let numbered = section.rows.iter().enumerate();
        numbered.map(|(number, row)| self.row(format!("{kind}-{}", number + 1), row)).collect()
    }

    fn row(&self, id: String, row: &record::Row) -> Row {
        let mut marks: Vec<Mark> = Mark::from_code(&row.status)
            // In a list of what is present, `active` on every row says nothing.
            .filter(|mark| !matches!(mark, Mark::Active | Mark::Final | Mark::Completed))
            .into_iter()
            .collect();
        let detail = row.detail.clone().unwrap_or_default();
        let (detail, criticality) = without_criticality(&detail);
        if criticality {
            marks.push(Mark::HighCriticality);
        }
        let sources = self.chips(&row.origin.items);
        let from = when(row.date.as_ref());
        Row {
            id,
            text: without_tag(&row.title).to_owned(),
            detail,
            when: from,
            until: until(from.as_ref(), row.end.as_ref()),
            marks,
            originals: match sources.len() {
                0 | 1 => Vec::new(),
                _ => self.claims(&row.origin.items),
            },
            sources,
            conflict: conflict_id(&row.origin),
        }
    }

    /// What each item says, in the words of its source.
    fn claims(&self, items: &[ItemRef]) -> Vec<Claim> {
        let each = items.iter().take(CLAIMS_MAX);
        each.filter_map(|item| {
            let root = self.record.item(*item)?.resource.root();
            Some(Claim {
                source: self.chip_of(*item)?,
                text: statement(root),
                when: STATED_AT.iter().find_map(|path| When::parse(&text(root.path(path)?)?)),
            })
        })
        .collect()
    }

    fn conflicts(&self) -> Vec<Conflict> {
        let numbered = self.view.conflicts.iter().enumerate();
        numbered
            .map(|(number, conflict)| Conflict {
                id: format!("conflict-{}", number + 1),
                kind: conflict_kind(conflict.kind),
                grave: conflict.severity == Severity::High,
                about: conflict
                    .items
                    .iter()
                    .find_map(|item| concept(self.record.item(*item)?.resource.root()))
                    .unwrap_or_default(),
                claims: self.claims(&conflict.items),
            })
            .collect()
    }

    fn measures(&self, kind: &str, section: &record::Section<record::Measurement>) -> Vec<Measure> {
        let numbered = section.rows.iter().enumerate();
        numbered
            .map(|(number, row)| Measure {
                id: format!("{kind}-{}", number + 1),
                name: row.title.clone(),
                value: without_tag(&row.value).to_owned(),
                unit: unit(&row.unit).to_owned(),
                flag: flag(row.flag),
                when: when(row.date.as_ref()),
                trend: trend(row),
                reference: row.range.as_ref().and_then(|r| r.text.clone()).unwrap_or_default(),
                sources: self.chips(&row.origin.items),
                conflict: conflict_id(&row.origin),
            })
            .collect()
    }

    fn documents(&self) -> Vec<Document> {
        let numbered = self.view.summary.documents.rows.iter().enumerate();
        numbered
            .map(|(number, row)| Document {
                id: format!("document-{}", number + 1),
                title: row.title.clone(),
                when: when(row.date.as_ref()),
                author: row.author.clone().unwrap_or_default(),
                body: match &row.text {
                    Some(text) => Body::Text { text: text.clone(), cut: row.is_cut },
                    None => Body::Absent,
                },
                sources: self.chips(&row.origin.items),
            })
            .collect()
    }

    fn visits(&self) -> Vec<Visit> {
        let rows = self.view.summary.encounters.rows.iter();
        rows.map(|row| {
            let root = row.origin.items.first().and_then(|item| self.record.item(*item));
            let class = root.and_then(|item| text(item.resource.root().path(&["class", "code"])?));
            let from = when(row.date.as_ref());
            Visit {
                until: until(from.as_ref(), row.end.as_ref()),
                when: from,
                class: VisitClass::from_code(class.as_deref().unwrap_or_default()),
                text: without_tag(&row.title).to_owned(),
                place: row.detail.clone().unwrap_or_default(),
                sources: self.chips(&row.origin.items),
            }
        })
        .collect()
    }

    /// Everything with a date, newest first.
    fn timeline(&self) -> Vec<Event> {
        let summary = &self.view.summary;
        let sections = [
            &summary.problems,
            &summary.medications,
            &summary.allergies,
            &summary.immunizations,
            &summary.procedures,
            &summary.encounters,
            &summary.reports,
            &summary.other,
        ];
        let mut events: Vec<(i64, Event)> = Vec::new();
        for row in sections.into_iter().flat_map(|section| &section.rows) {
            let Some(at) = row.date.as_ref() else { continue };
            events.extend(self.event(
                at,
                &row.type_name,
                &row.title,
                row.detail.as_deref().map(|detail| without_criticality(detail).0),
                &row.origin,
            ));
        }
        for row in &summary.documents.rows {
            let Some(at) = row.date.as_ref() else { continue };
            let author = row.author.clone();
            events.extend(self.event(at, &row.type_name, &row.title, author, &row.origin));
        }
        events.sort_by_key(|(start_ms, _)| std::cmp::Reverse(*start_ms));
        events.into_iter().map(|(_, event)| event).collect()
    }

    fn event(
        &self,
        at: &Moment,
        type_name: &str,
        title: &str,
        detail: Option<String>,
        origin: &record::Origin,
    ) -> Option<(i64, Event)> {
        let event = Event {
            when: When::parse(&at.text)?,
            kind: Kind::from_type(type_name),
            text: without_tag(title).to_owned(),
            detail: detail.unwrap_or_default(),
            sources: self.chips(&origin.items),
        };
        Some((at.start_ms, event))
    }

    fn person(&self, id: &str) -> Person {
        let found = self.view.summary.person.clone().unwrap_or_default();
        // The engine lists this hospital's own entry first.
        let own = found.origin.items.iter().find_map(|item| self.record.item(*item));
        let root = own.map(|item| item.resource.root());
        let first = |path: &[&str]| root.and_then(|root| text(root.path(path)?));
        Person {
            id: id.to_owned(),
            name: format!("{} {}", found.given, found.family).trim().to_owned(),
            birth: found.birth_date.as_deref().and_then(When::parse),
            sex: Sex::from_code(found.gender.as_deref().unwrap_or_default()),
            deceased: found
                .deceased
                .then(|| first(&["deceasedDateTime"]).and_then(|at| When::parse(&at))),
            identifiers: root.map(identifiers).unwrap_or_default(),
            address: root.and_then(address).unwrap_or_default(),
            phone: root.and_then(phone).unwrap_or_default(),
        }
    }
}

fn unlisted(summary: &record::Summary) -> Vec<Touched> {
    let mut found: Vec<Touched> = Vec::new();
    for (type_name, count) in &summary.unshown {
        let kind = Kind::from_type(type_name);
        match found.iter_mut().find(|touched| touched.kind == kind) {
            Some(touched) => touched.count += count,
            None => found.push(Touched { kind, count: *count }),
        }
    }
    let beyond = [
        summary.problems.total - summary.problems.rows.len(),
        summary.medications.total - summary.medications.rows.len(),
        summary.encounters.total - summary.encounters.rows.len(),
        summary.reports.total - summary.reports.rows.len(),
        summary.documents.total - summary.documents.rows.len(),
        summary.procedures.total - summary.procedures.rows.len(),
    ];
    let kinds = [
        Kind::Problem,
        Kind::Medication,
        Kind::Visit,
        Kind::Report,
        Kind::Document,
        Kind::Procedure,
    ];
    for (count, kind) in beyond.into_iter().zip(kinds) {
        if count > 0 {
            found.push(Touched { kind, count });
        }
    }
    found
}

fn conflict_kind(kind: Kinds) -> ConflictKind {
    match kind {
        Kinds::AllergyDenied => ConflictKind::AllergyDenied,
        Kinds::AllergyStatus => ConflictKind::AllergyStatus,
        Kinds::BloodGroup => ConflictKind::BloodGroup,
        Kinds::Demographics => ConflictKind::Person,
        Kinds::MedicationStopped => ConflictKind::MedicationStopped,
        Kinds::DoseDiffers => ConflictKind::Dose,
        Kinds::ConditionStatus => ConflictKind::ProblemStatus,
        Kinds::ResultDiffers => ConflictKind::Result,
        Kinds::Retracted => ConflictKind::Retracted,
    }
}

fn conflict_id(origin: &record::Origin) -> Option<String> {
    origin.conflicts.first().map(|number| format!("conflict-{}", number + 1))
}

fn flag(flag: Option<record::Flag>) -> Flag {
    match flag {
        None => Flag::None,
        Some(record::Flag::Low) => Flag::Low,
        Some(record::Flag::CriticalLow) => Flag::CriticalLow,
        Some(record::Flag::High) => Flag::High,
        Some(record::Flag::CriticalHigh) => Flag::CriticalHigh,
        Some(record::Flag::Abnormal) => Flag::Abnormal,
        Some(record::Flag::Normal) => Flag::Normal,
    }
}

fn trend(row: &record::Measurement) -> Trend {
    let bound = |text: Option<&String>| text.and_then(|text| text.parse::<f64>().ok());
    let range = row.range.as_ref();
    Trend {
        series: row
            .series
            .iter()
            .map(|series| series.points.iter().map(|point| (point.at_ms, point.value)).collect())
            .collect(),
        low: bound(range.and_then(|range| range.low.as_ref())),
        high: bound(range.and_then(|range| range.high.as_ref())),
    }
}

fn when(moment: Option<&Moment>) -> Option<When> {
    moment.and_then(|moment| When::parse(&moment.text))
}

/// The end of something, where it tells more than its beginning.
fn until(from: Option<&When>, end: Option<&Moment>) -> Option<When> {
    when(end).filter(|to| from.is_none_or(|from| to.start_ms() - from.start_ms() >= 86_400_000))
}

/// SNOMED CT names carry their semantic tag in brackets, which tells machines what a reader sees
/// anyway (SNOMED CT Editorial Guide, fully specified names).
fn without_tag(title: &str) -> &str {
    const TAGS: [&str; 10] = [
        "disorder",
        "finding",
        "procedure",
        "situation",
        "qualifier value",
        "physical object",
        "regime/therapy",
        "substance",
        "event",
        "product",
    ];
    let tagged = title.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("));
    match tagged {
        Some((name, tag)) if TAGS.contains(&tag) => name,
        _ => title,
    }
}

/// A unit as people write it, where its UCUM code is meant for machines (UCUM table of print
/// symbols); any other unit stays as it is.
fn unit(code: &str) -> &str {
    match code {
        "mm[Hg]" => "mmHg",
        "Cel" => "°C",
        "kg/m2" => "kg/m²",
        "10*3/uL" => "10³/µL",
        "10*6/uL" => "10⁶/µL",
        "{score}" | "[pH]" | "1" => "",
        "mL/min/{1.73_m2}" => "mL/min/1.73 m²",
        _ => code,
    }
}

/// The engine writes criticality into the detail; the page marks the dangerous one.
fn without_criticality(detail: &str) -> (String, bool) {
    let (mut kept, mut high) = (Vec::new(), false);
    for part in detail.split(", ") {
        match part.strip_prefix("criticality ") {
            Some(code) => high |= code == "high",
            None => kept.push(without_tag(part)),
        }
    }
    (kept.join(", "), high)
}
