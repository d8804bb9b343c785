//! A ValueSet resource in the form the engine works on.

use std::sync::Arc;

use fhir::Value;

use crate::Error;
use crate::system::{Designation, designations};
use crate::text::{boxed, owned, shared};

/// The most concepts that one value set may list.
pub const MAX_LISTED: usize = 1_000_000;

/// A value set's definition.
#[derive(Clone, Debug)]
pub struct ValueSet {
    /// Canonical address; empty for one that came inside a request without.
    pub url: Arc<str>,
    /// Business version.
    pub version: Option<Arc<str>>,
    /// Name for programs.
    pub name: Option<Box<str>>,
    /// Name for people.
    pub title: Option<Box<str>>,
    /// Publication status.
    pub status: Box<str>,
    /// Language of what it lists.
    pub language: Option<Box<str>>,
    /// `compose.inactive`: whether inactive codes belong to it.
    pub inactive: Option<bool>,
    /// What belongs to it; one is enough.
    pub include: Vec<Component>,
    /// What does not.
    pub exclude: Vec<Component>,
    /// Whether the include list was made out of a stored expansion, for want of a definition.
    pub from_expansion: bool,
}

/// One include or exclude: all its conditions hold together.
#[derive(Clone, Debug, Default)]
pub struct Component {
    /// The code system.
    pub system: Option<Arc<str>>,
    /// Its version.
    pub version: Option<Arc<str>>,
    /// The codes, where they are listed.
    pub listed: Vec<Listed>,
    /// Conditions on the code system's concepts.
    pub filters: Vec<Filter>,
    /// Value sets that the codes must belong to.
    pub imports: Vec<Arc<str>>,
}

/// A listed code.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The code.
    pub code: Box<str>,
    /// The display that the value set gives it.
    pub display: Option<Box<str>>,
    /// Other names that the value set gives it.
    pub designations: Box<[Designation]>,
}

/// A condition on a property.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The property's code, or `concept`, `code`, `display`.
    pub property: Box<str>,
    /// The operator's code, `is-a` for example.
    pub op: Box<str>,
    /// What to compare with.
    pub value: Box<str>,
}

impl ValueSet {
    /// Reads a ValueSet resource of FHIR R4. Fails where it says nothing of its content.
    pub fn read(resource: Value<'_>) -> Result<Self, Error> {
        let compose = resource.get("compose");
        let parts = |name| -> Result<Vec<Component>, Error> {
            let list = compose.and_then(|compose| compose.get(name));
            list.into_iter().flat_map(Value::items).map(component).collect()
        };
        let (mut include, exclude) = (parts("include")?, parts("exclude")?);
        let expansion = resource.get("expansion").filter(|_| compose.is_none());
        if let Some(expansion) = expansion {
            contained(expansion, &mut include, 0)?;
        }
        Ok(Self {
            url: shared(resource, "url").unwrap_or_else(|| "".into()),
            version: shared(resource, "version"),
            name: boxed(resource, "name"),
            title: boxed(resource, "title"),
            status: boxed(resource, "status").unwrap_or_else(|| "active".into()),
            language: boxed(resource, "language"),
            inactive: compose.and_then(|compose| compose.get("inactive")?.as_bool()),
            include,
            exclude,
            from_expansion: expansion.is_some(),
        })
    }

    /// The value set of all codes of a code system.
    pub(crate) fn of_system(url: Arc<str>, component: Component) -> Self {
        Self {
            url,
            version: component.version.clone(),
            name: None,
            title: None,
            status: "active".into(),
            language: None,
            inactive: None,
            include: vec![component],
            exclude: Vec::new(),
            from_expansion: false,
        }
    }

    /// Its canonical address with version.
    pub fn canonical(&self) -> String {
        match &self.version {
            Some(version) => format!("{}|{version}", self.url),
            None => self.url.to_string(),
        }
    }
}

fn component(value: Value<'_>) -> Result<Component, Error> {
    let items = |name| value.get(name).into_iter().flat_map(Value::items);
    let filters = items("filter")
        .map(|filter| {
            let part = |name| {
                boxed(filter, name)
                    .ok_or_else(|| Error::invalid(format!("a filter has no `{name}`")))
            };
            Ok(Filter { property: part("property")?, op: part("op")?, value: part("value")? })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let found = Component {
        system: shared(value, "system"),
        version: shared(value, "version"),
        listed: items("concept").take(MAX_LISTED).filter_map(listed).collect(),
        filters,
        imports: items("valueSet").filter_map(|v| v.as_str().map(|s| Arc::from(&*s))).collect(),
    };
    let selects = !found.listed.is_empty() || !found.filters.is_empty();
    if found.system.is_none() && (selects || found.imports.is_empty()) {
        return Err(Error::invalid("an include or exclude has no `system`"));
    }
    if !found.listed.is_empty() && !found.filters.is_empty() {
        return Err(Error::invalid("an include or exclude has both `concept` and `filter`"));
    }
    Ok(found)
}

fn listed(concept: Value<'_>) -> Option<Listed> {
    Some(Listed {
        code: boxed(concept, "code")?,
        display: boxed(concept, "display"),
        designations: designations(concept).into(),
    })
}

/// The codes of a stored expansion, as components of neighbouring codes of one system.
fn contained(holder: Value<'_>, found: &mut Vec<Component>, depth: usize) -> Result<(), Error> {
    if depth > 60 {
        return Err(Error::TooCostly("the expansion is nested too deeply".into()));
    }
    for entry in holder.get("contains").into_iter().flat_map(Value::items) {
        let system = owned(entry, "system");
        let is_abstract = entry.get("abstract").and_then(Value::as_bool) == Some(true);
        if let (Some(system), Some(code), false) = (&system, listed(entry), is_abstract) {
            match found.last_mut().filter(|last| last.system.as_deref() == Some(system)) {
                Some(last) => last.listed.push(code),
                None => found.push(Component {
                    system: Some(Arc::from(&**system)),
                    version: shared(entry, "version"),
                    listed: vec![code],
                    ..Component::default()
                }),
            }
        }
        contained(entry, found, depth + 1)?;
    }
    Ok(())
}
