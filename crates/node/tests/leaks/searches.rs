//! Searches: what they find, count and order, and what they bring along.

use reqwest::Method;
use serde_json::{Value, json};

use crate::visit::{By, Visit};
use crate::world::{self, EVERYTHING, Item, KINDS};

/// Searches by type: everything, numbers, order, pages, forms.
pub async fn searches(visit: &mut Visit<'_>) {
    for kind in std::iter::once("Patient").chain(KINDS).chain(["Provenance"]) {
        let all = visit.of(kind);
        visit.search("search", &format!("/fhir/{kind}?_count=1000"), &all).await;
        for part in ["_summary=count", "_total=accurate&_count=1", "_count=0"] {
            let counted = visit.get(&format!("/fhir/{kind}?{part}")).await;
            visit.look("count", &counted.text);
            match (counted.status, counted.json()["total"].as_u64()) {
                (200, Some(total)) => visit.count("count", kind, total, &all),
                _ => visit.refused("count", kind, &counted),
            }
        }
        for part in ["_elements=identifier", "_summary=true", "_summary=text", "_summary=data"] {
            let path = format!("/fhir/{kind}?{part}&_count=1000");
            let some = visit.get(&path).await;
            visit.look("part", &some.text);
            match some.status {
                200 => visit.count("part", &path, some.matches().len() as u64, &all),
                _ => visit.refused("part", &path, &some),
            }
        }
        order(visit, kind).await;
        pages(visit, kind, &all).await;
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let path = format!("/fhir/{kind}/_search");
        let body = Some("_count=1000".to_owned());
        let posted = visit.client.send(Method::POST, &path, body, &form).await;
        visit.look_for("search by form", &posted.text, &all);
        let xml = visit.get(&format!("/fhir/{kind}?_count=1000&_format=xml")).await;
        visit.look_for("xml", &xml.text, &all);
        let path = format!("/fhir/{kind}?_list={EVERYTHING}&_count=1000");
        let listed: Vec<&Item> = all.iter().filter(|item| item.id != EVERYTHING).copied().collect();
        visit.search("list", &path, &listed).await;
        connection(visit, kind, &all).await;
        let listed = visit.get(&format!("/fhir/{kind}/_history?_count=1000")).await;
        visit.look("history of a type", &listed.text);
    }
    // Nobody from whom anything is withheld is told which of these there are.
    for kind in world::UNLISTED {
        let found = visit.get(&format!("/fhir/{kind}?_count=1000&_format=json")).await;
        visit.look("search", &found.text);
        if let Some(total) = found.json()["total"].as_u64().filter(|_| found.status == 200) {
            let open = visit.of(kind).iter().filter(|item| visit.is_open(item)).count() as u64;
            if total > open {
                visit.leak("search", By::Number, format_args!("{kind}: {total} for {open}"));
            }
        }
    }
    let is_listed = |item: &&Item| !world::UNLISTED.contains(&item.kind);
    let all: Vec<&Item> = visit.items.iter().filter(is_listed).collect();
    let types = format!("Patient,Provenance,{}", KINDS.join(","));
    visit.search("search of all types", &format!("/fhir?_type={types}&_count=1000"), &all).await;
    let history = visit.get("/fhir/_history?_count=1000").await;
    visit.look("history of all", &history.text);
}

/// Whatever is sorted by, what is open comes in the order of its ids where it ties.
async fn order(visit: &mut Visit<'_>, kind: &str) {
    let both = [
        format!("/fhir/{kind}?_sort=_id&_count=1000"),
        format!("/fhir/{kind}?_sort=-_id&_count=1000"),
    ];
    let mut ids: Vec<String> = visit
        .of(kind)
        .iter()
        .filter(|item| visit.is_open(item))
        .map(|item| item.id.clone())
        .collect();
    ids.sort();
    for path in both {
        let found = visit.get(&path).await;
        visit.look("sort", &found.text);
        if found.status != 200 {
            visit.refused("sort", &path, &found);
            continue;
        }
        let found = found.matches();
        visit.checked.insert(("sort".to_owned(), By::Order));
        // Others than staff may see less than what is open by consents, in the same order.
        let seen = |id: &&String| visit.is_staff || found.contains(id);
        let expected: Vec<String> = ids.iter().filter(seen).cloned().collect();
        if found != expected {
            let what = format!("{path}: {} for {}", found.len(), ids.len());
            visit.leak("sort", By::Order, what);
        }
        ids.reverse();
    }
}

/// Pages are full but for the last one: a gap would tell of what was left out.
async fn pages(visit: &mut Visit<'_>, kind: &str, all: &[&Item]) {
    const FULL: usize = 7;
    let (mut next, mut found) = (Some(format!("/fhir/{kind}?_count={FULL}")), String::new());
    while let Some(path) = next {
        let page = visit.get(&path).await;
        found.push_str(&page.text);
        if page.status != 200 {
            visit.refused("pages", "a page", &page);
            return;
        }
        next = page.link("next");
        let (here, total) = (page.matches().len(), page.json()["total"].as_u64());
        visit.checked.insert(("pages".to_owned(), By::Order));
        if next.is_some() && here != FULL {
            visit.leak("pages", By::Order, format_args!("{kind}: {here} on a page"));
        }
        if let Some(total) = total {
            visit.count("pages", kind, total, all);
        }
    }
    visit.look_for("pages", &found, all);
}

/// The same by GraphQL: pages behind cursors, and how many there are.
async fn connection(visit: &mut Visit<'_>, kind: &str, all: &[&Item]) {
    let shown = match kind {
        "Provenance" => "reason {text}",
        _ => "identifier {value}",
    };
    let (mut argument, mut found, mut edges) = ("_count: 40".to_owned(), String::new(), 0);
    loop {
        let query = format!(
            "{{{kind}Connection({argument}) {{count next edges {{resource {{id {shown}}}}}}}}}"
        );
        let page = visit.client.post("/fhir/$graphql", &json!({"query": query})).await;
        visit.look("connection", &page.text);
        let told = page.json();
        let told = &told["data"][format!("{kind}Connection")];
        let Some(count) = told["count"].as_u64() else {
            return visit.refused("connection", kind, &page);
        };
        visit.count("connection", kind, count, all);
        edges += told["edges"].as_array().map_or(0, Vec::len);
        found.push_str(&page.text);
        match told["next"].as_str() {
            Some(next) => argument = format!("_cursor: \"{next}\""),
            None => break,
        }
    }
    visit.count("connection", kind, edges as u64, all);
    visit.look_for("connection", &found, all);
}

/// Searches for what only something withheld has, in every way by which it could be met.
pub async fn by_what_is_withheld(visit: &mut Visit<'_>) {
    for item in visit.hidden() {
        let (kind, mark, id) = (item.kind, &item.mark, &item.id);
        let mut paths = vec![
            ("search", format!("{kind}?_id={id}")),
            ("filter", format!("{kind}?_filter=_id eq {id}")),
            ("content", format!("{kind}?_content={mark}")),
            ("narrative", format!("{kind}?_text={mark}")),
        ];
        if kind == "Provenance" {
            let of = id.trim_start_matches("making-of-");
            paths.push(("search", format!("Provenance?target=Observation/{of}&_id={id}")));
            paths.push(("has", format!("Observation?_has:Provenance:target:_id={id}")));
        }
        if world::CARRIED.contains(&kind) {
            for (door, path) in paths {
                visit.finds_nothing(door, &format!("/fhir/{path}")).await;
            }
            continue;
        }
        paths.extend([
            ("search", format!("{kind}?identifier={mark}")),
            ("filter", format!("{kind}?_filter=identifier eq {mark}")),
            ("compartment", format!("Patient/{}/{kind}?identifier={mark}", item.patient)),
        ]);
        match kind {
            "Encounter" => {
                for from in ["Condition", "Observation", "Procedure"] {
                    paths.push(("chain", format!("{from}?encounter.identifier={mark}")));
                }
                paths.push(("chain", format!("Patient?_has:Encounter:patient:identifier={mark}")));
            }
            "Patient" => {
                for from in ["Condition", "Observation", "Encounter"] {
                    paths.push(("chain", format!("{from}?patient.identifier={mark}")));
                }
            }
            "Device" => {}
            "List" => paths.push(("list", format!("Observation?_list={id}"))),
            _ => {
                paths.push(("has", format!("Patient?_has:{kind}:patient:identifier={mark}")));
            }
        }
        if kind == "Observation" {
            paths.push(("chain", format!("DiagnosticReport?result.identifier={mark}")));
            let patient = &item.patient;
            paths.push((
                "lastn",
                format!(
                    "Observation/$lastn?patient={patient}&category=vital-signs&identifier={mark}"
                ),
            ));
            paths.push(("chain", format!("Provenance?target:Observation.identifier={mark}")));
            paths.push(("chain", format!("Composition?entry:Observation.identifier={mark}")));
            paths.push(("chain", format!("List?item:Observation.identifier={mark}")));
        }
        for (door, path) in paths {
            visit.finds_nothing(door, &format!("/fhir/{path}")).await;
        }
        let list = json!({"query": format!("{{{kind}List(identifier: \"{mark}\") {{id}}}}")});
        let found = visit.client.post("/fhir/$graphql", &list).await;
        visit.checked.insert(("graphql".to_owned(), By::Match));
        let found = found.json();
        let listed = found["data"].get(format!("{kind}List"));
        if listed.and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
            visit.leak("graphql", By::Match, format_args!("{kind}List finds `{mark}`"));
        }
    }
}

/// Whatever brings along what was not asked for by name.
pub async fn along(visit: &mut Visit<'_>) {
    let all: Vec<&Item> = visit.items.iter().collect();
    let included = "/fhir/Patient?_count=1000&_revinclude=Condition:patient&_revinclude=Observation:patient\
                    &_revinclude=Encounter:patient&_revinclude=Procedure:patient\
                    &_revinclude=QuestionnaireResponse:patient&_revinclude=List:patient";
    for path in [included, "/fhir/Observation?_count=1000&_revinclude=Provenance:target"] {
        let page = visit.get(path).await;
        visit.look("revinclude", &page.text);
    }
    for path in [
        "/fhir/Observation?_count=1000&_include=Observation:encounter&_include=Observation:patient",
        "/fhir/DiagnosticReport?_count=1000&_include=DiagnosticReport:result&_include:iterate=Observation:encounter",
        "/fhir/Condition?_count=1000&_include=*",
        "/fhir/Provenance?_count=1000&_include=Provenance:target",
        "/fhir/Composition?_count=1000&_include=Composition:entry",
        "/fhir/List?_count=1000&_include=List:item",
    ] {
        let page = visit.get(path).await;
        visit.look("include", &page.text);
    }
    for patient in visit.of("Patient") {
        let own: Vec<&Item> = all
            .iter()
            .filter(|item| {
                item.patient == patient.id && item.kind != "Device" && item.with.is_none()
            })
            .copied()
            .collect();
        if visit.is_open(patient) {
            let path = format!("/fhir/Patient/{}/$everything?_count=1000", patient.id);
            let everything = visit.get(&path).await;
            visit.look_for("everything", &everything.text, &own);
        }
        let path = format!("/fhir/Patient/{}/*?_count=1000", patient.id);
        let within = visit.get(&path).await;
        visit.look("compartment", &within.text);
        let stats = format!(
            "/fhir/Observation/$stats?subject=Patient/{}&code=8480-6&system=http://loinc.org&statistic=count",
            patient.id
        );
        let stats = visit.get(&stats).await;
        visit.look("stats", &stats.text);
        let counted_of: Vec<&Item> = own.iter().filter(|item| is_counted(item)).copied().collect();
        if let Some(count) = counted(&stats.text) {
            visit.count("stats", &patient.id, count as u64, &counted_of);
        }
        let query = format!(
            "/fhir/Patient/{}/$graphql?query={{id,identifier{{value}},\
            ConditionList(_reference:patient){{identifier{{value}}}}}}",
            patient.id
        );
        let graph = visit.get(&query).await;
        visit.look("graphql", &graph.text);
        let last = "category=vital-signs,laboratory&max=99";
        let last = format!("/fhir/Observation/$lastn?patient={}&{last}", patient.id);
        let last = visit.get(&last).await;
        let observations: Vec<&Item> =
            own.iter().filter(|item| item.kind == "Observation").copied().collect();
        visit.look_for("lastn", &last.text, &observations);
        if let Some(total) = last.json()["total"].as_u64().filter(|_| last.status == 200) {
            visit.count("lastn", &patient.id, total, &observations);
        }
        let described = json!({"resourceType": "Patient", "name": patient.json["name"],
            "birthDate": patient.json["birthDate"], "gender": "female"});
        let asked = json!({"resourceType": "Parameters", "parameter": [
            {"name": "resource", "resource": described}]});
        let matched = visit.client.post("/fhir/Patient/$match", &asked).await;
        visit.look_for("match", &matched.text, &[patient]);
    }
}

fn is_counted(item: &Item) -> bool {
    item.kind == "Observation" && item.json["code"]["coding"][0]["code"] == "8480-6"
}

fn counted(stats: &str) -> Option<usize> {
    let stats: Value = serde_json::from_str(stats).ok()?;
    let found = stats.to_string();
    let at = found.find("\"count\"")?;
    let rest = found.get(at..)?;
    let value = rest.split("\"value\":").nth(1)?;
    value.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse().ok()
}
