//! Topics that users store: a Basic resource of code `SubscriptionTopic` whose extensions carry
//! the elements of the R5 resource, as the backport guide writes them for FHIR R4.

use fhir::{Resource, Value};
use fhirpath::search::Registry;
use store::Snapshot;
use store::query::search;

use super::topic::{FilterBy, On, Topic, TopicTrigger, Topics, is_offered, of_event};
use crate::records::parse;
use crate::{Error, Kind, Result};

const CODE: &str = "http://hl7.org/fhir/fhir-types|SubscriptionTopic";
const ROOT: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.";
/// Most topics that users may store.
const MAX_TOPICS: usize = 1_000;

/// Whether a Basic resource is a topic.
pub fn is_topic(resource: &Resource) -> bool {
    let codings = resource.get("code").and_then(|code| code.get("coding"));
    resource.type_name() == "Basic"
        && codings.into_iter().flat_map(Value::items).any(|coding| {
            coding.get("system").is_some_and(|s| s.is_str("http://hl7.org/fhir/fhir-types"))
                && coding.get("code").is_some_and(|c| c.is_str("SubscriptionTopic"))
        })
}

/// All that are stored and can be read; where two have one URL, the one stored later counts.
pub fn load(registry: &Registry, snapshot: &dyn Snapshot) -> Result<Topics> {
    let query = search("Basic", &[("code", CODE)]).map_err(|e| Error::internal(e.to_string()))?;
    let mut topics = Topics::new();
    for stored in snapshot.load(&snapshot.find(&query, MAX_TOPICS, false)?)? {
        // One that was stored before this version could read it helps nobody and harms nobody.
        if let Ok(topic) = read(registry, &parse(&stored)?) {
            topics.insert(topic.url.clone(), topic);
        }
    }
    Ok(topics)
}

/// Reads a topic. What is not understood is refused by name.
pub fn read(registry: &Registry, resource: &Resource) -> Result<Topic> {
    let refused = |message: String| Error::new(Kind::Unprocessable, message);
    let mut topic =
        Topic { url: String::new(), title: String::new(), triggers: Vec::new(), filters: None };
    let mut filters = Vec::new();
    let list = resource.get("extension");
    for extension in list.into_iter().flat_map(Value::items) {
        let url = extension.str_at("url").unwrap_or_default();
        let Some(element) = url.strip_prefix(ROOT) else { continue };
        match element {
            "url" => topic.url = extension.str_at("valueUri").unwrap_or_default().into_owned(),
            "title" => topic.title = text(extension),
            "resourceTrigger" => topic.triggers.push(trigger(extension)?),
            "canFilterBy" => filters.push(filter(extension)?),
            "eventTrigger" => topic.triggers.extend(event(extension)?),
            // The rest describes the topic and changes nothing about it.
            _ => {}
        }
    }
    if !topic.url.contains("://") {
        return Err(refused("a topic needs its canonical `url`".into()));
    }
    if topic.triggers.is_empty() {
        return Err(refused("a topic needs a `resourceTrigger` or an `eventTrigger`".into()));
    }
    topic.filters = Some(filters);
    super::criteria::of_topic(registry, &topic, &[])?;
    Ok(topic)
}

fn text(extension: Value<'_>) -> String {
    let names = ["valueString", "valueMarkdown", "valueCode", "valueUri", "valueCanonical"];
    let found = names.into_iter().find_map(|name| extension.str_at(name));
    found.unwrap_or_default().into_owned()
}

/// Name and value of the parts of a complex extension.
fn parts<'a>(extension: Value<'a>) -> impl Iterator<Item = (String, Value<'a>)> {
    let list = extension.get("extension").into_iter().flat_map(Value::items);
    list.filter_map(|part| Some((part.str_at("url")?.into_owned(), part)))
}

fn type_of(part: Value<'_>) -> Result<&'static str> {
    let text = text(part);
    let name = text.rsplit('/').next().unwrap_or_default();
    fhir::definitions::resource_type(name).filter(|known| is_offered(known)).ok_or_else(|| {
        Error::new(Kind::Unprocessable, "a topic names a resource type that is not offered")
    })
}

fn trigger(extension: Value<'_>) -> Result<TopicTrigger> {
    let mut trigger = TopicTrigger {
        types: Vec::new(),
        on: On { create: false, update: false, delete: false },
        previous: None,
        current: None,
        create_passes: false,
        delete_passes: false,
        both: false,
        fhirpath: None,
    };
    for (name, part) in parts(extension) {
        match name.as_str() {
            "resource" => trigger.types.push(type_of(part)?),
            "supportedInteraction" => match text(part).as_str() {
                "create" => trigger.on.create = true,
                "update" => trigger.on.update = true,
                "delete" => trigger.on.delete = true,
                _ => {
                    return Err(Error::new(
                        Kind::Unprocessable,
                        "`supportedInteraction` must be create, update or delete",
                    ));
                }
            },
            "queryCriteria" => criteria(part, &mut trigger)?,
            "description" => {}
            "fhirPathCriteria" => trigger.fhirpath = Some(text(part)),
            _ => {
                return Err(Error::new(
                    Kind::Unprocessable,
                    "`resourceTrigger` has a part that is not known",
                ));
            }
        }
    }
    if trigger.on == (On { create: false, update: false, delete: false }) {
        trigger.on = On::ANY;
    }
    if trigger.types.is_empty() {
        return Err(Error::new(Kind::Unprocessable, "`resourceTrigger` needs its `resource`"));
    }
    Ok(trigger)
}

fn criteria(extension: Value<'_>, trigger: &mut TopicTrigger) -> Result<()> {
    for (name, part) in parts(extension) {
        match name.as_str() {
            "previous" => trigger.previous = Some(text(part)),
            "current" => trigger.current = Some(text(part)),
            "resultForCreate" => trigger.create_passes = text(part) == "test-passes",
            "resultForDelete" => trigger.delete_passes = text(part) == "test-passes",
            "requireBoth" => {
                trigger.both = part.get("valueBoolean").and_then(Value::as_bool).unwrap_or(false);
            }
            _ => {
                return Err(Error::new(
                    Kind::Unprocessable,
                    "`queryCriteria` has a part that is not known",
                ));
            }
        }
    }
    Ok(())
}

/// What an event of the outside world means for the resources that the trigger names.
fn event(extension: Value<'_>) -> Result<Vec<TopicTrigger>> {
    let (mut codings, mut resource_type) = (Vec::new(), None);
    for (name, part) in parts(extension) {
        match name.as_str() {
            "event" => {
                let concept = part.get("valueCodeableConcept").and_then(|v| v.get("coding"));
                codings.extend(concept.into_iter().flat_map(Value::items).map(|coding| {
                    let text = |name| coding.str_at(name).unwrap_or_default().into_owned();
                    (text("system"), text("code"))
                }));
            }
            "resource" => resource_type = Some(type_of(part)?),
            "description" => {}
            _ => {
                return Err(Error::new(
                    Kind::Unprocessable,
                    "`eventTrigger` has a part that is not known",
                ));
            }
        }
    }
    let Some(resource_type) = resource_type else {
        return Err(Error::new(Kind::Unprocessable, "`eventTrigger` needs its `resource`"));
    };
    let known = codings.iter().map(|(system, code)| of_event(system, code, resource_type));
    known.into_iter().find(|triggers| !triggers.is_empty()).ok_or_else(|| {
        Error::new(
            Kind::Unprocessable,
            format!("the `event` of an `eventTrigger` does not show in `{resource_type}` here; use `resourceTrigger`"),
        )
    })
}

fn filter(extension: Value<'_>) -> Result<FilterBy> {
    let mut filter = FilterBy {
        resource_type: None,
        param: String::new(),
        comparators: Vec::new(),
        modifiers: Vec::new(),
    };
    for (name, part) in parts(extension) {
        match name.as_str() {
            "resource" => filter.resource_type = Some(type_of(part)?),
            "filterParameter" => filter.param = text(part),
            "comparator" => filter.comparators.push(text(part)),
            "modifier" => filter.modifiers.push(text(part)),
            "description" | "filterDefinition" => {}
            _ => {
                return Err(Error::new(
                    Kind::Unprocessable,
                    "`canFilterBy` has a part that is not known",
                ));
            }
        }
    }
    if filter.param.is_empty() {
        return Err(Error::new(Kind::Unprocessable, "`canFilterBy` needs its `filterParameter`"));
    }
    Ok(filter)
}
