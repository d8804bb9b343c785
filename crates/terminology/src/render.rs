//! Answers as FHIR R4 resources.

use fhir::json::quote;
use serde_json::{Map, Value, json};

use crate::expand::{Entry, Expand, Expansion};
use crate::lookup::Found;
use crate::system::{Designation, PropertyValue};
use crate::translate::Translation;
use crate::validate::{Checked, Issue};
use crate::value_set::{Component, Filter, Listed, ValueSet};

const TX_ISSUE_TYPE: &str = "http://hl7.org/fhir/tools/CodeSystem/tx-issue-type";

/// The ValueSet of an expansion. `identifier` names it, `timestamp` is an instant; `parameters` are
/// those of the request that the answer is to repeat, as `expansion.parameter` elements.
pub fn expansion(
    expanded: &Expansion,
    wanted: &Expand,
    identifier: &str,
    timestamp: &str,
    parameters: Vec<Value>,
) -> Value {
    let set = &expanded.set;
    let mut resource = Map::new();
    resource.insert("resourceType".into(), "ValueSet".into());
    let texts = [
        ("url", Some(&*set.url).filter(|url| !url.is_empty())),
        ("version", set.version.as_deref()),
        ("name", set.name.as_deref()),
        ("title", set.title.as_deref()),
        ("status", Some(&*set.status)),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            resource.insert(name.into(), text.into());
        }
    }
    let mut all = parameters;
    let used = |name: &str, list: &[String]| -> Vec<Value> {
        list.iter().map(|used| json!({"name": name, "valueUri": used})).collect()
    };
    // A code system without a version has nothing to say here.
    let systems: Vec<_> =
        expanded.used_systems.iter().filter(|used| used.contains('|')).cloned().collect();
    all.extend(used("used-codesystem", &systems));
    all.extend(used("version", &systems));
    all.extend(used("used-valueset", &expanded.used_sets));
    let mut expansion = json!({
        "identifier": identifier,
        "timestamp": timestamp,
        "total": expanded.total,
    });
    if let Some(members) = expansion.as_object_mut() {
        if wanted.offset > 0 || wanted.count.is_some() {
            members.insert("offset".into(), wanted.offset.into());
        }
        if !all.is_empty() {
            members.insert("parameter".into(), all.into());
        }
        if !expanded.entries.is_empty() {
            let entries: Vec<_> = expanded.entries.iter().map(entry).collect();
            members.insert("contains".into(), entries.into());
        }
    }
    resource.insert("expansion".into(), expansion);
    Value::Object(resource)
}

/// `ValueSet.compose`; `None` where the value set's codes were taken from a stored expansion, since
/// how that came about is not known.
pub fn definition(set: &ValueSet) -> Option<Value> {
    if set.from_expansion {
        return None;
    }
    let mut compose = Map::new();
    if let Some(inactive) = set.inactive {
        compose.insert("inactive".into(), inactive.into());
    }
    for (name, list) in [("include", &set.include), ("exclude", &set.exclude)] {
        if !list.is_empty() {
            let list: Vec<_> = list.iter().map(component).collect();
            compose.insert(name.into(), list.into());
        }
    }
    Some(Value::Object(compose))
}

fn component(component: &Component) -> Value {
    let mut members = Map::new();
    for (name, text) in [("system", &component.system), ("version", &component.version)] {
        if let Some(text) = text {
            members.insert(name.into(), (&**text).into());
        }
    }
    if !component.listed.is_empty() {
        let list: Vec<_> = component.listed.iter().map(listed).collect();
        members.insert("concept".into(), list.into());
    }
    if !component.filters.is_empty() {
        let filter = |filter: &Filter| json!({"property": &*filter.property, "op": &*filter.op, "value": &*filter.value});
        let list: Vec<_> = component.filters.iter().map(filter).collect();
        members.insert("filter".into(), list.into());
    }
    if !component.imports.is_empty() {
        let list: Vec<Value> = component.imports.iter().map(|url| (&**url).into()).collect();
        members.insert("valueSet".into(), list.into());
    }
    Value::Object(members)
}

fn listed(listed: &Listed) -> Value {
    let mut members = Map::new();
    members.insert("code".into(), (&*listed.code).into());
    if let Some(display) = &listed.display {
        members.insert("display".into(), (&**display).into());
    }
    if !listed.designations.is_empty() {
        let list = listed.designations.iter().map(|d| Value::Object(designation(d)));
        members.insert("designation".into(), list.collect::<Vec<_>>().into());
    }
    Value::Object(members)
}

fn entry(entry: &Entry) -> Value {
    let mut members = Map::new();
    members.insert("system".into(), (&*entry.system).into());
    if entry.is_abstract {
        members.insert("abstract".into(), true.into());
    }
    if entry.inactive {
        members.insert("inactive".into(), true.into());
    }
    members.insert("code".into(), entry.code.as_str().into());
    if let Some(display) = &entry.display {
        members.insert("display".into(), display.as_str().into());
    }
    if !entry.designations.is_empty() {
        let list = entry.designations.iter().map(|d| Value::Object(designation(d)));
        members.insert("designation".into(), list.collect::<Vec<_>>().into());
    }
    if !entry.contains.is_empty() {
        let list: Vec<_> = entry.contains.iter().map(self::entry).collect();
        members.insert("contains".into(), list.into());
    }
    Value::Object(members)
}

fn designation(designation: &Designation) -> Map<String, Value> {
    let mut members = Map::new();
    if let Some(language) = &designation.language {
        members.insert("language".into(), language.as_str().into());
    }
    if let Some((system, code, display)) = &designation.usage {
        let mut usage = Map::new();
        for (name, text) in [("system", system), ("code", code), ("display", display)] {
            if !text.is_empty() {
                usage.insert(name.into(), text.as_str().into());
            }
        }
        members.insert("use".into(), Value::Object(usage));
    }
    members.insert("value".into(), designation.value.as_str().into());
    members
}

fn parameters(list: Vec<Value>) -> Value {
    json!({"resourceType": "Parameters", "parameter": list})
}

/// The Parameters of a validation, as text: this answer is asked for most.
pub fn validation(checked: &Checked) -> String {
    let mut out = String::with_capacity(512);
    out.push_str(r#"{"resourceType":"Parameters","parameter":[{"name":"result","valueBoolean":"#);
    out.push_str(if checked.result { "true}" } else { "false}" });
    let mut add = |name: &str, member: &str, text: Option<&str>| {
        if let Some(text) = text {
            for part in [",{\"name\":\"", name, "\",\"", member, "\":", &quote(text), "}"] {
                out.push_str(part);
            }
        }
    };
    add("message", "valueString", checked.message().as_deref());
    add("display", "valueString", checked.display.as_deref());
    add("code", "valueCode", checked.code.as_deref());
    add("system", "valueUri", checked.system.as_deref());
    add("version", "valueString", checked.version.as_deref());
    if checked.undecided {
        add("x-caused-by-unknown-system", "valueCanonical", checked.system.as_deref());
    }
    if checked.inactive {
        out.push_str(r#",{"name":"inactive","valueBoolean":true}"#);
    }
    if !checked.issues.is_empty() {
        let issues: Vec<_> = checked.issues.iter().map(issue).collect();
        out.push_str(
            r#",{"name":"issues","resource":{"resourceType":"OperationOutcome","issue":["#,
        );
        out.push_str(&issues.join(","));
        out.push_str("]}}");
    }
    out.push_str("]}");
    out
}

fn issue(issue: &Issue) -> String {
    let (severity, kind, detail) = (issue.severity.code(), issue.kind, issue.detail);
    let (text, place) = (quote(&issue.text), quote(&issue.expression));
    format!(
        "{{\"severity\":\"{severity}\",\"code\":\"{kind}\",\"details\":{{\"coding\":[{{\
         \"system\":\"{TX_ISSUE_TYPE}\",\"code\":\"{detail}\"}}],\"text\":{text}}},\
         \"location\":[{place}],\"expression\":[{place}]}}"
    )
}

/// The Parameters of a lookup. `wanted` are the properties asked for; all if empty.
pub fn lookup(found: &Found, wanted: &[String]) -> Value {
    let mut list = vec![json!({"name": "name", "valueString": found.name})];
    let asked = |name: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == name || wanted == "*")
    };
    if let Some(version) = &found.version {
        list.push(json!({"name": "version", "valueString": version}));
    }
    list.push(json!({"name": "display", "valueString": found.display}));
    list.push(json!({"name": "code", "valueCode": found.code}));
    list.push(json!({"name": "system", "valueUri": found.system}));
    list.push(json!({"name": "abstract", "valueBoolean": found.is_abstract}));
    if let Some(definition) = found.definition.as_ref().filter(|_| asked("definition")) {
        list.push(json!({"name": "definition", "valueString": definition}));
    }
    for designation in found.designations.iter().filter(|d| {
        asked("designation")
            || d.language.as_deref().is_some_and(|language| asked(&format!("lang.{language}")))
    }) {
        list.push(json!({"name": "designation", "part": designation_parts(designation)}));
    }
    for property in found.properties.iter().filter(|property| asked(&property.code)) {
        list.push(json!({"name": "property", "part": property_parts(property)}));
    }
    parameters(list)
}

fn designation_parts(designation: &Designation) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut members = self::designation(designation);
    if let Some(language) = members.remove("language") {
        parts.push(json!({"name": "language", "valueCode": language}));
    }
    if let Some(usage) = members.remove("use") {
        parts.push(json!({"name": "use", "valueCoding": usage}));
    }
    parts.push(json!({"name": "value", "valueString": designation.value}));
    parts
}

fn property_parts(property: &PropertyValue) -> Vec<Value> {
    let value: Value = serde_json::from_str(&property.json).unwrap_or(Value::Null);
    let mut part = Map::new();
    part.insert("name".into(), "value".into());
    part.insert(format!("value{}", property.kind), value);
    vec![json!({"name": "code", "valueCode": property.code}), Value::Object(part)]
}

/// The Parameters of a translation.
pub fn translation(translated: &Translation) -> Value {
    let mut list = vec![json!({"name": "result", "valueBoolean": translated.result})];
    if let Some(message) = &translated.message {
        list.push(json!({"name": "message", "valueString": message}));
    }
    for found in &translated.matches {
        let mut parts = vec![json!({"name": "equivalence", "valueCode": found.equivalence})];
        if let Some((system, code, display)) = &found.concept {
            let coding = coding(system, code, display.as_deref());
            parts.push(json!({"name": "concept", "valueCoding": coding}));
        }
        for product in &found.products {
            let system = product.system.as_deref().unwrap_or_default();
            let concept = coding(system, &product.value, product.display.as_deref());
            let inner = vec![
                json!({"name": "element", "valueUri": &*product.property}),
                json!({"name": "concept", "valueCoding": concept}),
            ];
            parts.push(json!({"name": "product", "part": inner}));
        }
        parts.push(json!({"name": "source", "valueUri": found.source}));
        list.push(json!({"name": "match", "part": parts}));
    }
    parameters(list)
}

fn coding(system: &str, code: &str, display: Option<&str>) -> Value {
    let mut members = Map::new();
    if !system.is_empty() {
        members.insert("system".into(), system.into());
    }
    members.insert("code".into(), code.into());
    if let Some(display) = display {
        members.insert("display".into(), display.into());
    }
    Value::Object(members)
}
