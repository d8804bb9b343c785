//! Validates resources: for whoever asks (`$validate`), and before they are stored.

use std::collections::BTreeMap;

use fhir::{Document, Resource};
use store::{Key, Method, Write};
use validation::{Code, Issue, Level, NoCodes, Options, Severity, Validator, operation_outcome};

use super::read;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, terminology};

/// What a node validates with, and what it insists on.
pub struct Validation {
    /// Definitions and profiles.
    pub validator: Validator,
    /// What is enforced where nothing is said of the type.
    pub default: Enforced,
    /// What is enforced for a resource type.
    pub by_type: BTreeMap<String, Enforced>,
}

/// What content must fulfil before it is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Enforced {
    /// A level.
    Level(Level),
    /// All of R4, the profiles that the content claims, and this one.
    Profile(String),
}

impl std::fmt::Debug for Validation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validation").field("default", &self.default).finish_non_exhaustive()
    }
}

impl Validation {
    /// What is enforced for a type.
    pub fn enforced(&self, resource_type: &str) -> &Enforced {
        self.by_type.get(resource_type).unwrap_or(&self.default)
    }
}

/// For what a resource is validated (FHIR R4, resource-validation-mode).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it is, without a purpose.
    General,
    /// Whether it could be created.
    Create,
    /// Whether it could become the next version of a resource.
    Update,
    /// Whether a resource could be deleted; needs no content.
    Delete,
}

/// What `$validate` is asked.
#[derive(Debug)]
pub struct Asked {
    /// The type it is asked of; `None` for any.
    pub resource_type: Option<&'static str>,
    /// The resource it is asked of.
    pub key: Option<Key>,
    /// The content; `None` for what is stored under `key`.
    pub content: Option<String>,
    /// For what.
    pub mode: Mode,
    /// Profiles to check besides those that the content claims.
    pub profiles: Vec<String>,
}

/// Validates and answers with an OperationOutcome, in JSON. Content that is no JSON, or no
/// resource, is a finding like others.
///
/// Errors: those of reading, where the content is what is stored.
pub fn validate(app: &App, caller: &Caller, asked: &Asked) -> Result<String> {
    let stored = match (&asked.key, &asked.content) {
        (Some(key), None) => Some(read::read(app, caller, key, None)?),
        (Some(key), Some(_)) if asked.mode != Mode::Create => {
            Some(read::read(app, caller, key, None)?)
        }
        _ => {
            authorise(app, caller, Action::reading(asked.resource_type.unwrap_or("*")))?;
            None
        }
    };
    if asked.mode == Mode::Delete {
        return Ok(operation_outcome(&[], ""));
    }
    let text = match (&asked.content, stored) {
        (Some(content), _) => content.clone(),
        (None, Some(stored)) => stored.text.to_string(),
        (None, None) => return Err(Error::invalid("required", "there is nothing to validate")),
    };
    let document = match Document::parse(text.as_str()) {
        Ok(document) => document,
        Err(error) => {
            let issue = finding("Resource", format!("the content is not valid JSON: {error}"));
            return Ok(operation_outcome(&[issue], ""));
        }
    };
    let options = Options { profiles: &asked.profiles, ..Options::new(app.now_ms()) };
    let codes = terminology::current(app)?;
    let mut issues = app.validation().validator.validate(document.root(), options, &*codes);
    issues.splice(0..0, about_request(asked, &document));
    Ok(operation_outcome(&issues, &text))
}

/// What does not fit between the content and where it was sent.
fn about_request(asked: &Asked, document: &Document) -> Option<Issue> {
    let stated = document.root().str_at("resourceType")?;
    let wanted = asked.resource_type.filter(|wanted| *wanted != "Resource" && **wanted != *stated);
    if let Some(wanted) = wanted {
        return Some(finding(&stated, format!("the content is not of type `{wanted}`")));
    }
    let key = asked.key.as_ref().filter(|_| asked.mode == Mode::Update)?;
    let own = document.root().str_at("id");
    (own.as_deref() != Some(key.id.as_str()))
        .then(|| finding(&stated, "the `id` in the content is not the one in the address".into()))
}

fn finding(expression: &str, message: String) -> Issue {
    Issue {
        severity: Severity::Error,
        code: Code::Structure,
        expression: expression.to_owned(),
        message,
        profile: None,
        range: 0..0,
    }
}

/// Refuses content that does not fulfil what this node insists on for its type.
///
/// Errors: [`Kind::Unprocessable`], with an OperationOutcome that lists every finding.
pub(crate) fn enforce(app: &App, resource: &Resource) -> Result<()> {
    insist(app, resource, app.validation().enforced(resource.type_name()))
}

/// The same for what is imported. Imports bring what others have checked, in great numbers: only
/// what the operator insists on beyond the structure, or for a type by name, is looked at.
pub(crate) fn enforce_imported(app: &App, resource: &Resource) -> Result<()> {
    let validation = app.validation();
    match validation.by_type.get(resource.type_name()) {
        Some(enforced) => insist(app, resource, enforced),
        None if validation.default <= Enforced::Level(Level::Structure) => Ok(()),
        None => insist(app, resource, &validation.default),
    }
}

fn insist(app: &App, resource: &Resource, enforced: &Enforced) -> Result<()> {
    let validation = app.validation();
    let (level, profiles) = match enforced {
        Enforced::Level(level) => (*level, [].as_slice()),
        Enforced::Profile(url) => (Level::Profiles, std::slice::from_ref(url)),
    };
    if level == Level::Off {
        return Ok(());
    }
    let options = Options { level, profiles, ..Options::new(app.now_ms()) };
    let issues = if level > Level::Structure {
        let codes = terminology::current(app)?;
        validation.validator.validate(resource.root(), options, &*codes)
    } else {
        // Structure asks for no code.
        validation.validator.validate(resource.root(), options, &NoCodes)
    };
    let errors = issues.iter().filter(|issue| issue.is_error());
    let Some(first) = errors.clone().next() else { return Ok(()) };
    let more = match errors.count() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let message = format!("{}: {}{more}", first.expression, first.message);
    let outcome = operation_outcome(&issues, resource.text());
    Err(Error::new(Kind::Unprocessable, message).explained(outcome))
}

/// The same for a write; deletions are always in order.
pub(crate) fn enforce_write(app: &App, write: &Write) -> Result<()> {
    match write {
        Write::Put { resource, method, .. } if *method != Method::Delete => enforce(app, resource),
        _ => Ok(()),
    }
}
