//! Parts of a resource: `_summary` and `_elements` (FHIR R4, "Search": summary and elements).
//!
//! What must not be lost always stays: the id, `meta`, elements that are mandatory, and elements
//! that change the meaning of what they are part of. A resource of which something may be missing
//! carries the tag `SUBSETTED`, so that nobody stores it over the whole one.

use crate::definitions::{Element, Kind as TypeKind, Type, definitions};
use crate::edit::Edits;
use crate::json::{Document, Kind, Value};

/// The most names that `_elements` may list.
pub const MAX_NAMES: usize = 256;

/// A value of `_summary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// `true`: the elements that are published as part of a summary.
    True,
    /// `text`: narrative, id, `meta` and mandatory elements.
    Text,
    /// `data`: all but the narrative.
    Data,
    /// `count`: no resources at all; of a resource, what [`Summary::Text`] leaves but narrative.
    Count,
    /// `false`: everything.
    False,
}

impl Summary {
    /// Reads the value of the parameter.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "true" => Self::True,
            "text" => Self::Text,
            "data" => Self::Data,
            "count" => Self::Count,
            "false" => Self::False,
            _ => return None,
        })
    }

    /// The value of the parameter.
    pub fn code(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::Text => "text",
            Self::Data => "data",
            Self::Count => "count",
            Self::False => "false",
        }
    }
}

/// The names of an `_elements` parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elements(Vec<Name>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    /// The type it is meant for; all where it is `None`.
    of: Option<&'static str>,
    /// The element's name in FHIRPath.
    element: &'static str,
}

/// A name in `_elements` that no type has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidElements {
    /// Not an element.
    #[error("`_elements`: there is no element `{0}` at the root of these resources")]
    Unknown(String),
    /// Nothing is listed, or too much.
    #[error("`_elements` lists between 1 and 256 names")]
    Count,
}

impl Elements {
    /// Reads the value of the parameter: names of root elements, separated by commas, of the types
    /// that are asked for (none for all). `value` and `value[x]` mean an element with a choice of
    /// types; `Patient.name` means the element of one type.
    pub fn parse(text: &str, types: &[&str]) -> Result<Self, InvalidElements> {
        let listed: Vec<_> = text.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
        if listed.is_empty() || listed.len() > MAX_NAMES {
            return Err(InvalidElements::Count);
        }
        let names = listed.into_iter().map(|name| {
            Self::name(name, types).ok_or_else(|| {
                InvalidElements::Unknown(
                    name.chars().filter(|c| !c.is_control()).take(64).collect(),
                )
            })
        });
        names.collect::<Result<_, _>>().map(Self)
    }

    fn name(text: &str, types: &[&str]) -> Option<Name> {
        let (of, plain) = match text.split_once('.') {
            Some((of, name)) => (Some(crate::resource_type(of)?), name),
            None => (None, text),
        };
        let plain = plain.strip_suffix("[x]").unwrap_or(plain);
        let asked = |t: &&Type| match of {
            Some(of) => t.name == of,
            None => t.is_concrete_resource() && (types.is_empty() || types.contains(&t.name)),
        };
        let element = definitions().types().iter().filter(asked).find_map(|t| t.element(plain))?;
        Some(Name { of, element: element.name })
    }

    fn lists(&self, type_of: &Type, element: &Element) -> bool {
        let meant = |name: &Name| {
            name.element == element.name && name.of.is_none_or(|of| of == type_of.name)
        };
        self.0.iter().any(meant)
    }
}

/// Which part of a resource is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subset {
    /// All of it.
    Whole,
    /// A summary.
    Summary(Summary),
    /// Some elements.
    Elements(Elements),
}

impl Subset {
    /// Whether nothing is left out.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole | Self::Summary(Summary::False))
    }

    /// The text of the wanted part of a resource; `None` where that is the whole resource. What
    /// stays, stays as it is written. A value that is no resource of a known type stays whole.
    pub fn of(&self, resource: Value<'_>) -> Option<String> {
        if self.is_whole() {
            return None;
        }
        let name = resource.str_at("resourceType")?;
        let type_of = definitions().get(&name).filter(|t| t.is_concrete_resource())?;
        let mut out = String::with_capacity(resource.raw().len() / 2);
        self.root(type_of, resource, &mut out);
        Some(tagged(out))
    }

    /// Writes the members of a resource that stay.
    fn root(&self, type_of: &'static Type, resource: Value<'_>, out: &mut String) {
        out.push('{');
        let first = out.len();
        for member in resource.members() {
            let name = member.name();
            let plain = name.strip_prefix('_').unwrap_or(&name);
            let element = type_of.member(plain).map(|(element, _)| element);
            let stays = name == "resourceType"
                || match element {
                    Some(element) => self.keeps(type_of, element),
                    // Members that nobody knows are data.
                    None => *self == Self::Summary(Summary::Data),
                };
            if !stays {
                continue;
            }
            separate(first, out);
            out.push_str(member.raw_name());
            out.push(':');
            match type_of.member(&name) {
                Some((element, choice)) if *self == Self::Summary(Summary::True) => {
                    summary(choice.type_of(), element, member.value, out);
                }
                _ => out.push_str(member.value.raw()),
            }
        }
        out.push('}');
    }

    fn keeps(&self, type_of: &Type, element: &Element) -> bool {
        let always = matches!(element.name, "id" | "meta") || element.min > 0;
        match self {
            Self::Whole | Self::Summary(Summary::False) => true,
            Self::Summary(Summary::Data) => element.name != "text",
            Self::Summary(Summary::Text) => always || element.name == "text",
            Self::Summary(Summary::Count) => always,
            Self::Summary(Summary::True) => always || element.is_modifier || element.is_summary,
            Self::Elements(elements) => {
                always || element.is_modifier || elements.lists(type_of, element)
            }
        }
    }
}

/// Writes a value with the parts of it that belong to a summary.
fn summary(type_of: &'static Type, element: &Element, value: Value<'_>, out: &mut String) {
    let part = |type_of: &Type| {
        matches!(type_of.kind, TypeKind::Complex | TypeKind::Backbone)
            // Half an extension would say something else; some types have no summary.
            && type_of.name != "Extension"
            && element.name != "meta"
            && type_of.elements().iter().any(|e| e.is_summary)
    };
    match value.kind() {
        Kind::Array => {
            out.push('[');
            let first = out.len();
            for item in value.items() {
                separate(first, out);
                summary(type_of, element, item, out);
            }
            out.push(']');
        }
        Kind::Object if part(type_of) => {
            out.push('{');
            let first = out.len();
            for member in value.members() {
                let name = member.name();
                let plain = name.strip_prefix('_').unwrap_or(&name);
                let Some((inner, _)) = type_of.member(plain) else { continue };
                if !(inner.is_summary || inner.is_modifier || inner.min > 0 || inner.name == "id") {
                    continue;
                }
                separate(first, out);
                out.push_str(member.raw_name());
                out.push(':');
                match type_of.member(&name) {
                    Some((inner, choice)) => summary(choice.type_of(), inner, member.value, out),
                    None => out.push_str(member.value.raw()),
                }
            }
            out.push('}');
        }
        _ => out.push_str(value.raw()),
    }
}

fn separate(first: usize, out: &mut String) {
    if out.len() > first {
        out.push(',');
    }
}

const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const CODE: &str = "SUBSETTED";

/// The JSON text of a resource with the tag that tells that it is incomplete, where that is not there
/// yet.
pub fn tagged(text: String) -> String {
    // The text is put together from parts of a parsed one and parses too.
    let Ok(document) = Document::parse(text.as_str()) else { return text };
    let root = document.root();
    let tag = format!("{{\"system\":\"{SYSTEM}\",\"code\":\"{CODE}\"}}");
    let mut edits = Edits::default();
    match root.get("meta") {
        None => {
            let after = if root.get("id").is_some() { "id" } else { "resourceType" };
            edits.set(root, "meta", &format!("{{\"tag\":[{tag}]}}"), after);
        }
        Some(meta) => match meta.get("tag") {
            Some(tags) if tags.items().any(is_tag) => return text,
            Some(tags) if tags.kind() == Kind::Array => {
                let end = tags.range().end.saturating_sub(1);
                let comma = if tags.items().next().is_some() { "," } else { "" };
                edits.replace(end..end, format!("{comma}{tag}"));
            }
            _ => match meta.members().last() {
                Some(last) => {
                    let last = last.name().into_owned();
                    edits.set(meta, "tag", &format!("[{tag}]"), &last);
                }
                None => edits.set(meta, "tag", &format!("[{tag}]"), ""),
            },
        },
    }
    edits.apply(&text)
}

fn is_tag(tag: Value<'_>) -> bool {
    let is = |name: &str, text: &str| tag.get(name).is_some_and(|value| value.is_str(text));
    is("system", SYSTEM) && is("code", CODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

    fn check(subset: &Subset, text: &str, expected: &str) {
        let document = Document::parse(text).unwrap();
        let found = subset.of(document.root()).unwrap();
        assert_eq!(found, expected.replace("TAG", TAG));
        assert!(Document::parse(found).is_ok());
    }

    fn elements(text: &str) -> Subset {
        Subset::Elements(Elements::parse(text, &["Observation"]).unwrap())
    }

    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","text":{"status":"generated","div":"<div/>"},"language":"en","implicitRules":"u","status":"final","_status":{"id":"s"},"code":{"text":"c"},"valueQuantity":{"value":1.50},"note":[{"text":"n"}],"component":[{"id":"i","code":{"coding":[{"code":"1","userSelected":true}]},"valueString":"v","referenceRange":[{"text":"r"}],"extension":[{"url":"e","valueString":"x"}],"modifierExtension":[{"url":"m","valueString":"x"}]}]}"#;

    #[test]
    fn summaries_hold_what_is_published_as_summary() {
        check(
            &Subset::Summary(Summary::True),
            OBSERVATION,
            r#"{"resourceType":"Observation","id":"o","meta":{"tag":[TAG]},"implicitRules":"u","status":"final","_status":{"id":"s"},"code":{"text":"c"},"valueQuantity":{"value":1.50},"component":[{"id":"i","code":{"coding":[{"code":"1","userSelected":true}]},"valueString":"v","modifierExtension":[{"url":"m","valueString":"x"}]}]}"#,
        );
        check(
            &Subset::Summary(Summary::Text),
            OBSERVATION,
            r#"{"resourceType":"Observation","id":"o","meta":{"tag":[TAG]},"text":{"status":"generated","div":"<div/>"},"status":"final","_status":{"id":"s"},"code":{"text":"c"}}"#,
        );
        let data = OBSERVATION.replace(r#""text":{"status":"generated","div":"<div/>"},"#, "");
        let data = data.replace(r#""id":"o","#, r#""id":"o","meta":{"tag":[TAG]},"#);
        check(&Subset::Summary(Summary::Data), OBSERVATION, &data);
    }

    #[test]
    fn elements_keep_what_must_not_be_lost() {
        check(
            &elements("note,value[x]"),
            OBSERVATION,
            r#"{"resourceType":"Observation","id":"o","meta":{"tag":[TAG]},"implicitRules":"u","status":"final","_status":{"id":"s"},"code":{"text":"c"},"valueQuantity":{"value":1.50},"note":[{"text":"n"}]}"#,
        );
        for (meta, expected) in [
            ("{}", "{\"tag\":[TAG]}"),
            ("{\"source\":\"s\"}", "{\"source\":\"s\",\"tag\":[TAG]}"),
            ("{\"tag\":[]}", "{\"tag\":[TAG]}"),
            ("{\"tag\":[{\"code\":\"x\"}]}", "{\"tag\":[{\"code\":\"x\"},TAG]}"),
        ] {
            check(
                &elements("Observation.note"),
                &format!(r#"{{"resourceType":"Observation","meta":{meta},"subject":{{}}}}"#),
                &format!(r#"{{"resourceType":"Observation","meta":{expected}}}"#),
            );
        }
        let once = elements("id").of(Document::parse(OBSERVATION).unwrap().root()).unwrap();
        check(&elements("id"), &once, &once);
    }

    #[test]
    fn unknown_names_are_refused() {
        let parse = |text: &str, types: &[&str]| Elements::parse(text, types).map(|_| ());
        assert_eq!(parse("name,birthDate", &["Patient"]), Ok(()));
        assert_eq!(parse("birthDate", &[]), Ok(()));
        assert_eq!(parse("Patient.name, Observation.code", &[]), Ok(()));
        for (text, types) in
            [("birthDate", &["Observation"][..]), ("name.given", &["Patient"]), ("x", &[])]
        {
            assert_eq!(parse(text, types), Err(InvalidElements::Unknown(text.into())));
        }
        assert_eq!(parse(" ,", &[]), Err(InvalidElements::Count));
        assert!(Summary::parse("yes").is_none());
    }

    #[test]
    fn whole_is_whole() {
        let document = Document::parse(OBSERVATION).unwrap();
        assert_eq!(Subset::Whole.of(document.root()), None);
        assert_eq!(Subset::Summary(Summary::False).of(document.root()), None);
    }
}
