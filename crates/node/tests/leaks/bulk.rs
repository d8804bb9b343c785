//! Tables, and files made by jobs.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::text;
use crate::visit::Visit;
use crate::world::{self, EVERYTHING, GROUP, Item, MEMBERS};

/// Tables, and files made by jobs.
pub async fn in_bulk(visit: &mut Visit<'_>) {
    for kind in ["Patient", "Condition", "Observation"] {
        let view = json!({
            "resourceType": "ViewDefinition", "status": "active", "resource": kind, "name": "marks",
            "select": [{"forEach": "identifier", "column": [{"name": "mark", "path": "value"}]}],
        });
        let all = visit.of(kind);
        for format in ["json", "ndjson", "csv", "fhir"] {
            let ask = json!({"resourceType": "Parameters", "parameter": [
                {"name": "_format", "valueString": format},
                {"name": "subjectResource", "resource": view}]});
            let rows = visit.client.post("/fhir/$sql-run", &ask).await;
            visit.look_for("view", &rows.text, &all);
        }
        let ask = json!({"resourceType": "Parameters", "parameter": [
            {"name": "_format", "valueString": "ndjson"},
            {"name": "subject", "part": [{"name": "subjectResource", "resource": view}]}]});
        let files = job(visit, Method::POST, "/fhir/$sql-export", Some(ask.to_string())).await;
        visit.look_for("views exported", &files.text, &all);
    }
    // Files are nobody's whose record is not wholly open.
    let is_listed = |item: &&Item| !world::UNLISTED.contains(&item.kind);
    let all: Vec<&Item> = visit.items.iter().filter(is_listed).collect();
    let files = job(visit, Method::GET, "/fhir/$export", None).await;
    visit.look_for("export", &files.text, &all);
    files.count(visit, "export", &all);
    let files = job(visit, Method::GET, "/fhir/Patient/$export", None).await;
    visit.look("export of patients", &files.text);
    let about: Vec<&Item> = all.iter().filter(|item| item.id != EVERYTHING).copied().collect();
    files.count(visit, "export of patients", &about);
    let group = format!("/fhir/Group/{GROUP}/$export?_type=Condition,Observation,Composition");
    let files = job(visit, Method::GET, &group, None).await;
    let members: Vec<&Item> =
        all.iter().filter(|item| MEMBERS.contains(&item.patient.as_str())).copied().collect();
    let exported: Vec<&Item> = members
        .iter()
        .filter(|item| ["Condition", "Observation", "Composition"].contains(&item.kind))
        .copied()
        .collect();
    visit.look_for("export of a group", &files.text, &exported);
    files.count(visit, "export of a group", &members);
    let since = "/fhir/$export?_since=2000-01-01T00:00:00Z&_type=Condition,Provenance,Binary";
    let files = job(visit, Method::GET, since, None).await;
    visit.look("export", &files.text);
    let some = "/fhir/$export?_type=Condition&_typeFilter=Condition%3Fidentifier%3Amissing%3Dfalse";
    let files = job(visit, Method::GET, some, None).await;
    visit.look("export", &files.text);
    files.count(visit, "export", &all);
    let later = job(visit, Method::GET, "/fhir/Condition?_count=1000", None).await;
    visit.look_for("answered later", &later.text, &visit.of("Condition"));
    let view = json!({"resourceType": "ViewDefinition", "url": "urn:example:marks-of-conditions",
        "status": "active", "resource": "Condition",
        "select": [{"forEach": "identifier", "column": [{"name": "mark", "path": "value"}]}]});
    visit
        .client
        .put("/fhir/ViewDefinition/marks-of-conditions", &with(&view, "id", "marks-of-conditions"))
        .await;
    let conditions = visit.of("Condition");
    for sql in ["SELECT mark FROM c", "SELECT count(*) AS n, max(mark) AS m FROM c"] {
        let library = json!({
            "resourceType": "Library", "status": "active",
            "type": {"coding": [{"code": "sql-query",
                "system": "https://sql-on-fhir.org/ig/CodeSystem/LibraryTypesCodes"}]},
            "relatedArtifact": [{"type": "depends-on",
                "resource": "urn:example:marks-of-conditions", "label": "c"}],
            "content": [{"contentType": "application/sql", "data": STANDARD.encode(sql)}],
        });
        let ask = json!({"resourceType": "Parameters",
            "parameter": [{"name": "queryResource", "resource": library}]});
        let rows = visit.client.post("/fhir/$sqlquery-run?_format=json", &ask).await;
        if rows.status != 200 {
            visit.refused("sql", "$sqlquery-run", &rows);
        }
        match rows.status == 200 && sql.contains("count") {
            true => {
                visit.look("sql", &rows.text);
                let number = rows.json()[0]["n"].as_u64().expect("a number");
                // One row for each identifier, of which each has one.
                visit.count("sql", sql, number, &conditions);
            }
            false => visit.look_for("sql", &rows.text, &conditions),
        }
    }
}

fn with(resource: &Value, name: &str, value: &str) -> Value {
    let mut resource = resource.clone();
    resource[name] = json!(value);
    resource
}

/// What a job has handed out: the list of its files, and all of them one after the other.
struct Files {
    list: Value,
    text: String,
}

impl Files {
    /// How many resources there are of each type, as the list says, must be how many are open.
    fn count(&self, visit: &mut Visit<'_>, door: &str, all: &[&Item]) {
        let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
        for file in self.list["output"].as_array().into_iter().flatten() {
            if let Some(count) = file["count"].as_u64() {
                *numbers.entry(text(&file["type"])).or_default() += count;
            }
        }
        for (kind, number) in numbers {
            let of_kind: Vec<&Item> =
                all.iter().filter(|item| item.kind == kind).copied().collect();
            // Of other types there is more than what carries a mark.
            if !of_kind.is_empty() {
                visit.count(door, &kind, number, &of_kind);
            }
        }
    }
}

/// Everything that a job hands out.
async fn job(visit: &Visit<'_>, method: Method, path: &str, body: Option<String>) -> Files {
    let headers = [("prefer", "respond-async")];
    let accepted = visit.client.send(method, path, body, &headers).await;
    if accepted.status != 202 && !visit.is_staff {
        return Files { list: Value::Null, text: accepted.text };
    }
    let accepted = accepted.expect(202);
    let url = accepted.header("content-location").to_owned();
    let done = loop {
        let answer = visit.get(&url).await;
        if answer.status != 202 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    let mut all = done.text.clone();
    let links: BTreeSet<&str> = done
        .text
        .split('"')
        .filter(|word| word.contains("/_jobs/") && word.contains("/files/"))
        .collect();
    for link in links {
        all.push_str(&visit.get(link).await.text);
    }
    // What was answered later is the answer itself or stands behind the job.
    if let Some(result) = done.headers.get("location").and_then(|url| url.to_str().ok()) {
        all.push_str(&visit.get(result).await.text);
    }
    let list = serde_json::from_str(&done.text).unwrap_or(Value::Null);
    Files { list, text: all }
}
