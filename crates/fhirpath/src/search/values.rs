//! From elements to index values.

use std::borrow::Cow;

use fhir::definitions::definitions;
use fhir::{Kind, Value};

use super::shape::Shape;
use super::{IndexValue, ParamType, ranges};
use crate::reference::Target;

impl Shape {
    /// Calls `emit` with what an element holds. Elements that are not what their type says
    /// produce nothing.
    pub(super) fn emit(self, value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
        match self {
            Shape::None => {}
            Shape::Extension(param_type) => extension(value, param_type, emit),
            Shape::TokenBoolean => {
                plain_token(value.as_bool().map(|truth| Cow::Owned(truth.to_string())), emit);
            }
            Shape::TokenText => plain_token(value.as_str(), emit),
            Shape::TokenCoding => coding(value, emit),
            Shape::TokenConcept => concept(value, emit),
            Shape::TokenIdentifier => identifier(value, emit),
            Shape::TokenContactPoint => plain_token(value.str_at("value"), emit),
            Shape::Text => text(value, emit),
            Shape::TextParts(parts) => {
                for part in parts {
                    value.get(part).into_iter().flat_map(Value::each).for_each(|v| text(v, emit));
                }
            }
            Shape::TextConcept => {
                value.get("text").into_iter().for_each(|v| text(v, emit));
                let codings = value.get("coding").into_iter().flat_map(Value::each);
                codings.filter_map(|c| c.get("display")).for_each(|v| text(v, emit));
            }
            Shape::Reference => reference(value, emit),
            Shape::ReferenceText => {
                if let Some(text) = value.as_str() {
                    emit(target(Target::parse(&text), None, None));
                }
            }
            Shape::ReferenceIdentifier => {
                if let Some(identifier) = pair(value) {
                    emit(target(Target::default(), None, Some(identifier)));
                }
            }
            Shape::ReferenceResource => resource(value, emit),
            Shape::Date => date(ranges::date(value), emit),
            Shape::Period => date(ranges::period(value), emit),
            Shape::Timing => date(ranges::timing(value), emit),
            Shape::Integer => number(ranges::integer(value), emit),
            Shape::Decimal => number(ranges::decimal(value), emit),
            Shape::NumberRange => number(ranges::range(value), emit),
            Shape::Quantity => quantity(ranges::quantity(value), value, emit),
            Shape::Money => money(value, emit),
            Shape::QuantityRange => {
                let unit = value.get("low").or_else(|| value.get("high"));
                unit.into_iter().for_each(|unit| quantity(ranges::range(value), unit, emit));
            }
            Shape::SampledData => {
                let unit = value.get("origin");
                unit.into_iter().for_each(|unit| quantity(ranges::sampled(value), unit, emit));
            }
            Shape::Position => position(value, emit),
            Shape::Uri => {
                owned(value.as_str()).into_iter().for_each(|uri| emit(IndexValue::Uri(uri)));
            }
        }
    }
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(Cow::into_owned)
}

fn token(system: Option<String>, code: Option<String>, text: Option<String>) -> IndexValue {
    IndexValue::Token { system, code, text }
}

/// A code without system.
fn plain_token(code: Option<Cow<'_, str>>, emit: &mut dyn FnMut(IndexValue)) {
    if let Some(code) = owned(code) {
        emit(token(None, Some(code), None));
    }
}

/// The member `value[x]` of an extension, by the type in its name.
fn extension(value: Value<'_>, param_type: ParamType, emit: &mut dyn FnMut(IndexValue)) {
    let Some(extension) = definitions().get("Extension") else { return };
    for member in value.members() {
        match extension.member(&member.name()) {
            Some((element, choice)) if element.name == "value" => {
                Shape::of(param_type, choice.type_of()).emit(member.value, emit);
            }
            _ => {}
        }
    }
}

fn coding(value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
    let (system, code) = (owned(value.str_at("system")), owned(value.str_at("code")));
    let text = owned(value.str_at("display"));
    if system.is_some() || code.is_some() || text.is_some() {
        emit(token(system, code, text));
    }
}

/// Each coding, and the text where no coding displays the same.
fn concept(value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
    let codings = || value.get("coding").into_iter().flat_map(Value::each);
    codings().for_each(|each| coding(each, emit));
    let text = value.get("text").and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(text) = text
        && !codings().any(|each| each.get("display").is_some_and(|shown| shown.is_str(&text)))
    {
        emit(token(None, None, Some(text.into_owned())));
    }
}

fn identifier(value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
    let (system, code) = (owned(value.str_at("system")), owned(value.str_at("value")));
    let kind = value.get("type");
    let text = owned(kind.and_then(|kind| kind.str_at("text")));
    let codings = kind.and_then(|kind| kind.get("coding")).into_iter().flat_map(Value::each);
    for coding in codings.filter(|_| code.is_some()) {
        if let (Some(type_code), Some(value)) = (owned(coding.str_at("code")), code.clone()) {
            let system = owned(coding.str_at("system"));
            emit(IndexValue::Typed { system, code: type_code, value });
        }
    }
    if system.is_some() || code.is_some() || text.is_some() {
        emit(token(system, code, text));
    }
}

/// A latitude and a longitude that are on the globe.
fn position(value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
    let degrees = |name: &str, most: f64| {
        let number = value.get(name)?.as_number()?.parse::<f64>().ok()?;
        (number.abs() <= most).then_some(number)
    };
    if let (Some(latitude), Some(longitude)) =
        (degrees("latitude", 90.0), degrees("longitude", 180.0))
    {
        emit(IndexValue::Position { latitude, longitude });
    }
}

fn text(value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
    owned(value.as_str()).into_iter().for_each(|text| emit(IndexValue::String(text)));
}

/// System and value of an Identifier that has a value.
fn pair(identifier: Value<'_>) -> Option<(Option<String>, String)> {
    let value = owned(identifier.str_at("value"))?;
    Some((owned(identifier.str_at("system")), value))
}

/// References to contained resources lead nowhere from outside; their identifier still does.
fn reference(value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
    let identifier = value.get("identifier").and_then(pair);
    let stated = value.str_at("type").and_then(|name| fhir::resource_type(&name));
    let text = value.str_at("reference").filter(|text| !text.is_empty() && !text.starts_with('#'));
    match text {
        Some(text) => emit(target(Target::parse(&text), stated, identifier)),
        None if identifier.is_some() => emit(target(Target::default(), stated, identifier)),
        None => {}
    }
}

/// A resource in place, where it has an id.
fn resource(value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
    let resource_type = value.str_at("resourceType").and_then(|name| fhir::resource_type(&name));
    let id = value.str_at("id");
    if resource_type.is_some() && id.is_some() {
        let whole = Target { resource_type, id: id.as_deref(), url: None, version: None };
        emit(target(whole, None, None));
    }
}

fn target(
    target: Target<'_>,
    stated: Option<&'static str>,
    identifier: Option<(Option<String>, String)>,
) -> IndexValue {
    IndexValue::Reference {
        resource_type: target.resource_type.or(stated).map(str::to_owned),
        id: target.id.map(str::to_owned),
        url: target.url.map(str::to_owned),
        version: target.version.map(str::to_owned),
        identifier,
    }
}

fn date(range: Option<fhir::time::Range>, emit: &mut dyn FnMut(IndexValue)) {
    if let Some(fhir::time::Range { start_ms, end_ms }) = range {
        emit(IndexValue::Date { start_ms, end_ms });
    }
}

fn number(range: Option<ranges::NumberRange>, emit: &mut dyn FnMut(IndexValue)) {
    if let Some(ranges::NumberRange { low, high, value }) = range {
        emit(IndexValue::Number { low, high, value });
    }
}

/// A range of numbers with the unit of a Quantity.
fn quantity(
    range: Option<ranges::NumberRange>,
    holder: Value<'_>,
    emit: &mut dyn FnMut(IndexValue),
) {
    let member = |name: &str| match holder.kind() {
        Kind::Object => owned(holder.str_at(name)),
        _ => None,
    };
    if let Some(range) = range {
        emit(with_unit(range, member("system"), member("code"), member("unit")));
    }
}

/// An amount with its currency as the unit (ISO 4217).
fn money(value: Value<'_>, emit: &mut dyn FnMut(IndexValue)) {
    let code = owned(value.str_at("currency"));
    let system = code.is_some().then(|| "urn:iso:std:iso:4217".to_owned());
    if let Some(range) = value.get("value").and_then(ranges::decimal) {
        emit(with_unit(range, system, code, None));
    }
}

fn with_unit(
    range: ranges::NumberRange,
    system: Option<String>,
    code: Option<String>,
    unit: Option<String>,
) -> IndexValue {
    let ranges::NumberRange { low, high, value } = range;
    IndexValue::Quantity { low, high, value, system, code, unit }
}
