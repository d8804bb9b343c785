//! The doors of single resources: reading and changing what is withheld answers as for what does not
//! exist, and changes nothing.

use reqwest::Method;
use serde_json::json;

use crate::visit::{By, Visit};
use crate::world::Item;

/// Reading, versions, history, and changes of single resources.
pub async fn one_by_one(visit: &mut Visit<'_>) {
    let as_resource = [("accept", "application/fhir+json")];
    for item in visit.items.iter().filter(|item| visit.is_open(item)).collect::<Vec<_>>() {
        let path = format!("/fhir/{}", item.reference());
        let read = visit.client.send(Method::GET, &path, None, &as_resource).await;
        visit.look_for("read", &read.text, &[item]);
    }
    for item in visit.hidden() {
        let kind = item.kind;
        let of = |rest: &str| format!("/fhir/{kind}/{{id}}{rest}");
        let get = |rest: &str| (Method::GET, of(rest));
        for (door, (method, path), headers) in [
            ("read", get(""), &as_resource[..]),
            ("read", get(""), &[]),
            ("read", get("?_elements=id"), &as_resource),
            ("read", get("?_summary=text"), &as_resource),
            ("read", get("?_format=xml"), &[]),
            ("read if changed", get(""), &[("if-none-match", "W/\"1\"")]),
            ("read if changed", get(""), &[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")]),
            ("head", (Method::HEAD, of("")), &[]),
            ("vread", get("/_history/1"), &as_resource),
            ("history", get("/_history"), &[]),
            ("history", get("/_history?_since=2000-01-01T00:00:00Z&_count=1"), &[]),
            ("meta", get("/$meta"), &[]),
            ("meta", get("/_history/1/$meta"), &[]),
            ("validate", get("/$validate"), &[]),
        ] {
            visit.alike_with(door, (method, &path), headers, item, None).await;
        }
        for url in [format!("{kind}/{{id}}"), format!("{kind}?_id={{id}}")] {
            let entry = json!({"request": {"method": "GET", "url": url}});
            let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
            visit.alike("batch", (Method::POST, "/fhir"), item, Some(batch)).await;
        }
        let query = json!({"query": format!("{{{kind}(id: \"{{id}}\") {{ id }}}}")});
        visit.alike("graphql", (Method::POST, "/fhir/$graphql"), item, Some(query)).await;
        if kind == "Patient" || kind == "Encounter" {
            visit.alike("everything", (Method::GET, &of("/$everything")), item, None).await;
        }
    }
}

/// Changes of single resources, which tell nothing and change nothing. `stands` says which version
/// of a resource stands, and whether it is a deletion.
pub async fn changes(visit: &mut Visit<'_>, stands: &dyn Fn(&Item) -> Option<(u64, bool)>) {
    for item in visit.hidden() {
        let before = stands(item);
        let path = format!("/fhir/{}/{{id}}", item.kind);
        let patch = json!([{"op": "add", "path": "/language", "value": "en"}]);
        visit.alike("patch", (Method::PATCH, &path), item, Some(patch)).await;
        visit.unchanged("patch", item, before, stands);
        // With something else in it, or nothing would change.
        let mut other = item.json.clone();
        other["id"] = json!("{id}");
        other["language"] = json!("de");
        visit.alike("update", (Method::PUT, &path), item, Some(other.clone())).await;
        visit.unchanged("update", item, before, stands);
        let validate = format!("{path}/$validate?mode=update");
        visit.alike("validate", (Method::POST, &validate), item, Some(other)).await;
        let tag = json!({"resourceType": "Parameters", "parameter": [{"name": "meta",
            "valueMeta": {"tag": [{"system": "urn:example:tags", "code": "seen"}]}}]});
        for change in ["$meta-add", "$meta-delete"] {
            let path = format!("{path}/{change}");
            visit.alike("meta", (Method::POST, &path), item, Some(tag.clone())).await;
        }
        visit.unchanged("meta", item, before, stands);
        conditions(visit, item, before, stands).await;
        visit.alike("delete", (Method::DELETE, &path), item, None).await;
        visit.unchanged("delete", item, before, stands);
    }
}

/// Conditional changes must neither tell nor touch.
async fn conditions(
    visit: &mut Visit<'_>,
    item: &Item,
    before: Option<(u64, bool)>,
    stands: &dyn Fn(&Item) -> Option<(u64, bool)>,
) {
    let by = match item.kind {
        "Binary" | "Bundle" | "Provenance" => "_id={id}",
        _ => "identifier={mark}",
    };
    let path = format!("/fhir/{}?{by}", item.kind);
    let patch = json!([{"op": "add", "path": "/language", "value": "fr"}]);
    visit.alike("conditional patch", (Method::PATCH, &path), item, Some(patch)).await;
    visit.unchanged("conditional patch", item, before, stands);
    // Where a condition may be stated, each of these leaves something behind if nothing is found.
    let mut new = item.json.clone();
    new.as_object_mut().expect("an object").remove("id");
    let stated = path_of(&path, item);
    let closed = visit.client.send(Method::PUT, &stated, Some(new.to_string()), &[]).await.status;
    visit.try_one("conditional update", By::Answer, item);
    if closed != 403 && closed != 404 {
        let what = format!("{closed} for {}", item.reference());
        visit.leak("conditional update", By::Answer, what);
    }
    visit.unchanged("conditional update", item, before, stands);
    let condition = [("if-none-exist", path_of(by, item))];
    let condition = condition.each_ref().map(|(name, value)| (*name, value.as_str()));
    let create = format!("/fhir/{}", item.kind);
    let made = visit.client.send(Method::POST, &create, Some(new.to_string()), &condition).await;
    visit.try_one("conditional create", By::Answer, item);
    if made.status != 403 {
        let what = format!("{} for {}", made.status, item.reference());
        visit.leak("conditional create", By::Answer, what);
    }
    let about = json!({"resourceType": "Basic", "code": {"text": "a note"},
        "subject": {"reference": format!("{}?{by}", item.kind)}});
    let entry = json!({"request": {"method": "POST", "url": "Basic"}, "resource": about});
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let door = "conditional reference";
    visit.alike(door, (Method::POST, "/fhir"), item, Some(transaction)).await;
    visit.alike("conditional delete", (Method::DELETE, &path), item, None).await;
    visit.unchanged("conditional delete", item, before, stands);
}

fn path_of(path: &str, item: &Item) -> String {
    path.replace("{id}", &item.id).replace("{mark}", &item.mark)
}
