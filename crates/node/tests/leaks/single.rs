//! The doors of single resources: reading and changing what is withheld answers as for what does not
//! exist, and changes nothing.

use reqwest::Method;
use serde_json::json;

use crate::visit::{By, Visit};
use crate::world::{Item, marks};

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
    let path = format!("/fhir/{}", item.kind);
    makes_alike(visit, "conditional update", (Method::PUT, &format!("{path}?{by}"), ""), item)
        .await;
    visit.unchanged("conditional update", item, before, stands);
    makes_alike(visit, "conditional create", (Method::POST, &path, by), item).await;
    let path = format!("/fhir/{}?{by}", item.kind);
    let about = json!({"resourceType": "Basic", "code": {"text": "a note"},
        "subject": {"reference": format!("{}?{by}", item.kind)}});
    let entry = json!({"request": {"method": "POST", "url": "Basic"}, "resource": about});
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let door = "conditional reference";
    visit.alike(door, (Method::POST, "/fhir"), item, Some(transaction)).await;
    visit.alike("conditional delete", (Method::DELETE, &path), item, None).await;
    visit.unchanged("conditional delete", item, before, stands);
}

/// What makes something where its condition finds nothing does so for what is hidden as for what is not
/// there. It makes something about nobody.
async fn makes_alike(
    visit: &mut Visit<'_>,
    door: &str,
    (method, path, condition): (Method, &str, &str),
    item: &Item,
) {
    let nobody = Item::mark(999, 99);
    let mut new = item.json.clone();
    new.as_object_mut().expect("an object").remove("id");
    let text = new.to_string().replace(&item.patient, "nobody");
    // No condition finds what was made before.
    let other = Item::mark(998, 98);
    let new = marks(&text).iter().fold(text.clone(), |text, mark| text.replace(mark, &other));
    let mut statuses = Vec::new();
    for (id, mark) in [(&item.id, &item.mark), (&format!("absent-{}", item.id), &nobody)] {
        let fill = |text: &str| text.replace("{id}", id).replace("{mark}", mark);
        let condition = fill(condition);
        let headers = [("if-none-exist", condition.as_str())];
        let headers = if condition.is_empty() { &[][..] } else { &headers[..] };
        let made = visit.client.send(method.clone(), &fill(path), Some(new.clone()), headers).await;
        if made.status == 201 {
            let place = made.header("location").split("/_history").next().unwrap_or_default();
            visit.made.extend(place.rsplit('/').next().map(|id| (item.kind, id.to_owned())));
        }
        statuses.push(made.status);
    }
    visit.try_one(door, By::Answer, item);
    if statuses.first() != statuses.last() {
        visit.leak(door, By::Answer, format!("{statuses:?} for {}", item.reference()));
    }
}
