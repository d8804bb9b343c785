//! Everything that is known of a code.

use crate::Error;
use crate::system::{Designation, PropertyValue};
use crate::terms::{Source, Terminology};

/// What is known of a code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Name of the code system.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Address of the code system.
    pub system: String,
    /// The code as the code system writes it.
    pub code: String,
    /// Display in the language asked for.
    pub display: String,
    /// What it means.
    pub definition: Option<String>,
    /// Other names.
    pub designations: Vec<Designation>,
    /// Properties: declared ones, `parent`, `child`, `inactive`, `notSelectable`.
    pub properties: Vec<PropertyValue>,
    /// Not to be recorded.
    pub is_abstract: bool,
}

impl Terminology {
    /// Looks a code up. `language` chooses the display. Fails for a code that does not exist and
    /// where the code system's content is not available.
    pub fn lookup(
        &self,
        system: &str,
        version: Option<&str>,
        code: &str,
        language: Option<&str>,
    ) -> Result<Found, Error> {
        let unknown = || Error::UnknownCode { system: system.to_owned(), code: code.to_owned() };
        let listed = match self.source(system, version) {
            Source::Missing => return Err(Error::NoContent(system.to_owned())),
            Source::Grammar(grammar) if grammar.contains(code) => {
                let names = crate::grammar::GRAMMARS.iter().find(|(url, _)| *url == system);
                return Ok(Found {
                    name: names.map_or(system, |(_, name)| name).to_owned(),
                    system: system.to_owned(),
                    code: code.to_owned(),
                    display: grammar.display(code).unwrap_or_else(|| code.to_owned()),
                    ..Found::default()
                });
            }
            Source::Grammar(_) => return Err(unknown()),
            Source::Listed(listed) => listed,
        };
        let concept = listed.find(code).ok_or_else(unknown)?;
        let mut details = listed.details(concept);
        for supplement in self.supplements(&listed.head.url) {
            if let Some(concept) = supplement.find(code) {
                details.extend(supplement.details(concept));
            }
        }
        let names = self.names(Some((&listed, concept)), None, None);
        let display = names.display(language);
        let mut properties = details.properties;
        let text = |name: &str, code: &str| PropertyValue::text(name, "Code", code);
        properties.extend(listed.parents(concept).map(|c| text("parent", listed.code(c))));
        properties.extend(listed.children(concept).map(|c| text("child", listed.code(c))));
        if !properties.iter().any(|p| p.code == "inactive") {
            let json = listed.is_inactive(concept).to_string();
            properties.push(PropertyValue {
                code: "inactive".into(),
                kind: "Boolean".into(),
                json,
            });
        }
        Ok(Found {
            name: listed.head.name.to_string(),
            version: listed.head.version.as_deref().map(str::to_owned),
            system: listed.head.url.to_string(),
            code: listed.code(concept).to_owned(),
            display: display.unwrap_or_else(|| code.to_owned()),
            definition: details.definition,
            designations: details.designations,
            properties,
            is_abstract: listed.is_abstract(concept),
        })
    }
}
