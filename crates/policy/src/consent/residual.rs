//! What is left of the consents once the request is known, as rules for whoever enforces them
//! further on (IHE PCF, `ihe_pcf` in a token or in introspection).
//!
//! A reader of such rules removes what a `forbid` matches, unless a `permit` matches it too; what
//! nothing matches stays. They are less expressive than the engine, so they are made to err on one
//! side: enforcing them never lets through what [`super::decide_all`] denies. What cannot be said
//! in them becomes a `forbid` of everything.

use fhir::json::quote;
use fhir::time::instant;

use super::decide::{base, whole_record};
use super::resolve::{Branch, Holds, Resolved};
use super::rules::{Kind, Meaning};
use super::{Because, Compiled, Defaults, Item, Request, WholeDecision};
use crate::label::{ACT_CODE, CONFIDENTIALITY, Confidentiality, Label};

/// Most rules; beyond, everything is forbidden.
pub const MAX_RESIDUAL: usize = 200;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residual {
    /// Permit overrides forbid.
    pub kind: Kind,
    /// Any of these labels, by system and code; a degree of confidentiality means itself and, for
    /// a forbid, those above it. Empty for all data.
    pub labels: Vec<(String, String)>,
    /// Data of this time: from and before, in milliseconds since the Unix epoch.
    pub data_period: Option<(Option<i64>, Option<i64>)>,
    /// Any of these: `instance`, `related`, `dependents` or `authoredby`, and a reference.
    pub data: Vec<(&'static str, String)>,
}

/// The rules for a request; none where everything is permitted.
pub fn residual(request: &Request, consents: &Compiled, defaults: &Defaults) -> Vec<Residual> {
    let nothing = || vec![Residual::everything(Kind::Deny)];
    match whole_record(request, consents, defaults) {
        WholeDecision::Permit(_) => return Vec::new(),
        WholeDecision::Deny { .. } => return nothing(),
        WholeDecision::ByItem => {}
    }
    let base = base(request, consents, defaults);
    let mut rules = Vec::new();
    let by_item = &base.by_item;
    let denies_items = by_item.iter().any(|consent| {
        let denial = consent.root.as_ref().is_some_and(denies_particular);
        denial || consent.base_denies || consent.rules.refused.is_some()
    });
    let denies_all = by_item.iter().any(|consent| consent.root.as_ref().is_some_and(denies));
    let only_default = matches!(base.plain.because, Because::NetworkDefault);
    if !denies_items && (denies_all || !base.plain.is_permitted()) {
        // Everything but what is permitted: only where nothing else speaks against it.
        if (!only_default && !base.plain.is_permitted()) || (denies_all && by_item.len() > 1) {
            return nothing();
        }
        rules.extend(nothing());
        rules.extend(by_item.iter().filter_map(|consent| consent.root.as_ref()).flat_map(permits));
        return if rules.len() > MAX_RESIDUAL { nothing() } else { rules };
    }
    if !base.plain.is_permitted() {
        return nothing();
    }
    if !base.sensitive.is_permitted() {
        // What is sensitive is at least restricted, whatever makes it so.
        rules.push(Residual::level(Confidentiality::Restricted));
    }
    for consent in by_item {
        forbids(consent, &mut rules);
    }
    let coarse = rules.len() > MAX_RESIDUAL || rules.iter().any(Residual::is_everything);
    if coarse { nothing() } else { rules }
}

fn denies(branch: &Branch<'_>) -> bool {
    branch.provision.kind == Kind::Deny || branch.children.iter().any(denies)
}

/// Whether particular data is denied here or further in.
fn denies_particular(branch: &Branch<'_>) -> bool {
    let here = branch.provision.kind == Kind::Deny && branch.about.singled;
    here || branch.children.iter().any(denies_particular)
}

/// The permissions of one consent that can be said in full: a lone provision, or those directly
/// inside a denial of everything.
fn permits(root: &Branch<'_>) -> Vec<Residual> {
    let is_leaf = |branch: &&Branch<'_>| branch.provision.children.is_empty();
    let plain = !root.children.iter().any(denies);
    let all: Vec<&Branch<'_>> = match root.provision.kind {
        Kind::Permit => vec![root],
        Kind::Deny if root.holds == Holds::Yes && plain => root.children.iter().collect(),
        Kind::Deny => Vec::new(),
    };
    all.into_iter().filter(is_leaf).filter_map(Residual::permitted_by).collect()
}

/// Adds a forbid for each denial of a consent. That a permission may lift it is left out, as are
/// conditions that cannot be said: both only forbid more.
fn forbids(consent: &Resolved<'_>, rules: &mut Vec<Residual>) {
    if consent.base_denies || consent.rules.refused.is_some() {
        rules.push(Residual::everything(Kind::Deny));
        return;
    }
    if let Some(root) = &consent.root {
        branch(root, rules);
    }
}

fn branch(branch: &Branch<'_>, rules: &mut Vec<Residual>) {
    if branch.holds != Holds::No && branch.provision.kind == Kind::Deny {
        rules.push(Residual::denied_by(branch));
    }
    branch.children.iter().for_each(|child| self::branch(child, rules));
}

impl Residual {
    fn everything(kind: Kind) -> Self {
        Self { kind, labels: Vec::new(), data_period: None, data: Vec::new() }
    }

    fn level(degree: Confidentiality) -> Self {
        let label = (CONFIDENTIALITY.to_owned(), degree.code().to_owned());
        Self { labels: vec![label], ..Self::everything(Kind::Deny) }
    }

    fn is_everything(&self) -> bool {
        self.kind == Kind::Deny
            && self.labels.is_empty()
            && self.data_period.is_none()
            && self.data.is_empty()
    }

    /// A permission for particular data, where it can be said in full. It must not open what is
    /// sensitive unless it names a degree, so without one it is for what is not restricted.
    fn permitted_by(branch: &Branch<'_>) -> Option<Self> {
        let provision = branch.provision;
        let said = branch.holds == Holds::Yes
            && provision.kind == Kind::Permit
            && !branch.about.lifts_only
            && provision.classes.is_empty()
            && provision.codes.is_empty()
            && !provision.data_period_unclear;
        let level = |label: &Label| match label {
            Label::Level(degree) => Some(*degree),
            _ => None,
        };
        let degrees: Option<Vec<_>> = provision.labels.iter().map(level).collect();
        let degree = degrees.filter(|_| said)?.into_iter().max();
        let degree = degree.unwrap_or(Confidentiality::Normal);
        let known = provision.data.iter().all(|t| t.meaning.is_some() && t.reference.is_some());
        let denied = Self::denied_by(branch);
        let level = Self { kind: Kind::Permit, ..Self::level(degree) };
        known.then_some(Self { labels: level.labels, kind: Kind::Permit, ..denied })
    }

    /// The condition on data of a denial, as far as it can be said.
    fn denied_by(branch: &Branch<'_>) -> Self {
        let provision = branch.provision;
        let label = |label: &Label| match label {
            Label::Level(degree) => Some((CONFIDENTIALITY.to_owned(), degree.code().to_owned())),
            Label::Sensitive(topic) => Some((ACT_CODE.to_owned(), topic.code().to_owned())),
            Label::Law(law) => Some((ACT_CODE.to_owned(), (*law).to_owned())),
            Label::Other(system, code) => Some((system.to_string(), code.to_string())),
            Label::UnknownLevel => None,
        };
        let data = |term: &super::rules::DataTerm| {
            let meaning = match term.meaning? {
                Meaning::Instance => "instance",
                Meaning::Related => "related",
                Meaning::Dependents => "dependents",
                Meaning::AuthoredBy => "authoredby",
            };
            Some((meaning, term.reference.as_ref()?.to_string()))
        };
        // A list of which one value cannot be said is left out whole: it then forbids more.
        let labels: Option<Vec<_>> = provision.labels.iter().map(label).collect();
        let data: Option<Vec<_>> = provision.data.iter().map(data).collect();
        Self {
            kind: Kind::Deny,
            labels: labels.filter(|_| !provision.kind_unclear).unwrap_or_default(),
            data_period: provision.data_period.filter(|_| !provision.data_period_unclear),
            data: data.unwrap_or_default(),
        }
    }

    /// Whether the rule is about an item, as its enforcer reads it. `reached` are the references
    /// of the items that `related` leads to.
    pub fn matches(&self, item: &Item, items: &[Item]) -> bool {
        let label = |(system, code): &(String, String)| {
            let label = Label::of(system, code);
            match self.kind {
                Kind::Deny => item.labels.denied_by(&label),
                Kind::Permit => item.labels.permitted_by(&label),
            }
        };
        let time = self.data_period.is_none_or(|(start, end)| {
            let (start, end) = (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX));
            match self.kind {
                Kind::Deny => item.when.is_none_or(|w| w.end_ms > start && w.start_ms < end),
                Kind::Permit => item.when.is_some_and(|w| w.start_ms >= start && w.end_ms <= end),
            }
        });
        let data = |(meaning, reference): &(&'static str, String)| {
            let same = *item.reference == **reference;
            let refers = item.references.iter().any(|own| **own == **reference);
            let reached = || {
                let named = items.iter().find(|other| *other.reference == **reference);
                named.is_some_and(|named| named.references.contains(&item.reference))
            };
            match *meaning {
                "instance" => same,
                "dependents" => same || refers,
                "related" => same || refers || reached(),
                _ => item.authors.iter().any(|author| **author == **reference),
            }
        };
        (self.labels.is_empty() || self.labels.iter().any(label))
            && time
            && (self.data.is_empty() || self.data.iter().any(data))
    }

    /// The rule as IHE PCF writes it in `ihe_pcf.residual`.
    pub fn json(&self) -> String {
        let mut members = vec![match self.kind {
            Kind::Deny => r#""type":"forbid""#.to_owned(),
            Kind::Permit => r#""type":"permit""#.to_owned(),
        }];
        if !self.labels.is_empty() {
            let one = |(system, code): &(String, String)| {
                format!(r#"{{"system":{},"code":{}}}"#, quote(system), quote(code))
            };
            let labels: Vec<_> = self.labels.iter().map(one).collect();
            members.push(format!(r#""securityLabel":[{}]"#, labels.join(",")));
        }
        if let Some((start, end)) = self.data_period {
            let bound = |name: &str, ms: Option<i64>| {
                ms.map(|ms| format!(r#""{name}":{}"#, quote(&instant(ms))))
            };
            // The end of a FHIR Period is included.
            let end = end.map(|end| end.saturating_sub(1));
            let bounds: Vec<_> =
                [bound("start", start), bound("end", end)].into_iter().flatten().collect();
            members.push(format!(r#""dataPeriod":{{{}}}"#, bounds.join(",")));
        }
        if !self.data.is_empty() {
            let one = |(meaning, reference): &(&'static str, String)| {
                let reference = quote(reference);
                format!(r#"{{"meaning":"{meaning}","reference":{{"reference":{reference}}}}}"#)
            };
            let data: Vec<_> = self.data.iter().map(one).collect();
            members.push(format!(r#""data":[{}]"#, data.join(",")));
        }
        format!("{{{}}}", members.join(","))
    }
}

/// Whether an item remains when `rules` are enforced on `items`.
pub fn remains(rules: &[Residual], item: &Item, items: &[Item]) -> bool {
    let any = |kind| rules.iter().any(|rule| rule.kind == kind && rule.matches(item, items));
    !any(Kind::Deny) || any(Kind::Permit)
}
