//! How the record page words and cuts what it shows.

use super::view::{
    Audience, Body, ConflictKind, Document, Event, Flag, Measure, Person, RecordView, Row, Source,
    SourceState, VisitClass,
};
use super::{Rest, cap};
use crate::chrome::Chrome;
use crate::parts::{Spark, spark};
use crate::paths::{MyRecord, MyRecordEvents, Record, RecordEvents};
use crate::terms::Tone;
use crate::when::Age;
use crate::words::{Message, Words};

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

    pub(super) fn say(&self, w: &Words<'_>) -> Message {
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
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::AllergyDenied,
        Self::AllergyStatus,
        Self::BloodGroup,
        Self::Person,
        Self::MedicationStopped,
        Self::Dose,
        Self::ProblemStatus,
        Self::Result,
        Self::Retracted,
    ];

    pub(super) fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::AllergyDenied => "conflict-allergy-denied",
            Self::AllergyStatus => "conflict-allergy-status",
            Self::BloodGroup => "conflict-blood-group",
            Self::Person => "conflict-person",
            Self::MedicationStopped => "conflict-medication-stopped",
            Self::Dose => "conflict-dose",
            Self::ProblemStatus => "conflict-problem-status",
            Self::Result => "conflict-result",
            Self::Retracted => "conflict-retracted",
        })
    }

    /// What a clinician can do about it.
    pub(super) fn advice(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::AllergyDenied | Self::AllergyStatus => "advice-allergy",
            Self::BloodGroup => "advice-blood-group",
            Self::Person => "advice-person",
            Self::MedicationStopped => "advice-medication-stopped",
            Self::Dose => "advice-dose",
            Self::ProblemStatus => "advice-problem-status",
            Self::Result | Self::Retracted => "advice-check",
        })
    }
}

impl Flag {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::None | Self::Normal => Tone::Plain,
            Self::Low | Self::High | Self::Abnormal => Tone::Note,
            Self::CriticalLow | Self::CriticalHigh => Tone::Alert,
        }
    }

    pub(super) fn say(self, w: &Words<'_>) -> Option<Message> {
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
    pub(super) fn tone(&self) -> Tone {
        match self {
            Self::Asking => Tone::Busy,
            Self::Answered { .. } => Tone::Good,
            Self::NoMatch | Self::NotAsked => Tone::Plain,
            Self::PossibleMatch { .. } | Self::Withheld | Self::Partial { .. } => Tone::Note,
            Self::TimedOut | Self::Unreachable | Self::Refused => Tone::Alert,
        }
    }

    /// A sign beside the words, so that states differ in shape and not in colour alone.
    pub(super) fn sign(&self) -> &'static str {
        match self {
            Self::Asking => "…",
            Self::Answered { .. } => "✓",
            Self::NoMatch => "–",
            Self::NotAsked => "○",
            Self::PossibleMatch { .. } => "?",
            Self::Withheld => "⊘",
            Self::Partial { .. } => "◐",
            Self::TimedOut | Self::Unreachable | Self::Refused => "✕",
        }
    }

    pub(super) fn say(&self, w: &Words<'_>) -> Message {
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
            Self::NotAsked => w.say("source-not-asked"),
        }
    }

    pub(super) fn items(&self) -> usize {
        match self {
            Self::Answered { items } | Self::Partial { items, .. } => *items,
            _ => 0,
        }
    }

    /// Whether a reader must reckon with items that are not on the page.
    pub(super) fn leaves_a_gap(&self) -> bool {
        !matches!(self, Self::Asking | Self::Answered { .. } | Self::NoMatch | Self::NotAsked)
    }
}

impl RecordView {
    /// Ids on the page: the regions that events replace, in their order on the page.
    pub const REGIONS: [&'static str; 6] =
        ["sources", "conflicts", "summary", "timeline", "documents", "encounters"];

    pub(super) fn asking(&self) -> usize {
        self.sources.iter().filter(|s| s.state == SourceState::Asking).count()
    }

    pub(super) fn settled(&self) -> usize {
        self.sources.len() - self.asking()
    }

    pub(super) fn items(&self) -> usize {
        self.sources.iter().map(|source| source.state.items()).sum()
    }

    /// Names of the sources that leave a gap, `None` when none does.
    pub(super) fn gaps(&self) -> Option<String> {
        let names: Vec<&str> = self
            .sources
            .iter()
            .filter(|source| source.state.leaves_a_gap())
            .map(|source| source.chip.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    pub(super) fn is_patients_own(&self) -> bool {
        self.audience == Audience::Patient
    }

    /// The key for the reader of the page: professionals and patients read different words.
    pub(super) fn pick(&self, clinician: &'static str, patient: &'static str) -> &'static str {
        match self.audience {
            Audience::Clinician => clinician,
            Audience::Patient => patient,
        }
    }

    pub(super) fn complete_path(&self) -> String {
        match self.audience {
            Audience::Clinician => Record::complete(&self.patient.id).to_string(),
            Audience::Patient => format!("{MyRecord}?complete=true"),
        }
    }

    /// Where the institutions that were not asked are asked too; `None` where all were.
    pub(super) fn everybody_path(&self) -> Option<String> {
        let left_out = self.sources.iter().any(|source| source.state == SourceState::NotAsked);
        let offered = left_out && self.audience == Audience::Clinician;
        offered.then(|| Record::everybody(&self.patient.id).to_string())
    }

    pub(super) fn events_path(&self) -> String {
        match self.audience {
            Audience::Clinician => RecordEvents(&self.patient.id).to_string(),
            Audience::Patient => MyRecordEvents.to_string(),
        }
    }

    pub(super) fn break_glass_is_open(&self) -> Option<i64> {
        self.access.as_ref().and_then(|access| access.break_glass_until_ms)
    }

    /// How long an answer took is of use to professionals only.
    pub(super) fn took_ms<'s>(&self, source: &'s Source) -> Option<&'s u64> {
        match self.audience {
            Audience::Clinician => source.took_ms.as_ref(),
            Audience::Patient => None,
        }
    }

    /// Whether emergency access would change anything.
    pub(super) fn offers_break_glass(&self) -> bool {
        !self.is_patients_own()
            && self.break_glass_is_open().is_none()
            && self.sources.iter().any(|source| source.state == SourceState::Withheld)
    }

    /// The timeline in stretches of one year each.
    pub(super) fn years(&self, w: &Words<'_>) -> Vec<(i16, &[Event])> {
        self.first(&self.timeline, cap::TIMELINE)
            .chunk_by(|a, b| a.when.year(w.zone()) == b.when.year(w.zone()))
            .filter_map(|chunk| chunk.first().map(|first| (first.when.year(w.zone()), chunk)))
            .collect()
    }

    /// The part of a list that is shown.
    pub(super) fn first<'s, T>(&self, rows: &'s [T], cap: usize) -> &'s [T] {
        if self.all { rows } else { rows.get(..cap).unwrap_or(rows) }
    }

    /// The line about the part of a list that is not shown, `None` when all of it is.
    pub(super) fn rest<T>(&self, w: &Words<'_>, rows: &[T], cap: usize) -> Option<Rest> {
        let count = rows.len() - self.first(rows, cap).len();
        (count > 0).then(|| Rest { text: w.say("more").n("count", count), path: self.all_path() })
    }

    /// The documents that are shown, each with whether its text is in the page.
    pub(super) fn readable(&self) -> Vec<(&Document, bool)> {
        let mut chars = 0usize;
        self.first(&self.documents, cap::DOCUMENTS)
            .iter()
            .map(|document| {
                if let Body::Text { text, .. } = &document.body {
                    chars = chars.saturating_add(text.len());
                }
                (document, self.all || chars <= cap::DOCUMENT_CHARS)
            })
            .collect()
    }

    pub(super) fn all_path(&self) -> String {
        match self.audience {
            Audience::Clinician => Record::all(&self.patient.id).to_string(),
            Audience::Patient => format!("{MyRecord}?all=true"),
        }
    }

    /// What an empty list means: nothing known is not the same as nothing there.
    pub(super) fn emptiness(&self, w: &Words<'_>) -> Message {
        if self.asking() > 0 {
            w.say("record-none-yet")
        } else if self.gaps().is_some() {
            w.say("record-none-but-gaps")
        } else {
            w.say("record-none").n("count", self.sources.len())
        }
    }
}

impl Row {
    /// Whether the sources say the same in different words or as of different days, which is
    /// worth reading.
    pub(super) fn wordings_differ(&self) -> bool {
        self.originals.windows(2).any(|pair| match pair {
            [a, b] => a.text != b.text || a.when != b.when,
            _ => false,
        })
    }
}

impl Measure {
    pub(super) fn picture(&self, w: &Words<'_>) -> Option<Spark> {
        self.trend.has_course().then(|| spark(w, &self.trend, &self.name, &self.unit))
    }

    pub(super) fn reference(&self, w: &Words<'_>) -> Option<String> {
        match (self.trend.low, self.trend.high) {
            (None, None) => (!self.reference.is_empty()).then(|| self.reference.clone()),
            (low, high) => Some(crate::parts::range(w, low, high).to_string()),
        }
    }
}

impl Person {
    pub(super) fn age(&self, c: &Chrome) -> Option<Age> {
        match self.deceased {
            None => self.birth.as_ref().and_then(|birth| birth.age(c.now_ms)),
            Some(died) => self.birth.as_ref().and_then(|birth| birth.age(died?.start_ms())),
        }
    }
}
