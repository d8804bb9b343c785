//! One validation: the walk over an instance by its type, and by the profiles that hold for it.

mod binding;
mod compare;
mod conformance;
mod container;
mod discriminate;

mod extension;
mod primitive;
mod profiled;
mod reference;
mod rules;
mod slices;
mod structure;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use fhir::Value;
use fhirpath::{Codes, Env, Node, Profiles};

use crate::issue::{Code, Issue, Severity};
use crate::place::Place;
use crate::validator::{Level, MAX_ISSUES, Options, Validator};

pub(crate) use conformance::Conformance;

/// How deep profiles may lead into one another before the walk gives up on them.
const MAX_DEPTH: usize = 200;

/// What stays the same during one validation.
pub(crate) struct Run<'a> {
    validator: &'a Validator,
    codes: &'a dyn Codes,
    profiles: &'a dyn Profiles,
    options: Options<'a>,
    /// Resources of the Bundle by what refers to them.
    known: &'a HashMap<String, Node<'a>>,
    /// Whether the resource at a place fulfils a profile, as far as that was asked.
    conforming: RefCell<HashMap<(u32, &'a str), bool>>,
    /// Set where slices could not be told apart because the content of a value set is unknown.
    uncertain: Cell<bool>,
}

/// The resource that an element belongs to.
pub(crate) struct Frame<'a> {
    env: Env<'a>,
    /// The resource itself.
    resource: Node<'a>,
    /// The resource that it is contained in, or itself.
    root: Node<'a>,
}

/// Where findings go.
#[derive(Default)]
pub(crate) struct Findings<'a> {
    issues: Vec<Issue>,
    /// The profile whose rules are being checked.
    profile: Option<&'a str>,
    /// Only whether there is an error is asked.
    quiet: bool,
    /// Whether an error was found.
    failed: bool,
    /// How many errors, and how many others, were found.
    counts: [usize; 2],
}

impl Findings<'_> {
    fn quiet() -> Self {
        Self { quiet: true, ..Self::default() }
    }

    /// Whether the walk may as well stop.
    fn done(&self) -> bool {
        self.quiet && self.failed || self.counts[0] > MAX_ISSUES
    }

    fn add(
        &mut self,
        severity: Severity,
        code: Code,
        place: &Place<'_>,
        at: Option<Value<'_>>,
        message: impl FnOnce() -> String,
    ) {
        let error = severity == Severity::Error;
        self.failed |= error;
        let count = &mut self.counts[usize::from(!error)];
        if self.quiet || *count > MAX_ISSUES {
            return;
        }
        *count += 1;
        // One more than is listed shows that there are more.
        if *count > MAX_ISSUES {
            return;
        }
        let issue = Issue {
            severity,
            code,
            expression: place.to_string(),
            message: message(),
            profile: self.profile.map(str::to_owned),
            range: at.map_or(0..0, |value| value.range()),
        };
        // Two profiles often say the same.
        let same = |known: &Issue| {
            known.expression == issue.expression
                && known.message == issue.message
                && known.severity <= issue.severity
        };
        if !self.issues.iter().rev().take(20).any(same) {
            self.issues.push(issue);
        }
    }

    fn error(
        &mut self,
        code: Code,
        place: &Place<'_>,
        at: Option<Value<'_>>,
        message: impl FnOnce() -> String,
    ) {
        self.add(Severity::Error, code, place, at, message);
    }

    fn warning(
        &mut self,
        code: Code,
        place: &Place<'_>,
        at: Option<Value<'_>>,
        message: impl FnOnce() -> String,
    ) {
        self.add(Severity::Warning, code, place, at, message);
    }

    fn information(
        &mut self,
        code: Code,
        place: &Place<'_>,
        at: Option<Value<'_>>,
        message: impl FnOnce() -> String,
    ) {
        self.add(Severity::Information, code, place, at, message);
    }
}

/// Where a node stands in the text.
fn at<'a>(node: &Node<'a>) -> Option<Value<'a>> {
    node.value().or(node.sibling())
}

/// A text of the instance for a message: codes and addresses, cut short.
fn short(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

impl<'a> Run<'a> {
    pub fn new(conformance: &'a Conformance<'a>) -> Self {
        let Conformance { validator, codes, options, known, .. } = *conformance;
        Self {
            validator,
            codes,
            profiles: conformance,
            options,
            known,
            conforming: RefCell::default(),
            uncertain: Cell::new(false),
        }
    }

    /// Validates the resource that was given.
    pub fn whole(&self, value: Value<'a>, profiles: &'a [String]) -> Vec<Issue> {
        let mut out = Findings::default();
        let type_name = value.str_at("resourceType").unwrap_or("Resource".into());
        let place = Place::root(&type_name);
        let Some(frame) = self.resource(value, None, &place, &mut out) else {
            return out.issues;
        };
        for canonical in profiles {
            self.claimed(&frame, canonical, Severity::Error, &place, &mut out);
        }
        for (count, severity) in
            out.counts.into_iter().zip([Severity::Error, Severity::Information])
        {
            if count > MAX_ISSUES {
                let issue = Issue {
                    severity,
                    code: Code::TooCostly,
                    expression: type_name.to_string(),
                    message: format!(
                        "there is more to find; only the first {MAX_ISSUES} are listed"
                    ),
                    profile: None,
                    range: value.range(),
                };
                out.issues.push(issue);
            }
        }
        out.issues
    }

    fn checks(&self, level: Level) -> bool {
        self.options.level >= level
    }

    /// The frame of a resource; `outer` is that of the resource that contains it.
    fn frame(&self, resource: Node<'a>, outer: Option<&Frame<'a>>) -> Frame<'a> {
        let root = outer.map_or(resource, |outer| outer.root);
        let env = Env::new(self.options.now_ms)
            .with_root_resource(root)
            .with_inner_resource(resource)
            .with_known(self.known)
            .with_codes(self.codes)
            .with_profiles(self.profiles);
        Frame { env, resource, root }
    }
}
