//! Reading a CodeSystem resource.

use std::borrow::Cow;

use fhir::Value;

use super::{
    Builder, CodeSystem, Concept, Content, Designation, Details, Head, Property, PropertyValue, Row,
};
use crate::Error;
use crate::text::{boxed, owned, shared};

/// The deepest nesting of concepts that is followed.
const MAX_DEPTH: usize = 60;

impl CodeSystem {
    /// Reads a CodeSystem resource of FHIR R4. Fails without `url`, and for a code system too
    /// large to hold.
    pub fn read(resource: Value<'_>) -> Result<Self, Error> {
        let mut reader = Reader { builder: Builder::new(head(resource)?), links: Vec::new() };
        reader.concepts(resource, None, 0)?;
        let Reader { builder, links } = reader;
        Ok(builder.finish(links.iter().map(|(child, parent)| (&**child, &**parent))))
    }
}

fn head(resource: Value<'_>) -> Result<Head, Error> {
    let url =
        shared(resource, "url").ok_or_else(|| Error::invalid("the CodeSystem has no `url`"))?;
    let flag = |name| resource.get(name).and_then(Value::as_bool);
    let properties = resource.get("property").into_iter().flat_map(Value::items);
    let meaning = resource.str_at("hierarchyMeaning");
    let title = boxed(resource, "title");
    Ok(Head {
        url,
        version: shared(resource, "version"),
        name: boxed(resource, "name").or_else(|| title.clone()).unwrap_or_default(),
        title,
        status: boxed(resource, "status").unwrap_or_default(),
        language: boxed(resource, "language"),
        case_sensitive: flag("caseSensitive").unwrap_or(true),
        content: Content::read(&resource.str_at("content").unwrap_or(Cow::Borrowed("complete"))),
        value_set: boxed(resource, "valueSet"),
        supplements: boxed(resource, "supplements"),
        subsumes: meaning.is_none_or(|meaning| meaning == "is-a"),
        compositional: flag("compositional").unwrap_or(false),
        properties: properties
            .filter_map(|property| {
                Some(Property {
                    code: boxed(property, "code")?,
                    kind: boxed(property, "type").unwrap_or_default(),
                    description: boxed(property, "description"),
                })
            })
            .collect(),
    })
}

struct Reader {
    builder: Builder,
    /// Links that are stated by code: child before parent.
    links: Vec<(Box<str>, Box<str>)>,
}

impl Reader {
    fn concepts(
        &mut self,
        holder: Value<'_>,
        parent: Option<Concept>,
        depth: usize,
    ) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::TooCostly("the concepts are nested too deeply".into()));
        }
        for concept in holder.get("concept").into_iter().flat_map(Value::items) {
            let Some(code) = concept.str_at("code") else { continue };
            let mut row = Row {
                code: &code,
                display: &concept.str_at("display").unwrap_or_default(),
                ..Row::default()
            };
            row.details.definition = owned(concept, "definition");
            row.details.designations = designations(concept);
            self.properties(concept, &mut row);
            let added = self.builder.add(&row)?;
            if let Some(parent) = parent {
                self.builder.link(added, parent);
            }
            self.concepts(concept, Some(added), depth + 1)?;
        }
        Ok(())
    }

    fn properties(&mut self, concept: Value<'_>, row: &mut Row<'_>) {
        for property in concept.get("property").into_iter().flat_map(Value::items) {
            let Some(code) = property.str_at("code") else { continue };
            let value = property
                .members()
                .find_map(|m| Some((m.name().strip_prefix("value")?.to_owned(), m.value)));
            let Some((kind, value)) = value else { continue };
            let text = value.as_str().unwrap_or_default();
            match &*code {
                "parent" if kind == "Code" => {
                    self.links.push((row.code.into(), text.into()));
                    continue;
                }
                "child" if kind == "Code" => {
                    self.links.push((text.into(), row.code.into()));
                    continue;
                }
                "notSelectable" | "abstract" => row.is_abstract |= value.as_bool() == Some(true),
                "inactive" => row.inactive |= value.as_bool() == Some(true),
                "status" => row.inactive |= matches!(&*text, "retired" | "inactive"),
                _ => {}
            }
            let json = value.raw().to_owned();
            row.details.properties.push(PropertyValue { code: code.into_owned(), kind, json });
        }
    }
}

/// `designation` of a concept in a CodeSystem or ValueSet.
pub(crate) fn designations(concept: Value<'_>) -> Vec<Designation> {
    let list = concept.get("designation").into_iter().flat_map(Value::items);
    list.filter_map(|designation| {
        let usage = designation.get("use").and_then(|usage| {
            let part = |name| owned(usage, name).unwrap_or_default();
            Some((part("system"), owned(usage, "code")?, part("display")))
        });
        let value = owned(designation, "value")?;
        Some(Designation { language: owned(designation, "language"), usage, value })
    })
    .collect()
}

impl Details {
    /// Adds what a supplement says of the same concept.
    pub(crate) fn extend(&mut self, other: Details) {
        self.definition = self.definition.take().or(other.definition);
        self.designations.extend(other.designations);
        self.properties.extend(other.properties);
    }
}
