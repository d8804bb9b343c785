//! The doors, each tried with everything that one caller may and may not see. What comes out must
//! show all marks of what is open and none of what is withheld, also not by a number or an order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Answer, Client, text};
use crate::world::{self, Item, KINDS, marks};

/// The id of a List that refers to every resource.
pub const EVERYTHING: &str = "everything-there-is";

/// The id of a Group of patients none of whom keeps the Group from anybody.
pub const GROUP: &str = "some-patients";
/// Who is in it: one without consents, and some who withhold a part.
pub const MEMBERS: [&str; 5] = ["p0", "p2", "p3", "p4", "p5"];

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
    /// The doors behind which something was found that should not be, and by what it was found.
    pub leaking: BTreeSet<Checked>,
    /// What is open and did not come out where it should.
    pub missing: Vec<String>,
    /// The doors that were tried, and how many resources were looked for behind each.
    pub tried: BTreeMap<String, Tried>,
    /// By what was looked behind each door.
    pub checked: BTreeSet<Checked>,
}

/// A door, and by what a leak is found behind it.
pub type Checked = (String, By);

/// What tells of something withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Its mark stands in an answer.
    Mark,
    /// The answer is another one than for what does not exist.
    Answer,
    /// A number counts it.
    Number,
    /// A search for what only it has finds something.
    Match,
    /// The order or the places of what is open are others.
    Order,
    /// It was changed by somebody who cannot see it.
    Change,
    /// A hospital where it never existed answers otherwise.
    Twin,
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
            checked: BTreeSet::new(),
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

    fn try_all(&mut self, door: &str, by: By) {
        self.checked.insert((door.to_owned(), by));
        self.tried.insert(door.to_owned(), Tried::All(self.items.len()));
    }

    fn try_one(&mut self, door: &str, by: By, item: &Item) {
        self.checked.insert((door.to_owned(), by));
        let some = || Tried::Some(BTreeSet::new());
        let tried = self.tried.entry(door.to_owned()).or_insert_with(some);
        if let Tried::Some(marks) = tried {
            marks.insert(item.mark.clone());
        }
    }

    pub fn leak(&mut self, door: &str, by: By, what: impl std::fmt::Display) {
        self.checked.insert((door.to_owned(), by));
        self.leaking.insert((door.to_owned(), by));
        if self.leaks.len() < 50 {
            self.leaks.push(format!("{door}: {what}"));
        }
    }

    /// Looks through a text for what must not be in it.
    pub fn look(&mut self, door: &str, found: &str) -> BTreeSet<String> {
        let found = marks(found);
        self.try_all(door, By::Mark);
        for mark in &found {
            if self.withheld.contains(mark.as_str()) {
                self.leak(door, By::Mark, format_args!("`{mark}` came out"));
            }
        }
        found
    }

    /// A number must be that of what is open among `expected`. Others than staff may be unable to
    /// see what a question goes by, and find less.
    fn count(&mut self, door: &str, what: &str, number: u64, expected: &[&Item]) {
        self.checked.insert((door.to_owned(), By::Number));
        let open = expected.iter().filter(|item| self.is_open(item)).count() as u64;
        if number > open {
            self.leak(door, By::Number, format_args!("{what} counts {number} for {open}"));
        } else if self.is_staff && number < open {
            self.missing.push(format!("{door}: {what} counts {number} for {open}"));
        }
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
        self.alike_with(door, (method, path), headers, item, body).await;
    }

    /// The same with these headers.
    async fn alike_with(
        &mut self,
        door: &str,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        item: &Item,
        body: Option<Value>,
    ) {
        let absent = format!("absent-{}", item.id);
        let said = body.as_ref().map(Value::to_string).unwrap_or_default();
        let names_mark = [path, &said].iter().any(|text| text.contains("{mark}"))
            || headers.iter().any(|(_, value)| value.contains("{mark}"));
        let ask = async |id: &str, mark: &str| {
            let fill = |text: &str| text.replace("{id}", id).replace("{mark}", mark);
            let body = body.as_ref().map(|body| fill(&body.to_string()));
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, fill(value))).collect();
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = self.client.send(method.clone(), &fill(path), body, &headers).await;
            let told = format!("{}{}", told_beside(&answer), answer.text).replace(id, "{id}");
            // What was asked by is repeated in some answers.
            let told = if names_mark { told.replace(mark, "{mark}") } else { told };
            (answer.status, told)
        };
        let nobody = Item::mark(999, 99);
        let (this, that) = (ask(&item.id, &item.mark).await, ask(&absent, &nobody).await);
        self.try_one(door, By::Answer, item);
        let found = marks(&this.1);
        if let Some(mark) = found.iter().find(|mark| self.withheld.contains(*mark)) {
            self.leak(door, By::Mark, format_args!("`{mark}` came out"));
        }
        if this != that {
            let (this, that) = (short(&this), short(&that));
            let what = format!("{} tells itself: {this} for {that}", item.reference());
            self.leak(door, By::Answer, what);
        }
    }

    /// Whether something withheld still stands as it did.
    fn unchanged(
        &mut self,
        door: &str,
        item: &Item,
        before: Option<(u64, bool)>,
        stands: &dyn Fn(&Item) -> Option<(u64, bool)>,
    ) {
        self.try_one(door, By::Change, item);
        if stands(item) != before {
            self.leak(door, By::Change, format_args!("{} was changed", item.reference()));
        }
    }

    /// What a search finds must be just what is open among `expected`.
    async fn search(&mut self, door: &str, path: &str, expected: &[&Item]) {
        let (mut next, mut found) = (Some(path.to_owned()), String::new());
        while let Some(path) = next {
            let page = self.get(&path).await;
            found.push_str(&page.text);
            if page.status != 200 {
                self.look(door, &found);
                return self.refused(door, &path, &page);
            }
            if let Some(total) = page.json()["total"].as_u64() {
                self.count(door, &path, total, expected);
            }
            next = page.link("next");
        }
        self.look_for(door, &found, expected);
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
        self.checked.insert((door.to_owned(), By::Match));
        if page.status != 200 {
            self.look(door, &page.text);
            return;
        }
        let mut found = page.json();
        // The addresses repeat what was asked.
        found.as_object_mut().expect("a Bundle").remove("link");
        let entries = found["entry"].as_array().map_or(0, Vec::len);
        if found["total"].as_u64().is_some_and(|total| total > 0) || entries > 0 {
            self.leak(door, By::Match, format_args!("{path} finds {entries}"));
        }
        self.look(door, &found.to_string());
    }
}

/// The headers of an answer that may tell of a resource.
fn told_beside(answer: &Answer) -> String {
    let telling =
        ["etag", "last-modified", "location", "content-location", "content-type", "allow"];
    let told = telling.iter().filter_map(|name| {
        let value = answer.headers.get(*name)?.to_str().ok()?;
        Some(format!("{name}: {value}; "))
    });
    told.collect()
}

fn short((status, text): &(u16, String)) -> String {
    format!("{status} {}", text.chars().take(160).collect::<String>())
}

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
        visit.look_for("views exported", &files.text, &all);
        write!(url, "{kind},").expect("a text");
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
            false => drop(visit.look_for("sql", &rows.text, &conditions)),
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

/// Pages for people and the record that is put together.
pub async fn pages_for_people(visit: &mut Visit<'_>) {
    for patient in visit.of("Patient") {
        let own: Vec<&Item> = visit
            .items
            .iter()
            .filter(|item| item.patient == patient.id && item.with.is_none())
            .collect();
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

/// Longest time between two messages at a websocket behind which more is to come. What a
/// subscriber may know is decided anew after every change, which takes its time where nothing is
/// optimised.
const STALLED: Duration = Duration::from_secs(60);

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
    for (kind, id, mut heard) in subscribed {
        let all = visit.of(kind);
        let open: Vec<&Item> = all.iter().copied().filter(|item| visit.is_open(item)).collect();
        // Events come in the order of the changes, so with the last all have come.
        if let Some(last) = open.last() {
            let all = heard.wait_for(|heard| heard.contains(&last.mark));
            if !matches!(tokio::time::timeout(STALLED, all).await, Ok(Ok(_))) {
                visit.missing.push(format!("websocket: {}", last.reference()));
            }
        }
        let path = format!("/fhir/Subscription/{id}/$events?content=full-resource");
        let found = visit.get(&path).await.text;
        visit.look_for("subscription", &found, &all);
        let heard = heard.borrow().clone();
        visit.look_for("websocket", &heard, &all);
        let status = visit.get(&format!("/fhir/Subscription/{id}/$status")).await;
        visit.look("events counted", &status.text);
        for told in [&found, &heard, &status.text] {
            if let Some(most) = numbers(told).into_iter().max() {
                visit.count("events counted", kind, most as u64, &all);
            }
        }
    }
}

/// Everything that is heard at the websocket of a subscription from now on.
async fn listen(client: &Client, id: &str) -> watch::Receiver<String> {
    let path = format!("/fhir/Subscription/{id}/$get-ws-binding-token");
    let answer = client.get(&path).await.expect(200).json();
    let parameters = answer["parameter"].as_array().expect("parameters");
    let of = |name: &str| parameters.iter().find(|one| one["name"] == name).expect("a parameter");
    let url = text(&of("websocket-url")["valueUrl"]);
    let bind = format!("bind-with-token {}", text(&of("token")["valueString"]));
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a websocket");
    socket.send(Message::text(bind)).await.expect("the token is sent");
    // Greeted, it stands.
    socket.next().await.expect("a greeting").expect("an open socket");
    let (told, heard) = watch::channel(String::new());
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            told.send_modify(|all| all.push_str(message.to_text().unwrap_or_default()));
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
