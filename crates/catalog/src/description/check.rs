//! What a description still needs before it can be published, with places.
//!
//! What is mandatory is what HealthDCAT-AP (Release 8 and the pilot's draft before it) and DCAT-AP 3.0.1
//! want of the data set's access rights.

use std::collections::BTreeSet;

use super::{
    Access, Agent, Catalogue, Dataset, Door, Kind, MOST_DATASETS, MOST_ENTRIES, MOST_LEVELS,
    MOST_VARIABLES, Period, Variable,
};
use crate::words::{MOST_NAME, MOST_TEXT, Texts};

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Where: `datasets[0].title`.
    pub path: String,
    /// What is wanted there.
    pub want: Want,
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// Something: it is missing.
    Something,
    /// Fewer entries or characters; at most so many.
    AtMost(usize),
    /// A name that no other has.
    Distinct,
    /// The first before the last.
    Order,
    /// What the format of the field allows.
    Form,
}

impl Want {
    /// The key of the sentence that tells people.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Something => "catalog-gap-missing",
            Self::AtMost(_) => "catalog-gap-too-much",
            Self::Distinct => "catalog-gap-twice",
            Self::Order => "catalog-gap-order",
            Self::Form => "catalog-gap-form",
        }
    }
}

/// Collects gaps below a path.
struct Gaps {
    path: String,
    found: Vec<Gap>,
}

impl Gaps {
    fn note(&mut self, field: &str, want: Want) {
        self.found.push(Gap { path: format!("{}{field}", self.path), want });
    }

    fn want(&mut self, is_there: bool, field: &str) {
        if !is_there {
            self.note(field, Want::Something);
        }
    }

    fn limit(&mut self, size: usize, most: usize, field: &str) {
        if size > most {
            self.note(field, Want::AtMost(most));
        }
    }

    fn texts(&mut self, texts: &Texts, is_wanted: bool, field: &str) {
        self.want(!is_wanted || !texts.is_empty(), field);
        self.limit(texts.longest(), MOST_TEXT, field);
    }

    fn list<T>(&mut self, list: &[T], is_wanted: bool, field: &str) {
        self.want(!is_wanted || !list.is_empty(), field);
        self.limit(list.len(), MOST_ENTRIES, field);
    }

    fn period(&mut self, period: Option<&Period>, field: &str) {
        if period.is_some_and(|p| p.end.as_ref().is_some_and(|end| *end < p.start)) {
            self.note(field, Want::Order);
        }
    }

    fn below(&mut self, field: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(field);
        self.path.push('.');
        inner(self);
        self.path.truncate(length);
    }
}

pub(super) fn catalogue(catalogue: &Catalogue) -> Vec<Gap> {
    let mut gaps = Gaps { path: String::new(), found: Vec::new() };
    gaps.texts(&catalogue.title, true, "title");
    gaps.texts(&catalogue.description, true, "description");
    gaps.below("publisher", |gaps| agent(gaps, &catalogue.publisher, false));
    gaps.list(&catalogue.legislation, true, "legislation");
    gaps.list(&catalogue.languages, false, "languages");
    gaps.limit(catalogue.datasets.len(), MOST_DATASETS, "datasets");
    let mut seen = BTreeSet::new();
    for (place, one) in catalogue.datasets.iter().enumerate().take(MOST_DATASETS) {
        if !seen.insert(one.iri.as_str()) {
            gaps.note(&format!("datasets[{place}].iri"), Want::Distinct);
        }
        gaps.below(&format!("datasets[{place}]"), |gaps| fill(gaps, one));
    }
    gaps.found
}

pub(super) fn dataset(dataset: &Dataset) -> Vec<Gap> {
    let mut gaps = Gaps { path: String::new(), found: Vec::new() };
    fill(&mut gaps, dataset);
    gaps.found
}

fn fill(gaps: &mut Gaps, set: &Dataset) {
    let guarded = set.access != Access::Public;
    let closed = set.access == Access::NonPublic;
    gaps.texts(&set.title, true, "title");
    gaps.texts(&set.description, true, "description");
    gaps.list(&set.keywords, closed, "keywords");
    for (place, keyword) in set.keywords.iter().enumerate().take(MOST_ENTRIES) {
        gaps.want(!keyword.word.trim().is_empty(), &format!("keywords[{place}]"));
        gaps.limit(keyword.word.chars().count(), MOST_NAME, &format!("keywords[{place}]"));
    }
    gaps.list(&set.themes, true, "themes");
    gaps.list(&set.categories, true, "categories");
    gaps.list(&set.health_themes, closed, "health_themes");
    gaps.want(!closed || set.kind.is_some(), "kind");
    gaps.list(&set.purposes, closed, "purposes");
    gaps.list(&set.legal_bases, false, "legal_bases");
    gaps.list(&set.personal_data, false, "personal_data");
    gaps.list(&set.legislation, true, "legislation");
    gaps.texts(&set.population, false, "population");
    gaps.list(&set.places, closed, "places");
    gaps.period(set.period.as_ref(), "period");
    gaps.list(&set.coding_systems, false, "coding_systems");
    gaps.list(&set.standards, false, "standards");
    gaps.texts(&set.conditions, guarded, "conditions");
    gaps.list(&set.data_uses, false, "data_uses");
    for (place, data_use) in set.data_uses.iter().enumerate().take(MOST_ENTRIES) {
        if data_use.code.len() != 7 || !data_use.code.bytes().all(|b| b.is_ascii_digit()) {
            gaps.note(&format!("data_uses[{place}].code"), Want::Form);
        }
    }
    gaps.period(set.retention.as_ref(), "retention");
    gaps.texts(&set.version_notes, false, "version_notes");
    gaps.texts(&set.provenance, closed, "provenance");
    gaps.list(&set.quality, false, "quality");
    gaps.list(&set.languages, false, "languages");
    gaps.below("publisher", |gaps| agent(gaps, &set.publisher, true));
    gaps.want(set.access_body.is_some(), "access_body");
    if let Some(body) = &set.access_body {
        gaps.below("access_body", |gaps| agent(gaps, body, false));
    }
    gaps.want(!closed || set.contact.is_some(), "contact");
    variables(gaps, &set.variables);
    gaps.list(&set.doors, true, "doors");
    let mut seen = BTreeSet::new();
    for (place, one) in set.doors.iter().enumerate().take(MOST_ENTRIES) {
        if !seen.insert(one.name.as_str()) {
            gaps.note(&format!("doors[{place}].name"), Want::Distinct);
        }
        gaps.below(&format!("doors[{place}]"), |gaps| door(gaps, one));
    }
    if let Some(sample) = &set.sample {
        gaps.below("sample", |gaps| door(gaps, sample));
    }
}

fn agent(gaps: &mut Gaps, agent: &Agent, publishes_data: bool) {
    gaps.texts(&agent.name, true, "name");
    gaps.texts(&agent.note, publishes_data, "note");
    gaps.want(!publishes_data || agent.kind.is_some(), "kind");
}

fn door(gaps: &mut Gaps, door: &Door) {
    gaps.texts(&door.title, true, "title");
    gaps.texts(&door.description, false, "description");
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let is_media_type =
        door.media_type.split_once('/').is_some_and(|(a, b)| is_plain(a) && is_plain(b));
    if !is_media_type || door.media_type.len() > MOST_NAME {
        gaps.note("media_type", Want::Form);
    }
}

fn variables(gaps: &mut Gaps, variables: &[Variable]) {
    gaps.limit(variables.len(), MOST_VARIABLES, "variables");
    let mut seen = BTreeSet::new();
    for (place, one) in variables.iter().enumerate().take(MOST_VARIABLES) {
        gaps.below(&format!("variables[{place}]"), |gaps| {
            gaps.want(!one.name.trim().is_empty(), "name");
            gaps.limit(one.name.chars().count(), MOST_NAME, "name");
            if !seen.insert(one.name.as_str()) {
                gaps.note("name", Want::Distinct);
            }
            gaps.texts(&one.title, true, "title");
            gaps.texts(&one.description, false, "description");
            gaps.limit(one.checks_passed.len(), MOST_ENTRIES, "checks_passed");
            match &one.kind {
                Kind::Integer { least: Some(least), most: Some(most) } if least > most => {
                    gaps.note("kind", Want::Order);
                }
                Kind::Decimal { least, most } => {
                    let finite = |bound: &Option<f64>| bound.is_none_or(f64::is_finite);
                    if !finite(least) || !finite(most) {
                        gaps.note("kind", Want::Form);
                    } else if least.zip(*most).is_some_and(|(least, most)| least > most) {
                        gaps.note("kind", Want::Order);
                    }
                }
                Kind::Category { levels } => {
                    gaps.want(!levels.is_empty(), "kind.levels");
                    gaps.limit(levels.len(), MOST_LEVELS, "kind.levels");
                    let names: BTreeSet<&str> = levels.iter().map(|l| l.name.as_str()).collect();
                    if names.len() < levels.len() {
                        gaps.note("kind.levels", Want::Distinct);
                    }
                }
                _ => {}
            }
        });
    }
}
