//! The same questions to a hospital that holds what is forbidden and to one where it never existed.
//! The answers must be the same, but for addresses and times: then nothing tells of it, neither a
//! number nor an order, a page more, or the words of an error.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::visit::{By, Visit};
use crate::world::{Item, KINDS};

/// How many searches are made up.
const SEARCHES: usize = 500;
/// How many pages of each answer are read.
const PAGES: usize = 3;

/// A question: the door, and what is sent.
struct Question {
    door: &'static str,
    path: String,
    body: Option<Value>,
}

/// Asks everything at both; `twin` never held what is withheld from the visitor.
pub async fn differences(visit: &mut Visit<'_>, twin: &Client, seed: u64) {
    let chance = ChaCha8Rng::seed_from_u64(seed);
    let hidden = visit.items.iter().filter(|item| !visit.is_open(item)).collect();
    let mut made = Made { chance, items: visit.items, hidden };
    let mut questions: Vec<Question> = (0..SEARCHES).map(|_| made.search()).collect();
    questions.extend((0..SEARCHES / 4).map(|_| made.mistake()));
    questions.extend(about_patients(visit.items));
    questions.extend(tables());
    for question in questions {
        let (mut here, mut there) =
            (ask(visit.client, &question).await, ask(twin, &question).await);
        for page in 1.. {
            let (this, that) = (plain(&here), plain(&there));
            visit.look(question.door, &this.1.to_string());
            visit.checked.insert((question.door.to_owned(), By::Twin));
            if this != that {
                let at = differs(&this.1, &that.1);
                let (path, this, that) = (&question.path, this.0, that.0);
                let what = format!("{path}, page {page}: {this} {that} {at}");
                visit.leak(question.door, By::Twin, what);
                break;
            }
            let (Some(next), Some(other)) = (next(&here), next(&there)) else { break };
            if page == PAGES {
                break;
            }
            (here, there) = (visit.client.get(&next).await, twin.get(&other).await);
        }
    }
}

/// Where the next page is; files have none.
fn next(answer: &Answer) -> Option<String> {
    answer.text.starts_with('{').then(|| answer.link("next")).flatten()
}

async fn ask(client: &Client, question: &Question) -> Answer {
    match &question.body {
        Some(body) => client.post(&question.path, body).await,
        None => client.get(&question.path).await,
    }
}

/// Questions that are made up by chance.
struct Made<'a> {
    chance: ChaCha8Rng,
    items: &'a [Item],
    /// What is withheld of them.
    hidden: Vec<&'a Item>,
}

const CODES: [&str; 7] = [
    "718-7",
    "38341003",
    "http://hl7.org/fhir/sid/icd-10-cm|F10.20",
    "B20",
    "E11.9",
    "8480-6",
    "x",
];

impl Made<'_> {
    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.chance.random_range(0..choices.len())].clone()
    }

    fn percent(&mut self, percent: u32) -> bool {
        self.chance.random_range(0..100) < percent
    }

    fn kind(&mut self) -> &'static str {
        let all = ["Patient", "Observation", "Condition", "Encounter"];
        let kinds = all.into_iter().chain(KINDS).chain(["Provenance"]);
        let kinds: Vec<&'static str> = kinds.collect();
        self.of(&kinds)
    }

    /// A criterion that resources of a type may meet, by what stands in one of them.
    fn criterion(&mut self, kind: &str) -> String {
        let items: Vec<&Item> = self.items.iter().filter(|item| item.kind == kind).collect();
        let item = self.of(&items);
        let code = self.of(&CODES);
        let day = self.of(&["2021", "2022-11", "2024-03-01", "2022-06-01"]);
        let sign = self.of(&["", "ge", "lt", "ne"]);
        let (mark, id, patient) = (&item.mark, &item.id, &item.patient);
        let label = self.of(&["R", "HIV", "N", "V", "SUD"]);
        let mut any = vec![
            format!("identifier={mark}"),
            format!("_id={id}"),
            format!("identifier:not={mark}"),
            format!("_security={label}"),
            format!("_security:not={label}"),
            format!("_text={mark}"),
            format!("_content={mark}"),
            format!("_lastUpdated={sign}2024-01-01"),
            format!("_filter=identifier eq {mark} or _id eq {id}"),
        ];
        match kind {
            "Patient" => {
                any.push("gender=female,unknown".to_owned());
                any.push(format!("birthdate={sign}1960"));
                any.push("family=Bar,Dol,Kes,mkq".to_owned());
                any.push(format!("family:exact={mark}"));
                any.push(format!("family:contains={}", self.of(&["finnav", "mkq5", "kes"])));
                let number = format!("987-{}-{}", 10 + self.of(&[1, 7, 17, 30]), 3000);
                any.push(format!(
                    "identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|SS|{number}"
                ));
            }
            "Device" => any.push(format!("patient={patient}")),
            "DocumentReference" | "Composition" | "List" | "QuestionnaireResponse" => {
                any.push(format!("patient={patient}"));
                any.push(format!("{}={sign}{day}", date_of(kind)));
                if kind == "DocumentReference" {
                    any.push(format!("location=Binary/file-of-{id}"));
                }
                any.push(match kind {
                    "List" => format!("code={code}"),
                    "QuestionnaireResponse" => "status=completed,amended".to_owned(),
                    _ => format!("type={code}"),
                });
            }
            "Provenance" => {
                // By these it is not found, or means nothing.
                any.retain(|one| !one.contains("identifier"));
                let of = id.trim_start_matches("making-of-");
                any.push(format!("target=Observation/{of}"));
                any.push(format!("recorded={sign}{day}"));
                any.push("target:missing=false".to_owned());
            }
            _ => {
                any.push(format!("patient={patient}"));
                any.push(format!("patient:Patient={patient}"));
                any.push(format!("{}={sign}{day}", date_of(kind)));
                if kind != "Encounter" {
                    any.push(format!("code={code}"));
                    any.push(format!("code:not={code}"));
                    any.push("code:missing=true".to_owned());
                    any.push(format!("code:text={}", self.of(&["alcohol", "blood", "words"])));
                    any.push(format!("code:below={code}"));
                    any.push(format!("code:above={code}"));
                    any.push(format!("patient:identifier={mark}"));
                }
            }
        }
        if kind == "Observation" {
            any.push(format!("combo-code={code}"));
            any.push("performer=Practitioner/7".to_owned());
            any.push("value-quantity=ge100".to_owned());
            any.push("code-value-quantity=http://loinc.org|8480-6$ge100".to_owned());
        }
        self.of(&any)
    }

    /// A criterion by way of other resources.
    fn by_way(&mut self, kind: &str) -> (&'static str, String) {
        let (patient, encounter) = (self.criterion("Patient"), self.criterion("Encounter"));
        let from = self.of(&["Observation", "Condition", "Procedure", "Encounter"]);
        let there = self.criterion(from);
        let negated = self.of(&["", "_id:not=nobody&"]);
        match kind {
            "Patient" => ("without: has", format!("{negated}_has:{from}:patient:{there}")),
            "Encounter" if from != "Encounter" => {
                ("without: has", format!("{negated}_has:{from}:encounter:{there}"))
            }
            "Observation" | "Condition" | "Procedure" if self.percent(50) => {
                ("without: chain", format!("encounter.{encounter}"))
            }
            "DiagnosticReport" if self.percent(50) => {
                let result = self.criterion("Observation");
                ("without: chain", format!("result.{result}"))
            }
            "Observation" if self.percent(50) => {
                let code = self.of(&CODES);
                ("without: chain", format!("patient._has:Condition:patient:code={code}"))
            }
            _ => ("without: chain", format!("patient.{patient}")),
        }
    }

    fn search(&mut self) -> Question {
        let kind = self.kind();
        let (mut door, mut parts) = ("without: search", Vec::new());
        if self.percent(45) {
            let (way, criterion) = self.by_way(kind);
            door = way;
            parts.push(criterion);
        } else if self.percent(75) {
            parts.push(self.criterion(kind));
        }
        if self.percent(25) {
            parts.push(self.criterion(kind));
        }
        let count = self.of(&["3", "10", "50", "1000", "0"]);
        parts.push(format!("_count={count}"));
        match self.chance.random_range(0..6) {
            0 => {
                door = "without: sort";
                let by = self.of(&["_id", "-_id", "_lastUpdated", "-_lastUpdated"]);
                let own = match kind {
                    "Patient" => "birthdate",
                    "Device" => "type",
                    kind => date_of(kind),
                };
                parts.push(format!("_sort={}", self.of(&[by, own])));
            }
            1 => {
                let total = self.of(&["none", "estimate", "accurate"]);
                door = "without: count";
                parts.push(format!("_total={total}"));
            }
            2 => {
                let summary = self.of(&["count", "true", "text", "data"]);
                door = "without: count";
                parts.push(format!("_summary={summary}"));
            }
            3 => {
                door = "without: include";
                let include = self.of(&["_include=*", "_include=*&_include:iterate=*"]);
                let own = match kind {
                    "Patient" => "_revinclude=Observation:patient&_revinclude=Encounter:patient",
                    "Encounter" => "_revinclude=Condition:encounter",
                    "Observation" => {
                        "_revinclude=DiagnosticReport:result&_revinclude=Provenance:target"
                    }
                    _ => include,
                };
                parts.push(self.of(&[include, own]).to_owned());
            }
            _ => {}
        }
        Question { door, path: format!("/fhir/{kind}?{}", parts.join("&")), body: None }
    }

    /// What is wrong in itself, about something that may exist.
    fn mistake(&mut self) -> Question {
        let hidden = !self.hidden.is_empty() && self.percent(50);
        let item = {
            let items: Vec<&Item> = match hidden {
                true => self.hidden.clone(),
                false => self.items.iter().collect(),
            };
            self.of(&items)
        };
        let (kind, id, mark) = (item.kind, &item.id, &item.mark);
        let path = self.of(&[
            format!("{kind}/{id}/_history/9"),
            format!("{kind}/{id}/_history?_since=never"),
            format!("{kind}/{id}?_elements="),
            format!("{kind}/{id}?_summary=count"),
            format!("{kind}?identifier:above={mark}"),
            format!("{kind}?_has:Nothing:patient:_id={id}"),
            format!("{kind}?identifier={mark}&_sort=nothing"),
            format!("{kind}?identifier={mark}&_include={kind}:nothing"),
            format!("{kind}?_id={id}&_count=some"),
            format!("{kind}?_filter=identifier eq {mark} and"),
            format!("Patient/{}/Nothing", item.patient),
            format!("Patient/{}/{kind}?_id={id}&_total=most", item.patient),
            format!("{kind}/{id}/$graphql?query={{nothing}}"),
            format!("{kind}/{id}/$validate?profile=urn:nothing"),
            format!("{kind}/{id}/$everything"),
            format!("{kind}/{id}"),
        ]);
        Question { door: "without: error text", path: format!("/fhir/{path}"), body: None }
    }
}

/// The search parameter for when something was.
fn date_of(kind: &str) -> &'static str {
    match kind {
        "Condition" => "recorded-date",
        "MedicationRequest" => "authoredon",
        "QuestionnaireResponse" => "authored",
        "Provenance" => "recorded",
        _ => "date",
    }
}

/// What may be asked about each patient as a whole. Consents are left out, which the twin lacks.
fn about_patients(items: &[Item]) -> Vec<Question> {
    let patients: BTreeSet<&str> = items.iter().map(|item| item.patient.as_str()).collect();
    let types = KINDS.iter().filter(|kind| **kind != "Device");
    let types: Vec<&str> = types.copied().chain(["Patient"]).collect();
    let types = types.join(",");
    let mut all = Vec::new();
    for patient in patients {
        let mut add = |door, path: String| all.push(Question { door, path, body: None });
        add(
            "without: everything",
            format!("/fhir/Patient/{patient}/$everything?_type={types}&_count=5"),
        );
        add("without: compartment", format!("/fhir/Patient/{patient}/*?_type={types}&_count=4"));
        add(
            "without: operations",
            format!(
                "/fhir/Observation/$lastn?patient={patient}&category=vital-signs,laboratory&max=2"
            ),
        );
        add(
            "without: operations",
            format!(
                "/fhir/Observation/$stats?subject=Patient/{patient}&code=8480-6\
                 &system=http://loinc.org&statistic=count,average"
            ),
        );
        let list = "ObservationConnection(patient: \"PATIENT\", _count: 2) {count edges {resource {id}}} \
                    ConditionList(patient: \"PATIENT\") {id encounter {reference resource {id}}}";
        let query = json!({"query": format!("{{{}}}", list.replace("PATIENT", patient))});
        let path = "/fhir/$graphql".to_owned();
        all.push(Question { door: "without: graphql", path, body: Some(query) });
    }
    for kind in KINDS.iter().chain(["Patient", "Provenance", "Binary", "Bundle"].iter()) {
        for (door, path) in [
            ("without: history", format!("/fhir/{kind}/_history?_count=6")),
            ("without: meta", format!("/fhir/{kind}/$meta")),
        ] {
            all.push(Question { door, path, body: None });
        }
    }
    all.push(Question { door: "without: meta", path: "/fhir/$meta".to_owned(), body: None });
    all
}

/// Tables with a row for each resource.
fn tables() -> Vec<Question> {
    let one = |kind: &&str| {
        let view = json!({"resourceType": "ViewDefinition", "status": "active", "resource": kind,
            "name": "rows", "select": [{"column": [{"name": "id", "path": "getResourceKey()"}]}]});
        let ask = json!({"resourceType": "Parameters", "parameter": [
            {"name": "_format", "valueString": "json"}, {"name": "viewResource", "resource": view}]});
        Question { door: "without: views", path: "/fhir/$sql-run".to_owned(), body: Some(ask) }
    };
    KINDS.iter().map(one).collect()
}

/// An answer without what may differ: addresses, which also repeat what was asked, and times.
fn plain(answer: &Answer) -> (u16, Value) {
    let mut body =
        serde_json::from_str(&answer.text).unwrap_or_else(|_| Value::String(answer.text.clone()));
    strip(&mut body);
    (answer.status, body)
}

/// Takes out what may differ.
pub fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("resourceType").is_some_and(|kind| kind == "Bundle") {
                members.remove("id");
                members.remove("timestamp");
            }
            for name in ["lastUpdated", "lastModified", "fullUrl", "url"] {
                members.remove(name);
            }
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Where two answers begin to differ.
pub fn differs(this: &Value, that: &Value) -> String {
    let (this, that) = (this.to_string(), that.to_string());
    let at = this.bytes().zip(that.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let from = (0..=at.saturating_sub(60).min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.get(from..).unwrap_or_default().chars().take(160).collect::<String>()
    };
    format!("`{}` instead of `{}`", around(&this), around(&that))
}
