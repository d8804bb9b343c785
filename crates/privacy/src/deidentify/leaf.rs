//! What the actions do to one value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::definitions::{Kind, System, Type};
use fhir::json::quote;
use fhir::{Kind as Json, Value};

use super::apply::{Context, Label};
use super::dates;
use super::recipe::{Action, Generalise};
use super::subject::Subject;

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The resource: its type and id.
    pub(super) resource: (&'a str, &'a str),
    /// The type that holds the value.
    pub(super) owner: &'static Type,
    /// The name of the value there.
    pub(super) member: &'static str,
    /// Whether binary contents are plain text.
    pub(super) plain: bool,
    /// The largest shift of dates in days.
    pub(super) shift_days: u16,
}

/// The JSON text in place of a value, and what that makes of the resource; `None` to leave it out.
pub(super) fn made(
    context: &Context<'_>,
    subject: &Subject,
    place: Place<'_>,
    type_of: &'static Type,
    value: Value<'_>,
    action: &Action,
) -> Option<(String, Option<Label>)> {
    if !fits(type_of, value.kind()) {
        return None;
    }
    let year = context.reference_year;
    let text = || value.as_str();
    let is_date = matches!(type_of.system, Some(System::Date | System::DateTime));
    match action {
        Action::Redact => None,
        Action::Keep => Some((value.raw().to_owned(), None)),
        Action::ShiftDates if is_date => {
            let days = context.key.shift_days(subject.patient.as_deref()?, place.shift_days);
            Some((quote(&dates::shift(&text()?, days, year)?), Some(Label::Masked)))
        }
        // An instant cannot be a year alone (FHIR R4 section 2.24.0.1).
        Action::YearOnly if is_date && type_of.name != "instant" => {
            Some((quote(&dates::year_only(&text()?, year)?), Some(Label::Abstracted)))
        }
        Action::Generalise(to) => {
            Some((coarser(value, *to, is_date, year)?, Some(Label::Abstracted)))
        }
        Action::Pseudonymise => {
            let (of, id) = place.resource;
            let made = match (place.owner.kind, place.owner.name, place.member) {
                (Kind::Resource, _, "id") => context.key.pseudonym(of, &text()?),
                (_, "Reference", "reference") => context.links.rewrite(context.key, &text()?)?,
                _ if type_of.system == Some(System::String) => {
                    let here = format!("{of}/{id}#{}", value.index());
                    context.key.pseudonym(place.owner.name, &here)
                }
                _ => return None,
            };
            Some((quote(&made), Some(Label::Pseudonymised)))
        }
        Action::Perturb { share } => {
            Some((perturbed(context, place, value, *share)?, Some(Label::Masked)))
        }
        Action::FreeText => free_text(context, subject, place, type_of, value),
        Action::AgeCap => {
            let age: f64 = value.as_number()?.parse().ok()?;
            if age >= 90.0 {
                return Some(("90".to_owned(), Some(Label::Abstracted)));
            }
            (!subject.may_be_old(year)).then(|| (value.raw().to_owned(), None))
        }
        Action::Zip3 => {
            Some((quote(&context.areas.first_three(&text()?)?), Some(Label::Abstracted)))
        }
        // What is a DICOM file is made before.
        Action::ShiftDates | Action::YearOnly | Action::Dicom(_) => None,
    }
}

/// Whether JSON holds the value as its type is written. What does not is no such value: a text in
/// the place of a number could be anything.
fn fits(type_of: &Type, kind: Json) -> bool {
    match type_of.system {
        Some(System::Boolean) => kind == Json::Bool,
        Some(System::Integer | System::Decimal) => kind == Json::Number,
        _ => kind == Json::String,
    }
}

fn coarser(value: Value<'_>, to: Generalise, is_date: bool, year: i16) -> Option<String> {
    match to {
        Generalise::Month | Generalise::FiveYears => {
            let text = value.as_str().filter(|_| is_date)?;
            Some(quote(&dates::coarser(&text, to, year)?))
        }
        Generalise::Band(width) => {
            let number: f64 = value.as_number()?.parse().ok()?;
            let lower = (number / width).floor() * width;
            lower.is_finite().then(|| format!("{lower}"))
        }
        // A date's first characters are not what a rule for codes means.
        Generalise::Prefix(length) => {
            let text = value.as_str().filter(|_| !is_date)?;
            Some(quote(&text.chars().take(length).collect::<String>()))
        }
    }
}

/// The number moved by up to `share` of itself, with as many decimals as it had.
fn perturbed(
    context: &Context<'_>,
    place: Place<'_>,
    value: Value<'_>,
    share: f64,
) -> Option<String> {
    let written = value.as_number()?;
    let number: f64 = written.parse().ok()?;
    let (of, id) = place.resource;
    let here = value.index().to_string();
    let moved = number * (1.0 + share * context.key.noise(&[of, id, place.member, &here]));
    let decimals = written
        .split_once('.')
        .map_or(0, |(_, d)| d.bytes().take_while(u8::is_ascii_digit).count().min(12));
    moved.is_finite().then(|| format!("{moved:.decimals$}"))
}

fn free_text(
    context: &Context<'_>,
    subject: &Subject,
    place: Place<'_>,
    type_of: &Type,
    value: Value<'_>,
) -> Option<(String, Option<Label>)> {
    let text = value.as_str()?;
    let found = |text: &str| context.finder.scrubbed(text, &subject.known);
    let made = match type_of.name {
        "string" | "markdown" => found(&text),
        "xhtml" => context.finder.scrubbed_xhtml(&text, &subject.known),
        "base64Binary" if place.plain => {
            let bytes = STANDARD.decode(text.as_bytes()).ok()?;
            STANDARD.encode(found(&String::from_utf8(bytes).ok()?))
        }
        _ => return None,
    };
    let label = (made != text).then_some(Label::Masked);
    Some((quote(&made), label))
}
