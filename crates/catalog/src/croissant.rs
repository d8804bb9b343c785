//! Croissant 1.1 (MLCommons, docs/croissant-spec-1.1): a data set as programs for machine learning read it.
//!
//! No row can be fetched, so the description has the doors as its distribution and names variables as
//! fields of one record set; the values come as answers to questions.

use serde_json::{Map, Value as Json, json};

use crate::description::{Coding, Dataset, Door, Kind, Variable, Way};
use crate::words::{MOST_NAME, Texts};

/// The version of Croissant.
pub const CONFORMS_TO: &str = "http://mlcommons.org/croissant/1.1";
/// The media type.
pub const MEDIA_TYPE: &str = "application/ld+json; profile=\"http://mlcommons.org/croissant/1.1\"";
/// Where the terms of the Data Use Ontology are.
const DUO: &str = "http://purl.obolibrary.org/obo/DUO_";

/// The data set in Croissant; texts are in this language where they are there in it.
#[must_use]
pub fn describe(set: &Dataset, language: &str) -> Json {
    let mut out = Map::new();
    out.insert("@context".to_owned(), context(language));
    out.insert("@type".to_owned(), json!("sc:Dataset"));
    out.insert("@id".to_owned(), json!(set.iri.as_str()));
    out.insert("conformsTo".to_owned(), json!(CONFORMS_TO));
    out.insert("name".to_owned(), json!(set.title.best(language)));
    out.insert("alternateName".to_owned(), json!(set.name.as_str()));
    out.insert("description".to_owned(), json!(set.description.best(language)));
    out.insert("url".to_owned(), json!(set.page.as_ref().unwrap_or(&set.iri).as_str()));
    out.insert("identifier".to_owned(), json!(set.iri.as_str()));
    out.insert("version".to_owned(), json!(set.version.to_string()));
    out.insert("isLiveDataset".to_owned(), json!(is_live(set)));
    if let Some(licence) = &set.licence {
        out.insert("license".to_owned(), json!(licence.iri.as_str()));
    }
    if let Some(issued) = &set.issued {
        out.insert("datePublished".to_owned(), json!(issued.as_str()));
    }
    if let Some(modified) = &set.modified {
        out.insert("dateModified".to_owned(), json!(modified.as_str()));
    }
    out.insert("inLanguage".to_owned(), set.languages.iter().map(|l| json!(l.as_str())).collect());
    let words = set.keywords.iter().map(|keyword| json!(keyword.word));
    out.insert("keywords".to_owned(), words.collect());
    let publisher = json!({
        "@type": "sc:Organization",
        "@id": set.publisher.iri.as_str(),
        "name": set.publisher.name.best(language),
        "url": set.publisher.homepage.as_str(),
        "email": set.publisher.email.as_str(),
    });
    out.insert("creator".to_owned(), publisher.clone());
    out.insert("publisher".to_owned(), publisher);
    out.insert("conditionsOfAccess".to_owned(), json!(set.conditions.best(language)));
    out.insert(
        "isAccessibleForFree".to_owned(),
        json!(set.access == crate::description::Access::Public),
    );
    coverage(&mut out, set, language);
    out.insert("usageInfo".to_owned(), data_uses(set));
    out.insert("distribution".to_owned(), distribution(set, language));
    if !set.variables.is_empty() {
        out.insert("recordSet".to_owned(), record_sets(set, language));
    }
    Json::Object(out)
}

/// Whether what is behind the description keeps changing: it is made anew, or it is asked through a
/// service, whose answers have no digest (specification, "Live datasets").
fn is_live(set: &Dataset) -> bool {
    let is_service = |door: &Door| matches!(door.way, Way::Service { .. });
    set.frequency.is_some() || set.doors.iter().any(is_service)
}

/// The context that the specification gives, with the language of the texts.
fn context(language: &str) -> Json {
    json!({
        "@language": language,
        "@vocab": "https://schema.org/",
        "annotation": "cr:annotation",
        "arrayShape": "cr:arrayShape",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "containedIn": "cr:containedIn",
        "cr": "http://mlcommons.org/croissant/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "duo": DUO,
        "equivalentProperty": "cr:equivalentProperty",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "extract": "cr:extract",
        "field": "cr:field",
        "fileObject": "cr:fileObject",
        "fileProperty": "cr:fileProperty",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isArray": "cr:isArray",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "parentField": "cr:parentField",
        "path": "cr:path",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
    })
}

fn coverage(out: &mut Map<String, Json>, set: &Dataset, language: &str) {
    if let Some(period) = &set.period {
        let end = period.end.as_ref().map_or("..", |end| end.as_str());
        out.insert("temporalCoverage".to_owned(), json!(format!("{}/{end}", period.start)));
    }
    if !set.places.is_empty() {
        let places = set.places.iter().map(|place| json!(place.label.best(language)));
        out.insert("spatialCoverage".to_owned(), places.collect());
    }
    // Numbers of people and records go with the noise that they hold.
    let counts = [("records", &set.records), ("people", &set.people)];
    let said: Vec<Json> = counts
        .into_iter()
        .filter_map(|(name, count)| count.as_ref().map(|count| (name, count)))
        .map(|(name, count)| {
            let rule = count.rule();
            let value = match count.shown() {
                crate::Shown::About(about) => json!({"value": about}),
                crate::Shown::FewerThan(fewer) => json!({"maxValue": fewer - 1, "minValue": 0}),
            };
            let mut entry = json!({
                "@type": "sc:PropertyValue",
                "name": name,
                "marginOfError": count.margin_95(),
                "measurementTechnique": format!(
                    "Laplace noise of scale {}, rounded to {}, suppressed below {}",
                    rule.noise_scale(), rule.step(), rule.threshold()
                ),
            });
            if let (Some(entry), Json::Object(value)) = (entry.as_object_mut(), value) {
                entry.extend(value);
            }
            entry
        })
        .collect();
    if !said.is_empty() {
        out.insert("variableMeasured".to_owned(), Json::Array(said));
    }
}

fn data_uses(set: &Dataset) -> Json {
    set.data_uses
        .iter()
        .map(|data_use| {
            json!({
                "@type": "sc:DefinedTerm",
                "name": data_use.label,
                "termCode": format!("DUO_{}", data_use.code),
                "url": format!("{DUO}{}", data_use.code),
                "inDefinedTermSet": "http://purl.obolibrary.org/obo/duo.owl",
            })
        })
        .collect()
}

fn distribution(set: &Dataset, language: &str) -> Json {
    let doors = set.doors.iter().map(|door| (door, "door"));
    let sample = set.sample.iter().map(|door| (door, "sample"));
    doors.chain(sample).map(|(door, part)| file_object(door, part, language)).collect()
}

/// A file, or the service as a file that keeps changing: what comes out of it depends on the question, so
/// it has no digest, as the specification has it for live data sets.
fn file_object(door: &Door, part: &str, language: &str) -> Json {
    let mut out = json!({
        "@type": "cr:FileObject",
        "@id": file_id(door, part),
        "name": door.name.as_str(),
        "description": door.description.best(language),
        "encodingFormat": door.media_type,
    });
    let more = match &door.way {
        Way::Service { endpoint, .. } => json!({"contentUrl": endpoint.as_str()}),
        Way::File { download, bytes, sha256 } => json!({
            "contentUrl": download.as_str(),
            "contentSize": format!("{bytes} B"),
            "sha256": sha256.as_str(),
        }),
    };
    if let (Some(out), Json::Object(more)) = (out.as_object_mut(), more) {
        out.extend(more);
    }
    out
}

fn file_id(door: &Door, part: &str) -> String {
    format!("{part}-{}", door.name)
}

fn record_sets(set: &Dataset, language: &str) -> Json {
    // Fields say where their values come from: the sample, if it is there, else the first door.
    let source = match (&set.sample, set.doors.first()) {
        (Some(sample), _) => Some(file_id(sample, "sample")),
        (None, Some(door)) => Some(file_id(door, "door")),
        (None, None) => None,
    };
    let mut sets = vec![json!({
        "@type": "cr:RecordSet",
        "@id": "records",
        "name": "records",
        "description": set.description.best(language),
        "field": set.variables.iter().enumerate()
            .map(|(place, variable)| field(variable, place, source.as_deref(), language))
            .collect::<Vec<_>>(),
    })];
    sets.extend(set.variables.iter().enumerate().filter_map(|(place, v)| levels(v, place)));
    Json::Array(sets)
}

fn field(variable: &Variable, place: usize, source: Option<&str>, language: &str) -> Json {
    let words: &Texts =
        if variable.description.is_empty() { &variable.title } else { &variable.description };
    let mut description = words.best(language).to_owned();
    if let Some(unit) = &variable.unit {
        description.push_str(&format!(" [{}]", unit.ucum));
    }
    let mut out = json!({
        "@type": "cr:Field",
        "@id": field_id(place),
        "name": shortened(&variable.name),
        "description": description,
        "dataType": data_type(&variable.kind),
    });
    let Some(object) = out.as_object_mut() else { return out };
    if let Some(source) = source {
        let source = json!({"fileObject": {"@id": source}, "extract": {"column": variable.name}});
        object.insert("source".to_owned(), source);
    }
    if matches!(variable.kind, Kind::Category { .. }) {
        let levels = json!({"field": {"@id": format!("levels-{place}/name")}});
        object.insert("references".to_owned(), levels);
    }
    if let Some(iri) = variable.coding.as_ref().and_then(|coding| coding.iri.as_ref()) {
        object.insert("equivalentProperty".to_owned(), json!(iri.as_str()));
    }
    out
}

fn field_id(place: usize) -> String {
    format!("records/{place}")
}

/// The levels of a category, as an enumeration with its rows in the description itself.
fn levels(variable: &Variable, place: usize) -> Option<Json> {
    let Kind::Category { levels } = &variable.kind else { return None };
    let id = format!("levels-{place}");
    let (name, url) = (format!("{id}/name"), format!("{id}/url"));
    let rows: Vec<Json> = levels
        .iter()
        .map(|level| {
            let iri = level.coding.as_ref().and_then(|coding: &Coding| coding.iri.as_ref());
            json!({name.as_str(): level.name, url.as_str(): iri.map_or("", |iri| iri.as_str())})
        })
        .collect();
    Some(json!({
        "@type": "cr:RecordSet",
        "@id": id,
        "name": format!("levels of {}", shortened(&variable.name)),
        "dataType": "sc:Enumeration",
        "key": {"@id": name},
        "field": [
            {"@type": "cr:Field", "@id": name, "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": url, "name": "url", "dataType": "sc:URL"},
        ],
        "data": rows,
    }))
}

fn shortened(name: &str) -> String {
    name.chars().take(MOST_NAME).collect()
}

fn data_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Integer { .. } => "sc:Integer",
        Kind::Decimal { .. } => "sc:Float",
        Kind::Category { .. } | Kind::Text => "sc:Text",
        Kind::Truth => "sc:Boolean",
        Kind::Date => "sc:Date",
        Kind::Instant => "sc:DateTime",
    }
}
