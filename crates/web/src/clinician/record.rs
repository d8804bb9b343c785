//! The record of a patient over all sources, for the clinician and, in calmer words, for the
//! patient.
//!
//! The page is made of regions. [`fragments`] renders the same regions alone, to be sent as
//! server-sent events while sources answer; a script puts each in the place of the region with
//! its id. Without scripts the page is rendered once, when every source has answered.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::parts::{SourceChip, Spark, Trend, spark};
use crate::paths::{Ask, BreakGlass, Find, MyRecord, MyRecordEvents, Record, RecordEvents};
use crate::terms::{Kind, Mark, Purpose, Sex, Tone};
use crate::when::{Age, When};
use crate::words::{Message, Words};

/// More entries of the timeline than this are not written into one page.
pub const TIMELINE_MAX: usize = 200;

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
    /// What the sources disagree about.
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
    /// Everything that happened, newest first; at most [`TIMELINE_MAX`] are shown.
    pub timeline: Vec<Event>,
    /// Documents, newest first.
    pub documents: Vec<Document>,
    /// Visits and stays, newest first.
    pub encounters: Vec<Visit>,
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
}

/// Something the sources disagree about.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// Id of its place on the page.
    pub id: String,
    /// In which respect they disagree.
    pub kind: ConflictKind,
    /// What it is about, such as the name of a medication.
    pub about: String,
    /// What each says.
    pub claims: Vec<Claim>,
}

/// In which respect sources disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// One says it is present, another that it is past.
    Status,
    /// Different doses or ways of taking.
    Dose,
    /// Different values for the same measurement at the same time.
    Value,
    /// One knows an allergy, another says there is none.
    Allergy,
    /// Name, birth date or sex of the person differ.
    Person,
    /// Different dates.
    Date,
    /// Anything else.
    Other,
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
    Text(String),
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

impl VisitClass {
    /// The class of its code; Synthea's older bundles write the word instead.
    pub fn from_code(code: &str) -> Self {
        match code {
            "AMB" | "ambulatory" | "outpatient" | "wellness" => Self::Ambulatory,
            "EMER" | "emergency" | "urgentcare" => Self::Emergency,
            "IMP" | "ACUTE" | "NONAC" | "inpatient" => Self::Inpatient,
            "OBSENC" | "SS" => Self::Observation,
            "HH" => Self::Home,
            "VR" => Self::Virtual,
            _ => Self::Other,
        }
    }

    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Ambulatory => "visit-ambulatory",
            Self::Emergency => "visit-emergency",
            Self::Inpatient => "visit-inpatient",
            Self::Observation => "visit-observation",
            Self::Home => "visit-home",
            Self::Virtual => "visit-virtual",
            Self::Other => "visit-other",
        })
    }
}

impl ConflictKind {
    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Status => "conflict-status",
            Self::Dose => "conflict-dose",
            Self::Value => "conflict-value",
            Self::Allergy => "conflict-allergy",
            Self::Person => "conflict-person",
            Self::Date => "conflict-date",
            Self::Other => "conflict-other",
        })
    }
}

impl Flag {
    fn tone(self) -> Tone {
        match self {
            Self::None | Self::Normal => Tone::Plain,
            Self::Low | Self::High | Self::Abnormal => Tone::Note,
            Self::CriticalLow | Self::CriticalHigh => Tone::Alert,
        }
    }

    fn say(self, w: &Words<'_>) -> Option<Message> {
        Some(w.say(match self {
            Self::None | Self::Normal => return None,
            Self::Low => "flag-low",
            Self::High => "flag-high",
            Self::CriticalLow => "flag-critical-low",
            Self::CriticalHigh => "flag-critical-high",
            Self::Abnormal => "flag-abnormal",
        }))
    }
}

impl SourceState {
    /// How the state is set apart.
    fn tone(&self) -> Tone {
        match self {
            Self::Asking => Tone::Busy,
            Self::Answered { .. } => Tone::Good,
            Self::NoMatch => Tone::Plain,
            Self::PossibleMatch { .. } | Self::Withheld | Self::Partial { .. } => Tone::Note,
            Self::TimedOut | Self::Unreachable | Self::Refused => Tone::Alert,
        }
    }

    /// A sign beside the words, so that states differ in shape and not in colour alone.
    fn sign(&self) -> &'static str {
        match self {
            Self::Asking => "…",
            Self::Answered { .. } => "✓",
            Self::NoMatch => "–",
            Self::PossibleMatch { .. } => "?",
            Self::Withheld => "⊘",
            Self::Partial { .. } => "◐",
            Self::TimedOut | Self::Unreachable | Self::Refused => "✕",
        }
    }

    fn say(&self, w: &Words<'_>) -> Message {
        match self {
            Self::Asking => w.say("source-asking"),
            Self::Answered { items } => w.say("source-answered").n("count", items),
            Self::NoMatch => w.say("source-no-match"),
            Self::PossibleMatch { .. } => w.say("source-possible-match"),
            Self::Withheld => w.say("source-withheld"),
            Self::TimedOut => w.say("source-timed-out"),
            Self::Partial { items, of: Some(of) } => {
                w.say("source-partial-of").n("count", items).n("of", of)
            }
            Self::Partial { items, of: None } => w.say("source-partial").n("count", items),
            Self::Unreachable => w.say("source-unreachable"),
            Self::Refused => w.say("source-refused"),
        }
    }

    fn items(&self) -> usize {
        match self {
            Self::Answered { items } | Self::Partial { items, .. } => *items,
            _ => 0,
        }
    }

    /// Whether a reader must reckon with items that are not on the page.
    fn leaves_a_gap(&self) -> bool {
        !matches!(self, Self::Asking | Self::Answered { .. } | Self::NoMatch)
    }
}

impl RecordView {
    /// Ids on the page: the regions that events replace, in their order on the page.
    pub const REGIONS: [&'static str; 6] =
        ["sources", "conflicts", "summary", "timeline", "documents", "encounters"];

    fn asking(&self) -> usize {
        self.sources.iter().filter(|s| s.state == SourceState::Asking).count()
    }

    fn settled(&self) -> usize {
        self.sources.len() - self.asking()
    }

    fn items(&self) -> usize {
        self.sources.iter().map(|source| source.state.items()).sum()
    }

    /// Names of the sources that leave a gap, `None` when none does.
    fn gaps(&self) -> Option<String> {
        let names: Vec<&str> = self
            .sources
            .iter()
            .filter(|source| source.state.leaves_a_gap())
            .map(|source| source.chip.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    fn is_patients_own(&self) -> bool {
        self.audience == Audience::Patient
    }

    /// The key for the reader of the page: professionals and patients read different words.
    fn pick(&self, clinician: &'static str, patient: &'static str) -> &'static str {
        match self.audience {
            Audience::Clinician => clinician,
            Audience::Patient => patient,
        }
    }

    fn complete_path(&self) -> String {
        match self.audience {
            Audience::Clinician => Record::complete(&self.patient.id).to_string(),
            Audience::Patient => format!("{MyRecord}?complete=true"),
        }
    }

    fn events_path(&self) -> String {
        match self.audience {
            Audience::Clinician => RecordEvents(&self.patient.id).to_string(),
            Audience::Patient => MyRecordEvents.to_string(),
        }
    }

    fn break_glass_is_open(&self) -> Option<i64> {
        self.access.as_ref().and_then(|access| access.break_glass_until_ms)
    }

    /// Whether emergency access would change anything.
    fn offers_break_glass(&self) -> bool {
        !self.is_patients_own()
            && self.break_glass_is_open().is_none()
            && self.sources.iter().any(|source| source.state == SourceState::Withheld)
    }

    /// The timeline in stretches of one year each.
    fn years(&self, c: &Chrome) -> Vec<(i16, &[Event])> {
        let shown = self.timeline.get(..TIMELINE_MAX).unwrap_or(&self.timeline);
        shown
            .chunk_by(|a, b| a.when.year(&c.zone) == b.when.year(&c.zone))
            .filter_map(|chunk| chunk.first().map(|first| (first.when.year(&c.zone), chunk)))
            .collect()
    }

    fn left_out(&self) -> usize {
        self.timeline.len().saturating_sub(TIMELINE_MAX)
    }

    /// What an empty list means: nothing known is not the same as nothing there.
    fn emptiness(&self, w: &Words<'_>) -> Message {
        if self.asking() > 0 {
            w.say("record-none-yet")
        } else if self.gaps().is_some() {
            w.say("record-none-but-gaps")
        } else {
            w.say("record-none").n("count", self.sources.len())
        }
    }
}

impl Measure {
    fn picture(&self, w: &Words<'_>) -> Option<Spark> {
        self.trend.has_course().then(|| spark(w, &self.trend, &self.name, &self.unit))
    }

    fn reference(&self, w: &Words<'_>) -> Option<Message> {
        (self.trend.low.is_some() || self.trend.high.is_some())
            .then(|| crate::parts::range(w, self.trend.low, self.trend.high))
    }
}

impl Person {
    fn age(&self, c: &Chrome) -> Option<Age> {
        match self.deceased {
            None => self.birth.as_ref().and_then(|birth| birth.age(c.now_ms)),
            Some(died) => {
                self.birth.as_ref().and_then(|birth| birth.age(died?.start_ms()))
            }
        }
    }
}

/// A region rendered alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its id on the page, which is also the name of its event.
    pub region: &'static str,
    /// The element with that id.
    pub html: String,
}

impl Fragment {
    /// The fragment as a server-sent event (WHATWG HTML, section 9.2).
    pub fn event(&self) -> String {
        let mut out = format!("event: {}\n", self.region);
        // A stray carriage return would end the line of the event too.
        for line in self.html.replace('\r', "").lines() {
            out.push_str("data: ");
            out.push_str(line);
            out.push('\n');
        }
        out.push('\n');
        out
    }
}

/// The event after the last fragment; the script closes the stream on it.
pub const DONE_EVENT: &str = "event: done\ndata: done\n\n";

/// Declares the template of the page and one for each region, all over the same view.
macro_rules! templates {
    ($($name:ident = $path:literal;)*) => {$(
        #[derive(Template)]
        #[template(path = $path)]
        struct $name<'a> {
            c: &'a Chrome,
            w: Words<'a>,
            v: &'a RecordView,
        }
    )*};
}

templates! {
    Page = "clinician/record.html";
    Sources = "clinician/record/sources.html";
    Conflicts = "clinician/record/conflicts.html";
    Summary = "clinician/record/summary.html";
    Timeline = "clinician/record/timeline.html";
    Documents = "clinician/record/documents.html";
    Encounters = "clinician/record/encounters.html";
}

/// The whole page.
pub fn render(v: &RecordView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

/// The regions of the page, each alone, in the order of [`RecordView::REGIONS`].
pub fn fragments(v: &RecordView, c: &Chrome) -> Result<Vec<Fragment>, WebError> {
    let w = c.words();
    let rendered = [
        Sources { c, w, v }.render()?,
        Conflicts { c, w, v }.render()?,
        Summary { c, w, v }.render()?,
        Timeline { c, w, v }.render()?,
        Documents { c, w, v }.render()?,
        Encounters { c, w, v }.render()?,
    ];
    Ok(RecordView::REGIONS
        .into_iter()
        .zip(rendered)
        .map(|(region, html)| Fragment { region, html })
        .collect())
}

/// The list of a section of the summary.
#[derive(Template)]
#[template(path = "clinician/record/rows.html")]
struct Rows<'a> {
    w: Words<'a>,
    rows: &'a [Row],
}

/// The table of a section of measurements.
#[derive(Template)]
#[template(path = "clinician/record/measures.html")]
struct Measures<'a> {
    w: Words<'a>,
    caption: Message,
    rows: &'a [Measure],
}

crate::parts::html_part!(Rows, Measures);

fn rows<'a>(w: &Words<'a>, rows: &'a [Row]) -> Rows<'a> {
    Rows { w: *w, rows }
}

fn measures<'a>(w: &Words<'a>, key: &'static str, rows: &'a [Measure]) -> Measures<'a> {
    Measures { w: *w, caption: w.say(key), rows }
}
