//! What the record page shows: plain data, filled by [`crate::clinician::from_record`].

use crate::parts::{SourceChip, Trend};
use crate::terms::{Kind, Mark, Purpose, Sex, Touched};
use crate::when::When;

/// The record as the page shows it.
#[derive(Clone, Debug)]
pub struct RecordView {
    /// For whom the page is.
    pub audience: Audience,
    /// Whose record it is.
    pub patient: Person,
    /// On which grounds other organisations are asked; `None` for the patient's own page and
    /// where only this hospital's own record is shown.
    pub access: Option<Access>,
    /// Every source, this hospital first.
    pub sources: Vec<Source>,
    /// When the newest answer came in, Unix epoch milliseconds.
    pub as_of_ms: i64,
    /// Whether more answers will be sent as events.
    pub live: bool,
    /// Whether every item is shown.
    pub all: bool,
    /// What the sources disagree about, the gravest first.
    pub conflicts: Vec<Conflict>,
    /// Present problems, most important first.
    pub problems: Vec<Row>,
    /// Problems of the past.
    pub past_problems: Vec<Row>,
    /// Present medications.
    pub medications: Vec<Row>,
    /// Medications of the past.
    pub past_medications: Vec<Row>,
    /// Allergies and intolerances, dangerous ones first.
    pub allergies: Vec<Row>,
    /// The latest vital signs.
    pub vitals: Vec<Measure>,
    /// The latest laboratory results.
    pub labs: Vec<Measure>,
    /// Vaccinations, newest first.
    pub vaccinations: Vec<Row>,
    /// Procedures, newest first.
    pub procedures: Vec<Row>,
    /// Other observations, such as social history.
    pub observations: Vec<Measure>,
    /// Everything that happened, newest first.
    pub timeline: Vec<Event>,
    /// Documents, newest first.
    pub documents: Vec<Document>,
    /// Visits and stays, newest first.
    pub encounters: Vec<Visit>,
    /// Items of the record that no list shows, such as bills.
    pub unlisted: Vec<Touched>,
}

/// For whom a record page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A clinician.
    Clinician,
    /// The patient.
    Patient,
}

/// Whose record it is.
#[derive(Clone, Debug)]
pub struct Person {
    /// The patient's id at this node.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Birth date.
    pub birth: Option<When>,
    /// Administrative gender.
    pub sex: Sex,
    /// Death, where it is known; the time of death where that is known too.
    pub deceased: Option<Option<When>>,
    /// Identifiers a person may compare: what it is, and its value.
    pub identifiers: Vec<(String, String)>,
    /// Address in one line, empty when unknown.
    pub address: String,
    /// Telephone number, empty when unknown.
    pub phone: String,
}

/// On which grounds other organisations are asked.
#[derive(Clone, Debug)]
pub struct Access {
    /// The purpose of use.
    pub purpose: Purpose,
    /// The evidence: a visit, an appointment, or the reason stated.
    pub evidence: String,
    /// End of an emergency access, Unix epoch milliseconds.
    pub break_glass_until_ms: Option<i64>,
}

/// One source of the record.
#[derive(Clone, Debug)]
pub struct Source {
    /// How the source is named beside an item.
    pub chip: SourceChip,
    /// Whether it is this hospital itself.
    pub here: bool,
    /// What came of the question.
    pub state: SourceState,
    /// How long the answer took, in milliseconds.
    pub took_ms: Option<u64>,
    /// Why it did not answer, and what it asks of whoever reads on.
    pub notes: Vec<String>,
}

/// What came of the question to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// No answer yet.
    Asking,
    /// It answered with so many items.
    Answered {
        /// How many items it holds.
        items: usize,
    },
    /// It does not know the patient.
    NoMatch,
    /// It may know the patient; a person must decide.
    PossibleMatch {
        /// The page on which that is decided, where the reader may decide.
        review: Option<String>,
    },
    /// It holds something it may not show.
    Withheld,
    /// It did not answer in time.
    TimedOut,
    /// It answered with only a part.
    Partial {
        /// Items received.
        items: usize,
        /// Items it says it has, where it says so.
        of: Option<usize>,
    },
    /// It could not be reached.
    Unreachable,
    /// Its answer was not accepted because it could not prove who it is.
    Refused,
    /// It was not asked: it has published that it knows nobody like the patient.
    NotAsked,
}

/// Something the sources disagree about.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// Id of its place on the page.
    pub id: String,
    /// In which respect they disagree.
    pub kind: ConflictKind,
    /// Whether serious harm may follow.
    pub grave: bool,
    /// What it is about, such as the name of a medication.
    pub about: String,
    /// What each says.
    pub claims: Vec<Claim>,
}

/// In which respect sources disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// An allergy at one source; none known, or the same refuted, at another.
    AllergyDenied,
    /// An allergy active at one source and past at another.
    AllergyStatus,
    /// Blood groups differ.
    BloodGroup,
    /// Name, birth date, sex or death of the person differ.
    Person,
    /// A medicine active at one source and stopped at another.
    MedicationStopped,
    /// The same medicine in different strength or dose.
    Dose,
    /// A problem active at one source and past at another.
    ProblemStatus,
    /// One measurement with two values.
    Result,
    /// One source holds what another has marked as entered in error.
    Retracted,
}

/// What one source says in a conflict.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Who says it.
    pub source: SourceChip,
    /// What it says.
    pub text: String,
    /// As of when.
    pub when: Option<When>,
}

/// An item of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// Id of its place on the page.
    pub id: String,
    /// What it is.
    pub text: String,
    /// More about it: dose, reaction, place. Empty when there is nothing.
    pub detail: String,
    /// When it was or began.
    pub when: Option<When>,
    /// When it ended.
    pub until: Option<When>,
    /// Status, certainty, severity.
    pub marks: Vec<Mark>,
    /// Where it comes from.
    pub sources: Vec<SourceChip>,
    /// What each source recorded, where several recorded the same.
    pub originals: Vec<Claim>,
    /// Id of the [`Conflict`] it takes part in.
    pub conflict: Option<String>,
}

/// A measurement: its latest value and its course.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Id of its place on the page.
    pub id: String,
    /// What is measured.
    pub name: String,
    /// The latest value as it was recorded.
    pub value: String,
    /// Its unit, empty when it has none.
    pub unit: String,
    /// Where the value lies.
    pub flag: Flag,
    /// When it was measured.
    pub when: Option<When>,
    /// The course.
    pub trend: Trend,
    /// The reference range in the words of its source, used where [`Trend`] has no bounds.
    pub reference: String,
    /// Where the values come from.
    pub sources: Vec<SourceChip>,
    /// Id of the [`Conflict`] it takes part in.
    pub conflict: Option<String>,
}

/// Where a value lies with respect to its reference range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flag {
    /// Nothing is known.
    #[default]
    None,
    /// Inside.
    Normal,
    /// Below.
    Low,
    /// Above.
    High,
    /// Dangerously far below.
    CriticalLow,
    /// Dangerously far above.
    CriticalHigh,
    /// Outside, without a direction.
    Abnormal,
}

/// An entry of the timeline.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub when: When,
    /// What kind.
    pub kind: Kind,
    /// What.
    pub text: String,
    /// More about it, empty when there is nothing.
    pub detail: String,
    /// Where it comes from.
    pub sources: Vec<SourceChip>,
}

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Id of its place on the page.
    pub id: String,
    /// Title.
    pub title: String,
    /// Date.
    pub when: Option<When>,
    /// Author, empty when unknown.
    pub author: String,
    /// The content.
    pub body: Body,
    /// Where it comes from.
    pub sources: Vec<SourceChip>,
}

/// The content of a document.
#[derive(Clone, Debug)]
pub enum Body {
    /// Plain text, read in place.
    Text {
        /// The text.
        text: String,
        /// Whether it is longer at its source.
        cut: bool,
    },
    /// A file to open.
    File {
        /// Where it is.
        path: String,
        /// Its media type.
        content_type: String,
    },
    /// The source sent no content.
    Absent,
}

/// A visit or stay.
#[derive(Clone, Debug)]
pub struct Visit {
    /// When it began.
    pub when: Option<When>,
    /// When it ended.
    pub until: Option<When>,
    /// What kind of visit.
    pub class: VisitClass,
    /// Reason or type.
    pub text: String,
    /// Where, and with whom; empty when unknown.
    pub place: String,
    /// Where it comes from.
    pub sources: Vec<SourceChip>,
}

/// What kind of visit, from the v3 code system `ActCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitClass {
    /// `AMB`
    Ambulatory,
    /// `EMER`
    Emergency,
    /// `IMP`, `ACUTE`, `NONAC`
    Inpatient,
    /// `OBSENC`, `SS`
    Observation,
    /// `HH`
    Home,
    /// `VR`
    Virtual,
    /// Any other.
    Other,
}
