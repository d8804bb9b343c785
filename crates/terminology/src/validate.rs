//! Whether a code is right: in its code system, in a value set, and with the right display.

use std::sync::Arc;

use crate::Error;
use crate::compile::{Compiled, Membership};
use crate::system::{CodeSystem, Concept};
use crate::terms::{Source, Terminology};
use crate::value_set::{Listed, ValueSet};
use crate::versions::Versions;

/// The most codings of one CodeableConcept that are looked at.
const MAX_CODINGS: usize = 100;

/// A coding to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct CodingRef<'a> {
    /// The code system.
    pub system: Option<&'a str>,
    /// Its version.
    pub version: Option<&'a str>,
    /// The code.
    pub code: &'a str,
    /// The display to check.
    pub display: Option<&'a str>,
}

/// What is to be checked, and how.
#[derive(Clone, Debug, Default)]
pub struct Validate<'a> {
    /// The coding, or those of a CodeableConcept, of which one is enough.
    pub codings: Vec<CodingRef<'a>>,
    /// Element that the codings came from, for the expressions of issues: `Coding` for example;
    /// empty for a bare code.
    pub element: &'static str,
    /// Find the code system of a code that came without.
    pub infer_system: bool,
    /// `Some(false)`: abstract codes are wrong.
    pub allow_abstract: Option<bool>,
    /// Language of the display in the answer.
    pub display_language: Option<&'a str>,
    /// A wrong display is a warning only.
    pub lenient_display: bool,
    /// Inactive codes are wrong.
    pub active_only: bool,
    /// Versions of code systems.
    pub versions: Versions,
}

/// How bad an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The answer is false because of it.
    Error,
    /// Worth knowing.
    Warning,
    /// By the way.
    Information,
}

impl Severity {
    /// The code of FHIR's `issue-severity`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

/// Something to say about a coding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// The code of FHIR's `issue-type`.
    pub kind: &'static str,
    /// A code of `http://hl7.org/fhir/tools/CodeSystem/tx-issue-type`.
    pub detail: &'static str,
    /// What to say to people.
    pub text: String,
    /// Where: a FHIRPath.
    pub expression: String,
}

/// The outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Whether the code is right.
    pub result: bool,
    /// Whether content that would tell is not available; the result is false then.
    pub undecided: bool,
    /// The code system of the code that was found right, or else checked.
    pub system: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The code.
    pub code: Option<String>,
    /// The right display.
    pub display: Option<String>,
    /// No longer to be used.
    pub inactive: bool,
    /// What was found.
    pub issues: Vec<Issue>,
}

impl Checked {
    /// The texts of what makes the answer false, or of the warnings where it is true.
    pub fn message(&self) -> Option<String> {
        let texts = |severity| {
            let list = self.issues.iter().filter(move |issue| issue.severity == severity);
            list.map(|issue| issue.text.as_str()).collect::<Vec<_>>().join("; ")
        };
        let errors = texts(Severity::Error);
        let text = if errors.is_empty() { texts(Severity::Warning) } else { errors };
        (!text.is_empty()).then_some(text)
    }
}

impl Terminology {
    /// Checks codes against the value set with this address.
    pub fn validate_in_value_set(
        &self,
        canonical: &str,
        wanted: &Validate<'_>,
    ) -> Result<Checked, Error> {
        if wanted.versions.is_empty() {
            return Ok(Check { terms: self, wanted }.in_set(&*self.compiled(canonical)?));
        }
        self.validate_in_given(self.value_set(canonical)?, wanted)
    }

    /// Checks codes against a value set that was handed over.
    pub fn validate_in_given(
        &self,
        set: Arc<ValueSet>,
        wanted: &Validate<'_>,
    ) -> Result<Checked, Error> {
        let compiled = self.compile(set, &wanted.versions)?;
        Ok(Check { terms: self, wanted }.in_set(&compiled))
    }

    /// Checks codes against their code system, or `system` where a coding names none.
    pub fn validate_in_system(
        &self,
        system: Option<&str>,
        version: Option<&str>,
        wanted: &Validate<'_>,
    ) -> Checked {
        Check { terms: self, wanted }.in_system(system, version)
    }
}

struct Check<'c> {
    terms: &'c Terminology,
    wanted: &'c Validate<'c>,
}

impl Check<'_> {
    fn in_set(&self, compiled: &Compiled) -> Checked {
        let mut failed: Option<Checked> = None;
        for (at, coding) in self.wanted.codings.iter().take(MAX_CODINGS).enumerate() {
            let checked = self.one_in_set(compiled, coding, at);
            if checked.result {
                return checked;
            }
            match &mut failed {
                None => failed = Some(checked),
                Some(failed) => {
                    failed.undecided |= checked.undecided;
                    failed.issues.extend(checked.issues);
                }
            }
        }
        failed.unwrap_or_else(|| self.nothing())
    }

    fn in_system(&self, system: Option<&str>, version: Option<&str>) -> Checked {
        let mut failed: Option<Checked> = None;
        for (at, coding) in self.wanted.codings.iter().take(MAX_CODINGS).enumerate() {
            let Some(own) = coding.system.or(system) else {
                failed = failed.or_else(|| Some(self.no_system(coding, at)));
                continue;
            };
            let mut checked = self.start(coding, own);
            if let Some(system) = system.filter(|system| *system != own) {
                let text = format!("the coding is of `{own}`, not of `{system}`");
                checked.issues.push(self.error("invalid", "invalid-data", text, at, "system"));
            } else {
                let version = coding.version.or(version);
                self.exists(&mut checked, own, version, coding, at, None);
            }
            checked.result = passes(&checked);
            if checked.result {
                return checked;
            }
            failed = failed.or(Some(checked));
        }
        failed.unwrap_or_else(|| self.nothing())
    }

    fn nothing(&self) -> Checked {
        let text = "there is no code to check".to_owned();
        let issues = vec![self.error("invalid", "invalid-data", text, 0, "code")];
        Checked { issues, ..Checked::default() }
    }

    fn start(&self, coding: &CodingRef<'_>, system: &str) -> Checked {
        Checked {
            system: Some(system.to_owned()),
            code: Some(coding.code.to_owned()),
            ..Checked::default()
        }
    }

    fn no_system(&self, coding: &CodingRef<'_>, at: usize) -> Checked {
        let text =
            format!("the code `{}` has no system and none could be inferred", short(coding.code));
        Checked {
            code: Some(coding.code.to_owned()),
            issues: vec![self.error("invalid", "cannot-infer", text, at, "code")],
            ..Checked::default()
        }
    }

    fn one_in_set(&self, compiled: &Compiled, coding: &CodingRef<'_>, at: usize) -> Checked {
        let inferred;
        let system = match coding.system {
            Some(system) => system,
            None => {
                let (found, systems) = compiled.infer(coding.code);
                match systems.as_slice() {
                    [only] => {
                        inferred = only.clone();
                        &*inferred
                    }
                    // A bare code may be of any code system where it is not to be inferred.
                    [first, ..] if !self.wanted.infer_system => {
                        inferred = first.clone();
                        &*inferred
                    }
                    [] if found != Membership::Unknown => {
                        return self.not_in_set(compiled, coding, None, at);
                    }
                    _ => return self.no_system(coding, at),
                }
            }
        };
        let mut checked = match compiled.contains(system, coding.code) {
            Membership::Out => return self.not_in_set(compiled, coding, Some(system), at),
            Membership::Unknown => {
                let mut checked = self.start(coding, system);
                self.undecided(&mut checked, compiled, system, at);
                return checked;
            }
            Membership::In => self.start(coding, system),
        };
        let part = compiled.part_of(system, coding.code);
        let listed = part.and_then(|part| part.entry(coding.code));
        let source = part.map(|part| part.source.clone());
        let version = source.as_ref().and_then(|s| s.version().map(|version| version.to_string()));
        if let Some((asked, used)) = coding.version.zip(version.as_deref())
            && asked != used
        {
            let text = format!(
                "the coding is of version `{asked}` of `{system}`, the value set uses `{used}`"
            );
            checked.issues.push(self.error("invalid", "vs-invalid", text, at, "version"));
        }
        self.exists(&mut checked, system, version.as_deref(), coding, at, listed);
        checked.result = passes(&checked);
        checked
    }

    fn not_in_set(
        &self,
        compiled: &Compiled,
        coding: &CodingRef<'_>,
        system: Option<&str>,
        at: usize,
    ) -> Checked {
        let code = short(coding.code);
        let url = compiled.set.canonical();
        let of = system.map(|system| format!(" of `{system}`")).unwrap_or_default();
        let text = format!("the code `{code}`{of} is not in the value set `{url}`");
        let mut checked = Checked {
            system: system.map(str::to_owned),
            code: Some(coding.code.to_owned()),
            ..Checked::default()
        };
        checked.issues.push(self.error("code-invalid", "not-in-vs", text, at, "code"));
        if let Some(system) = system {
            self.exists(&mut checked, system, coding.version, coding, at, None);
        }
        checked
    }

    fn undecided(&self, checked: &mut Checked, compiled: &Compiled, system: &str, at: usize) {
        let url = compiled.set.canonical();
        let text = format!(
            "whether the code is in the value set `{url}` cannot be said: the content of the code \
             system `{system}` is not available on this server"
        );
        checked.undecided = true;
        checked.issues.push(self.error("not-found", "not-found", text, at, "system"));
    }

    /// Checks the code itself: exists, may be used, has this display.
    fn exists(
        &self,
        checked: &mut Checked,
        system: &str,
        version: Option<&str>,
        coding: &CodingRef<'_>,
        at: usize,
        listed: Option<&Listed>,
    ) {
        let source = self.terms.source(system, version);
        let concept = match (&source, source.contains(coding.code)) {
            (Source::Listed(listed), Membership::In) => {
                listed.find(coding.code).map(|concept| (listed, concept))
            }
            (Source::Grammar(grammar), Membership::In) => {
                checked.display = listed
                    .and_then(|listed| listed.display.as_deref().map(str::to_owned))
                    .or_else(|| grammar.display(coding.code));
                None
            }
            (_, Membership::Unknown) if listed.is_some() => None,
            (_, Membership::Unknown) => {
                let known = self.terms.system(system, None).is_some();
                let text = if version.is_some() && known {
                    let version = version.unwrap_or_default();
                    format!(
                        "the version `{version}` of the code system `{system}` is not available on this server"
                    )
                } else {
                    format!(
                        "the content of the code system `{system}` is not available on this server"
                    )
                };
                checked.undecided = true;
                checked.issues.push(self.error("not-found", "not-found", text, at, "system"));
                return;
            }
            _ => {
                let code = short(coding.code);
                let text = format!("the code `{code}` is not in the code system `{system}`");
                checked.issues.push(self.error("code-invalid", "invalid-code", text, at, "code"));
                return;
            }
        };
        checked.version = source.version().map(|version| version.to_string());
        if let Some((listed, concept)) = concept {
            self.usable(checked, listed, concept, coding, at);
        }
        self.display(checked, concept, coding, at, listed);
    }

    fn usable(
        &self,
        checked: &mut Checked,
        system: &CodeSystem,
        concept: Concept,
        coding: &CodingRef<'_>,
        at: usize,
    ) {
        let code = short(coding.code);
        let own = system.code(concept);
        if own != coding.code {
            let text = format!("the code `{code}` differs in case from `{own}`");
            checked.issues.push(self.issue(
                Severity::Information,
                "business-rule",
                "code-rule",
                text,
                at,
                "code",
            ));
        }
        if self.wanted.allow_abstract == Some(false) && system.is_abstract(concept) {
            let text = format!("the code `{code}` is abstract and may not be used here");
            checked.issues.push(self.error("business-rule", "code-rule", text, at, "code"));
        }
        if system.is_inactive(concept) {
            checked.inactive = true;
            let text = format!("the code `{code}` is no longer active");
            let severity =
                if self.wanted.active_only { Severity::Error } else { Severity::Warning };
            checked.issues.push(self.issue(
                severity,
                "business-rule",
                "code-comment",
                text,
                at,
                "code",
            ));
        }
    }

    fn display(
        &self,
        checked: &mut Checked,
        concept: Option<(&Arc<CodeSystem>, Concept)>,
        coding: &CodingRef<'_>,
        at: usize,
        listed: Option<&Listed>,
    ) {
        let names = self.terms.names(concept, listed, None);
        if concept.is_some() || listed.is_some() {
            let language = self.wanted.display_language;
            checked.display = names.display(language).or_else(|| checked.display.take());
        }
        let (Some(display), Some(right)) = (coding.display, checked.display.as_deref()) else {
            return;
        };
        let own = concept.and_then(|(system, concept)| system.display(concept));
        let mut known = Some(right).into_iter().chain(own);
        if known.any(|known| alike(known, display)) {
            return;
        }
        // A unit or media type may be shown in any words.
        let fixed = concept.is_some() || listed.is_some();
        if !fixed || names.designations().iter().any(|d| alike(&d.value, display)) {
            return;
        }
        let text = format!(
            "the display of the code `{}` is `{right}`, not what was given",
            short(coding.code)
        );
        let severity =
            if self.wanted.lenient_display { Severity::Warning } else { Severity::Error };
        checked.issues.push(self.issue(
            severity,
            "invalid",
            "invalid-display",
            text,
            at,
            "display",
        ));
    }

    fn error(
        &self,
        kind: &'static str,
        detail: &'static str,
        text: String,
        at: usize,
        member: &str,
    ) -> Issue {
        self.issue(Severity::Error, kind, detail, text, at, member)
    }

    fn issue(
        &self,
        severity: Severity,
        kind: &'static str,
        detail: &'static str,
        text: String,
        at: usize,
        member: &str,
    ) -> Issue {
        let expression = match self.wanted.element {
            "" => member.to_owned(),
            "CodeableConcept" => format!("CodeableConcept.coding[{at}].{member}"),
            element => format!("{element}.{member}"),
        };
        Issue { severity, kind, detail, text, expression }
    }
}

fn passes(checked: &Checked) -> bool {
    checked.issues.iter().all(|issue| issue.severity != Severity::Error)
}

/// Displays that differ in case and white space only are the same.
fn alike(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    words(a) == words(b)
}

/// A code as messages show it.
fn short(code: &str) -> String {
    code.chars().take(80).collect()
}
