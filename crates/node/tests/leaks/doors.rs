//! The doors, each tried with everything that one caller may and may not see. What comes out must
//! show all marks of what is open and none of what is withheld, also not by a number or an order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Answer, Client, text};
use crate::world::{Item, KINDS, marks};

/// The id of a List that refers to every resource.
pub const EVERYTHING: &str = "everything-there-is";

/// One caller before the doors of one hospital.
pub struct Visit<'a> {
    pub client: &'a Client,
    pub items: &'a [Item],
    /// Marks of what is withheld from the caller.
    pub withheld: BTreeSet<String>,
    /// Whether the caller may use every door, so that what is open must come out; others are
    /// refused at some of them.
    pub is_staff: bool,
    /// Most withheld resources that are asked for one by one.
    pub most_by_item: usize,
    /// What was found that should not be, door first; the first of many.
    pub leaks: Vec<String>,
    /// The doors behind which something was found that should not be.
    pub leaking: BTreeSet<String>,
    /// What is open and did not come out where it should.
    pub missing: Vec<String>,
    /// The doors that were tried, and how many resources were looked for behind each.
    pub tried: BTreeMap<String, Tried>,
}

/// The resources that were looked for behind a door.
#[derive(Clone, Debug)]
pub enum Tried {
    All(usize),
    Some(BTreeSet<String>),
}

impl Tried {
    pub fn cases(&self) -> usize {
        match self {
            Self::All(number) => *number,
            Self::Some(marks) => marks.len(),
        }
    }
}

impl<'a> Visit<'a> {
    pub fn new(client: &'a Client, items: &'a [Item], withheld: BTreeSet<String>) -> Self {
        Self {
            client,
            items,
            withheld,
            is_staff: true,
            most_by_item: usize::MAX,
            leaks: Vec::new(),
            leaking: BTreeSet::new(),
            missing: Vec::new(),
            tried: BTreeMap::new(),
        }
    }

    /// How many pairs of a resource and a door were looked at.
    pub fn cases(&self) -> usize {
        self.tried.values().map(Tried::cases).sum()
    }

    pub fn is_open(&self, item: &Item) -> bool {
        !self.withheld.contains(&item.mark)
    }

    /// What is withheld, evenly chosen where it is more than is asked for one by one.
    fn hidden(&self) -> Vec<&'a Item> {
        let all: Vec<&Item> = self.items.iter().filter(|item| !self.is_open(item)).collect();
        let step = all.len().div_ceil(self.most_by_item).max(1);
        all.into_iter().step_by(step).collect()
    }

    fn of(&self, kind: &str) -> Vec<&'a Item> {
        self.items.iter().filter(|item| item.kind == kind).collect()
    }

    fn try_all(&mut self, door: &str) {
        self.tried.insert(door.to_owned(), Tried::All(self.items.len()));
    }

    fn try_one(&mut self, door: &str, item: &Item) {
        let some = || Tried::Some(BTreeSet::new());
        let tried = self.tried.entry(door.to_owned()).or_insert_with(some);
        if let Tried::Some(marks) = tried {
            marks.insert(item.mark.clone());
        }
    }

    pub fn leak(&mut self, door: &str, what: impl std::fmt::Display) {
        self.leaking.insert(door.to_owned());
        if self.leaks.len() < 50 {
            self.leaks.push(format!("{door}: {what}"));
        }
    }

    /// Looks through a text for what must not be in it.
    pub fn look(&mut self, door: &str, found: &str) -> BTreeSet<String> {
        let found = marks(found);
        self.try_all(door);
        for mark in &found {
            if self.withheld.contains(mark.as_str()) {
                self.leak(door, format_args!("`{mark}` came out"));
            }
        }
        found
    }

    /// The same where every open one of `expected` must come out.
    pub fn look_for(&mut self, door: &str, found: &str, expected: &[&Item]) {
        let found = self.look(door, found);
        if !self.is_staff {
            return;
        }
        for item in expected {
            if self.is_open(item) && !found.contains(&item.mark) {
                self.missing.push(format!("{door}: {}", item.reference()));
            }
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await
    }

    /// Asks the same of something withheld and of something that does not exist; the answers must
    /// not differ.
    async fn alike(
        &mut self,
        door: &str,
        (method, path): (Method, &str),
        item: &Item,
        body: Option<Value>,
    ) {
        let headers: &[(&str, &str)] = match method {
            Method::PATCH => &[("content-type", "application/json-patch+json")],
            _ => &[],
        };
        let absent = format!("absent-{}", item.id);
        let ask = async |id: &str| {
            let path = path.replace("{id}", id);
            let body = body.as_ref().map(|body| body.to_string().replace("{id}", id));
            let answer = self.client.send(method.clone(), &path, body, headers).await;
            (answer.status, answer.text.replace(id, "{id}"))
        };
        let (this, that) = (ask(&item.id).await, ask(&absent).await);
        self.try_one(door, item);
        let marks = marks(&this.1);
        if let Some(mark) = marks.iter().find(|mark| self.withheld.contains(*mark)) {
            self.leak(door, format_args!("`{mark}` came out"));
        }
        if this != that {
            let (this, that) = (short(&this), short(&that));
            self.leak(door, format_args!("{} tells itself: {this} for {that}", item.reference()));
        }
    }

    /// What a search finds must be just what is open among `expected`.
    async fn search(&mut self, door: &str, path: &str, expected: &[&Item]) {
        let page = self.get(path).await;
        self.look_for(door, &page.text, expected);
        if page.status != 200 {
            return self.refused(door, path, &page);
        }
        let open = expected.iter().filter(|item| self.is_open(item)).count();
        let total = page.json()["total"].as_u64();
        // Others may be unable to see what a search goes by, and find less.
        let is_wrong = |total| total > open as u64 || (self.is_staff && total != open as u64);
        if total.is_some_and(is_wrong) {
            self.leak(door, format_args!("{path} counts {total:?} for {open}"));
        }
    }

    /// Staff are refused at no door.
    fn refused(&mut self, door: &str, path: &str, answer: &Answer) {
        if self.is_staff {
            self.missing.push(format!("{door}: {path} answers {}", answer.status));
        }
    }

    /// A search by something that only what is withheld has must find nothing.
    async fn finds_nothing(&mut self, door: &str, path: &str) {
        let page = self.get(path).await;
        if page.status != 200 {
            self.look(door, &page.text);
            return;
        }
        let mut found = page.json();
        // The addresses repeat what was asked.
        found.as_object_mut().expect("a Bundle").remove("link");
        let entries = found["entry"].as_array().map_or(0, Vec::len);
        if found["total"].as_u64().is_some_and(|total| total > 0) || entries > 0 {
            self.leak(door, format_args!("{path} finds {entries}"));
        }
        self.look(door, &found.to_string());
    }
}

fn short((status, text): &(u16, String)) -> String {
    format!("{status} {}", text.chars().take(160).collect::<String>())
}

/// Reading, versions, history, and changes of single resources.
pub async fn one_by_one(visit: &mut Visit<'_>) {
    for item in visit.items.iter().filter(|item| visit.is_open(item)).collect::<Vec<_>>() {
        let read = visit.get(&format!("/fhir/{}", item.reference())).await;
        visit.look_for("read", &read.text, &[item]);
    }
    for item in visit.hidden() {
        let kind = item.kind;
        let of = |rest: &str| format!("/fhir/{kind}/{{id}}{rest}");
        visit.alike("read", (Method::GET, &of("")), item, None).await;
        visit.alike("vread", (Method::GET, &of("/_history/1")), item, None).await;
        visit.alike("history", (Method::GET, &of("/_history")), item, None).await;
        visit.alike("meta", (Method::GET, &of("/$meta")), item, None).await;
        visit.alike("validate", (Method::GET, &of("/$validate")), item, None).await;
        let entry = json!({"request": {"method": "GET", "url": format!("{kind}/{{id}}")}});
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
        visit.alike("batch", (Method::POST, "/fhir"), item, Some(batch)).await;
        let query = json!({"query": format!("{{{kind}(id: \"{{id}}\") {{ id }}}}")});
        visit.alike("graphql", (Method::POST, "/fhir/$graphql"), item, Some(query)).await;
        if kind == "Patient" || kind == "Encounter" {
            visit.alike("everything", (Method::GET, &of("/$everything")), item, None).await;
        }
    }
}

/// Changes of single resources.
pub async fn changes(visit: &mut Visit<'_>) {
    for item in visit.hidden() {
        let path = format!("/fhir/{}/{{id}}", item.kind);
        let patch = json!([{"op": "add", "path": "/language", "value": "en"}]);
        visit.alike("patch", (Method::PATCH, &path), item, Some(patch)).await;
        conditions(visit, item).await;
        visit.alike("delete", (Method::DELETE, &path), item, None).await;
    }
}

/// Searches by type: everything, numbers, order, pages, forms.
pub async fn searches(visit: &mut Visit<'_>) {
    for kind in std::iter::once("Patient").chain(KINDS) {
        let all = visit.of(kind);
        visit.search("search", &format!("/fhir/{kind}?_count=1000"), &all).await;
        let counted = visit.get(&format!("/fhir/{kind}?_summary=count")).await;
        let open = all.iter().filter(|item| visit.is_open(item)).count() as u64;
        let accurate = visit.get(&format!("/fhir/{kind}?_total=accurate&_count=1")).await;
        visit.look("count", &accurate.text);
        for counted in [&counted, &accurate] {
            let total = counted.json()["total"].as_u64();
            match counted.status {
                200 if total == Some(open) => {}
                200 => visit.leak("count", format_args!("{kind}: {total:?} for {open}")),
                _ => visit.refused("count", kind, counted),
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
        visit.search("list", &path, &all).await;
        let listed = visit.get(&format!("/fhir/{kind}/_history?_count=1000")).await;
        visit.look("history of a type", &listed.text);
    }
    let all: Vec<&Item> = visit.items.iter().collect();
    let types = format!("Patient,{}", KINDS.join(","));
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
        if found != ids {
            visit.leak("sort", format_args!("{path}: {} for {}", found.len(), ids.len()));
        }
        ids.reverse();
    }
}

async fn pages(visit: &mut Visit<'_>, kind: &str, all: &[&Item]) {
    let (mut next, mut found) = (Some(format!("/fhir/{kind}?_count=7")), String::new());
    while let Some(path) = next {
        let page = visit.get(&path).await;
        found.push_str(&page.text);
        next = page.link("next");
        if page.status != 200 {
            visit.refused("pages", "a page", &page);
        }
    }
    visit.look_for("pages", &found, all);
}

/// Searches for what only something withheld has, in every way by which it could be met.
pub async fn by_what_is_withheld(visit: &mut Visit<'_>) {
    for item in visit.hidden() {
        let (kind, mark, id) = (item.kind, &item.mark, &item.id);
        let mut paths = vec![
            ("search", format!("{kind}?identifier={mark}")),
            ("search", format!("{kind}?_id={id}")),
            ("filter", format!("{kind}?_filter=identifier eq {mark}")),
            ("content", format!("{kind}?_content={mark}")),
            ("narrative", format!("{kind}?_text={mark}")),
            ("compartment", format!("Patient/{}/{kind}?identifier={mark}", item.patient)),
        ];
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
            _ => {
                paths.push(("has", format!("Patient?_has:{kind}:patient:identifier={mark}")));
            }
        }
        if kind == "Observation" {
            paths.push(("chain", format!("DiagnosticReport?result.identifier={mark}")));
            paths.push(("lastn", format!("Observation/$lastn?identifier={mark}")));
        }
        for (door, path) in paths {
            visit.finds_nothing(door, &format!("/fhir/{path}")).await;
        }
        let list = json!({"query": format!("{{{kind}List(identifier: \"{mark}\") {{id}}}}")});
        let found = visit.client.post("/fhir/$graphql", &list).await;
        let found = found.json();
        let listed = found["data"].get(format!("{kind}List"));
        if listed.and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
            visit.leak("graphql", format_args!("{kind}List finds `{mark}`"));
        }
    }
}

/// Conditional changes must neither tell nor touch. What a condition finds nothing for is created, and
/// removed again: it is about nobody who keeps anything from anybody.
async fn conditions(visit: &mut Visit<'_>, item: &Item) {
    let (kind, mark) = (item.kind, &item.mark);
    let path = format!("/fhir/{kind}?identifier={mark}");
    let deleted = visit.client.delete(&path).await;
    let absent = visit.client.delete(&format!("/fhir/{kind}?identifier=mkqnobody!")).await;
    visit.try_one("conditional delete", item);
    visit.try_one("conditional create", item);
    if deleted.status != absent.status {
        visit.leak("conditional delete", format_args!("{} for {}", deleted.status, absent.status));
    }
    let mut new = item.json.clone();
    new.as_object_mut().expect("an object").remove("id");
    let text = new.to_string().replace(mark.as_str(), "nobody").replace(&item.patient, "nobody");
    let create = async |condition: &str| {
        let path = format!("/fhir/{kind}");
        let headers = [("if-none-exist", condition)];
        let made = visit.client.send(Method::POST, &path, Some(text.clone()), &headers).await;
        if made.status == 201 {
            let place = made.header("location").split("/_history").next().unwrap_or_default();
            visit.client.delete(place).await;
        }
        made.status
    };
    let (this, that) =
        (create(&format!("identifier={mark}")).await, create("identifier=mkqnobody!").await);
    if this != that {
        visit.leak("conditional create", format_args!("{this} for {}", item.reference()));
    }
}

/// Whatever brings along what was not asked for by name.
pub async fn along(visit: &mut Visit<'_>) {
    let all: Vec<&Item> = visit.items.iter().collect();
    let included = "/fhir/Patient?_count=1000&_revinclude=Condition:patient&_revinclude=Observation:patient\
                    &_revinclude=Encounter:patient&_revinclude=Procedure:patient";
    let page = visit.get(included).await;
    visit.look("revinclude", &page.text);
    for path in [
        "/fhir/Observation?_count=1000&_include=Observation:encounter&_include=Observation:patient",
        "/fhir/DiagnosticReport?_count=1000&_include=DiagnosticReport:result&_include:iterate=Observation:encounter",
        "/fhir/Condition?_count=1000&_include=*",
    ] {
        let page = visit.get(path).await;
        visit.look("include", &page.text);
    }
    for patient in visit.of("Patient") {
        let own: Vec<&Item> = all
            .iter()
            .filter(|item| item.patient == patient.id && item.kind != "Device")
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
        let observations =
            own.iter().filter(|item| is_counted(item) && visit.is_open(item)).count();
        if let Some(count) = counted(&stats.text)
            && count != observations
        {
            visit.leak("stats", format_args!("{count} for {observations} of {}", patient.id));
        }
        let query = format!(
            "/fhir/Patient/{}/$graphql?query={{id,identifier{{value}},\
            ConditionList(_reference:patient){{identifier{{value}}}}}}",
            patient.id
        );
        let graph = visit.get(&query).await;
        visit.look("graphql", &graph.text);
        let last = format!("/fhir/Observation/$lastn?patient={}&max=99", patient.id);
        let last = visit.get(&last).await;
        visit.look("lastn", &last.text);
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

/// Tables, and files made by jobs.
pub async fn in_bulk(visit: &mut Visit<'_>) {
    let mut url = String::new();
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
        visit.look_for("views exported", &files, &all);
        write!(url, "{kind},").expect("a text");
    }
    let all: Vec<&Item> = visit.items.iter().collect();
    let files = job(visit, Method::GET, "/fhir/$export", None).await;
    visit.look_for("export", &files, &all);
    let files = job(visit, Method::GET, "/fhir/Patient/$export", None).await;
    visit.look("export of patients", &files);
    let later = job(visit, Method::GET, "/fhir/Condition?_count=1000", None).await;
    visit.look("answered later", &later);
    let sql = "SELECT mark FROM c";
    let view = json!({"resourceType": "ViewDefinition", "url": "urn:example:marks-of-conditions",
        "status": "active", "resource": "Condition",
        "select": [{"forEach": "identifier", "column": [{"name": "mark", "path": "value"}]}]});
    visit
        .client
        .put("/fhir/ViewDefinition/marks-of-conditions", &with(&view, "id", "marks-of-conditions"))
        .await;
    let library = json!({
        "resourceType": "Library", "status": "active",
        "type": {"coding": [{"code": "sql-query",
            "system": "https://sql-on-fhir.org/ig/CodeSystem/LibraryTypesCodes"}]},
        "relatedArtifact": [{"type": "depends-on", "resource": "urn:example:marks-of-conditions", "label": "c"}],
        "content": [{"contentType": "application/sql", "data": STANDARD.encode(sql)}],
    });
    let ask = json!({"resourceType": "Parameters",
        "parameter": [{"name": "queryResource", "resource": library}]});
    let rows = visit.client.post("/fhir/$sqlquery-run?_format=json", &ask).await;
    let conditions = visit.of("Condition");
    if rows.status != 200 {
        visit.refused("sql", "$sqlquery-run", &rows);
    }
    visit.look_for("sql", &rows.text, &conditions);
}

fn with(resource: &Value, name: &str, value: &str) -> Value {
    let mut resource = resource.clone();
    resource[name] = json!(value);
    resource
}

/// Everything that a job hands out, one after the other.
async fn job(visit: &Visit<'_>, method: Method, path: &str, body: Option<String>) -> String {
    let headers = [("prefer", "respond-async")];
    let accepted = visit.client.send(method, path, body, &headers).await;
    if accepted.status != 202 && !visit.is_staff {
        return accepted.text;
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
    let links: BTreeMap<String, ()> = done
        .text
        .split('"')
        .filter(|word| word.contains("/_jobs/") && word.contains("/files/"))
        .map(|word| (word.to_owned(), ()))
        .collect();
    for link in links.keys() {
        all.push_str(&visit.get(link).await.text);
    }
    all
}

/// Pages for people and the record that is put together.
pub async fn pages_for_people(visit: &mut Visit<'_>) {
    for patient in visit.of("Patient") {
        let own: Vec<&Item> =
            visit.items.iter().filter(|item| item.patient == patient.id).collect();
        let path = format!("/fhir/Patient/{}/$longitudinal-record", patient.id);
        let record = visit.get(&path).await;
        if visit.is_open(patient) {
            visit.look_for("record", &record.text, &own);
        } else {
            visit.look("record", &record.text);
        }
        let cookie = format!("consilium_session={}", visit.client.token());
        // A page repeats what was looked for, so it is not the mark.
        let id = &patient.id;
        let mut paths = vec![format!("/patients/{id}/record"), "/patients?q=Hildegard".to_owned()];
        if own.iter().any(|item| !visit.is_open(item)) {
            let more = ["ask", "break-glass", "consent", "apps", "record/events"];
            paths.extend(more.map(|page| format!("/patients/{id}/{page}")));
            paths.extend(["/links", "/notices", "/recalls"].map(str::to_owned));
        }
        for path in paths {
            let headers = [("cookie", cookie.as_str())];
            let page = visit.client.send(Method::GET, &path, None, &headers).await;
            visit.look("page", &page.text);
        }
    }
}

/// Within this time a subscriber is told of all changes: what each may know is decided anew after
/// every change, which takes its time where nothing is optimised.
const TOLD_WITHIN: Duration = Duration::from_secs(120);
/// How long is waited for what others than staff may be refused.
const MAYBE_WITHIN: Duration = Duration::from_secs(5);

/// What a subscriber is told of changes, by websocket and when asking again; neither the numbers of
/// the events nor how many there were may tell of what is withheld.
pub async fn told(visit: &mut Visit<'_>, change: &dyn Fn(&Item)) {
    let mut subscribed = Vec::new();
    for kind in ["Condition", "Observation", "Patient"] {
        let resource = json!({
            "resourceType": "Subscription", "status": "requested", "reason": "test",
            "criteria": format!("{kind}?_lastUpdated=gt2000-01-01"),
            "channel": {"type": "websocket", "payload": "application/fhir+json", "_payload":
                {"extension": [{"valueCode": "full-resource", "url":
                    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content"}]}},
        });
        let made = visit.client.post("/fhir/Subscription", &resource).await;
        match made.status {
            201 => {
                let id = text(&made.json()["id"]);
                let path = format!("/fhir/Subscription/{id}");
                while visit.get(&path).await.json()["status"] == "requested" {
                    tokio::task::yield_now().await;
                }
                let heard = listen(visit.client, &id).await;
                subscribed.push((kind, id, heard));
            }
            _ => visit.refused("subscription", kind, &made),
        }
    }
    let kinds: Vec<&str> = subscribed.iter().map(|(kind, ..)| *kind).collect();
    for item in visit.items.iter().filter(|item| kinds.contains(&item.kind)) {
        change(item);
    }
    for (kind, id, heard) in subscribed {
        let all = visit.of(kind);
        let open: Vec<&Item> = all.iter().copied().filter(|item| visit.is_open(item)).collect();
        let (mut found, since) = (String::new(), Instant::now());
        let limit = if visit.is_staff { TOLD_WITHIN } else { MAYBE_WITHIN };
        if let Some(last) = open.last() {
            while !(found.contains(&last.mark) && heard.lock().contains(&last.mark))
                && since.elapsed() < limit
            {
                let path = format!("/fhir/Subscription/{id}/$events?content=full-resource");
                found = visit.get(&path).await.text;
                tokio::task::yield_now().await;
            }
        }
        visit.look_for("subscription", &found, &all);
        let heard = heard.lock().clone();
        visit.look_for("websocket", &heard, &all);
        let status = visit.get(&format!("/fhir/Subscription/{id}/$status")).await;
        visit.look("events counted", &status.text);
        for told in [&found, &heard, &status.text] {
            if let Some(most) = numbers(told).into_iter().max()
                && most > open.len()
            {
                visit.leak("events counted", format_args!("{kind}: {most} for {}", open.len()));
            }
        }
    }
}

/// Everything that is heard at the websocket of a subscription from now on.
async fn listen(client: &Client, id: &str) -> Arc<Mutex<String>> {
    let path = format!("/fhir/Subscription/$get-ws-binding-token?id={id}");
    let answer = client.get(&path).await.expect(200).json();
    let parameters = answer["parameter"].as_array().expect("parameters");
    let of = |name: &str| parameters.iter().find(|one| one["name"] == name).expect("a parameter");
    let url = text(&of("websocket-url")["valueUrl"]);
    let bind = format!("bind-with-token {}", text(&of("token")["valueString"]));
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a websocket");
    socket.send(Message::text(bind)).await.expect("the token is sent");
    // Greeted, it stands.
    socket.next().await.expect("a greeting").expect("an open socket");
    let heard = Arc::new(Mutex::new(String::new()));
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            kept.lock().push_str(message.to_text().unwrap_or_default());
        }
    });
    heard
}

/// The numbers of events, and how many there were, in what a subscriber is told.
fn numbers(told: &str) -> Vec<usize> {
    let named = [
        "\"events-since-subscription-start\",\"valueString\":\"",
        "\"event-number\",\"valueString\":\"",
    ];
    let behind = named.iter().flat_map(|name| told.split(name).skip(1));
    behind.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
}
