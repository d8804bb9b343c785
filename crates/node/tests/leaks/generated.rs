//! Generated patients with their consents and labelled resources, and the verdict of the second
//! reading of the rules on each resource.

use std::collections::BTreeSet;

use leaks::{Oracle, Shape, World};
use policy::consent::{Defaults, Existence, Request, user_of};
use policy::{Purpose, Role};
use serde_json::{Value, json};

use crate::world::{Item, SYSTEM};

/// The environment variable that gives another seed.
const SEED: &str = "CONSILIUM_LEAKS_SEED";
/// How many patients are generated. With those of fixed form they must fit on one page of results,
/// and those of them who withhold anything must be fewer than a node decides one by one.
const PATIENTS: usize = 66;
/// Numbers of marks below are those of patients of fixed form.
const FIRST: usize = 500;

/// Generated patients as a hospital holds them.
pub struct Generated {
    world: World,
    pub items: Vec<Item>,
    defaults: Defaults,
    break_glass: bool,
}

/// Somebody who asks, as consents may name them.
pub struct Asker<'a> {
    pub org: &'a str,
    /// Every name under which it is known that it is they.
    pub names: Vec<String>,
    pub role: Role,
    pub purpose: Purpose,
}

impl<'a> Asker<'a> {
    /// A clinician who treats, by the id of the account and as whom the hospital knows them.
    pub fn treating(org: &'a str, account: &str, practitioner: Option<&str>) -> Self {
        let mut names = vec![user_of(org, account)];
        names.extend(practitioner.map(str::to_owned));
        Self { org, names, role: Role::Clinician, purpose: Purpose::TREAT }
    }
}

/// The seed of this run.
pub fn seed() -> u64 {
    let given = std::env::var(SEED).ok();
    let seed = given.map_or(7, |text| text.parse().expect("a seed is a whole number"));
    println!("seed {seed}; others are tried with {SEED}=number");
    seed
}

impl Generated {
    /// Makes the patients of `custodian`. Where consents name an account, `accounts` says which
    /// one is meant: the name in the consents, and the id.
    pub fn new(
        seed: u64,
        (custodian, asker): (&app::App, &str),
        accounts: &[(&str, String)],
    ) -> Self {
        let settings = custodian.settings();
        let (defaults, break_glass) = (settings.consent, settings.break_glass);
        let others = [asker.to_owned(), "elsewhere".to_owned()];
        let custodian = custodian.org().id.clone();
        let shape = Shape {
            seed,
            patients: PATIENTS,
            resources: 8,
            valid_only: true,
            custodian,
            others,
            ..Shape::default()
        };
        let mut world = World::generate(&shape);
        let named = |value: &mut Value| {
            let mut text = value.to_string();
            for (name, id) in accounts {
                text = text.replace(&format!("\"{name}\""), &format!("\"{id}\""));
            }
            *value = serde_json::from_str(&text).expect("JSON");
        };
        // One whose account the hospital does not know, so that any account may be theirs.
        for resource in &mut world.directory {
            if resource["resourceType"] == "Practitioner" && resource["id"] == "7" {
                resource.as_object_mut().expect("an object").remove("identifier");
            }
        }
        world.directory.iter_mut().for_each(named);
        world.patients.iter_mut().flat_map(|patient| &mut patient.consents).for_each(named);
        let mut items = Vec::new();
        for (number, patient) in world.patients.iter().enumerate() {
            for (at, held) in patient.resources.iter().enumerate() {
                items.push(item(number, at, &patient.id, held));
            }
        }
        Self { world, items, defaults, break_glass }
    }

    /// Everything that stands beside the items: people, groups and consents.
    pub fn beside(&self) -> impl Iterator<Item = &Value> {
        let consents = self.world.patients.iter().flat_map(|patient| &patient.consents);
        self.world.directory.iter().chain(consents)
    }

    /// Ids of the patients.
    pub fn patients(&self) -> impl Iterator<Item = &str> {
        self.world.patients.iter().map(|patient| patient.id.as_str())
    }

    /// Marks of what must not reach somebody. What is open under one of their names is open, and
    /// at home a Patient stays known unless what is withheld may not be known at all.
    pub fn withheld(&self, asker: &Asker<'_>, now_ms: i64) -> BTreeSet<String> {
        let custodian = &self.world.shape.custodian;
        let at_home = asker.org == custodian;
        let request = |name: &String| Request {
            recipient_org: asker.org.to_owned(),
            recipient_user: Some(name.clone()),
            role: asker.role,
            purpose: asker.purpose,
            custodian_org: format!("urn:consilium:org:{custodian}"),
            now_ms,
            break_glass_enabled: self.break_glass,
        };
        let requests: Vec<Request> = asker.names.iter().map(request).collect();
        let mut withheld = BTreeSet::new();
        let mut items = self.items.iter();
        for patient in &self.world.patients {
            let oracle = Oracle::new(&self.world, patient, &self.defaults);
            for held in &patient.resources {
                let item = items.next().expect("an item for each resource");
                let known = item.kind == "Patient" && self.defaults.denied == Existence::Known;
                let mut stored = held.resource.clone();
                stored["meta"]["lastUpdated"] = json!(fhir::time::instant(now_ms));
                let forbidden = requests.iter().all(|one| oracle.forbidden(one, &stored));
                if forbidden && !(known && at_home) {
                    withheld.insert(item.mark.clone());
                }
            }
        }
        withheld
    }
}

/// A generated resource, with a mark of this test's form in place of its own.
fn item(number: usize, at: usize, patient: &str, held: &leaks::Held) -> Item {
    let mark = Item::mark(FIRST + number, at);
    let text = held.resource.to_string().replace(&held.marker, &mark);
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    json["identifier"][0]["system"] = json!(SYSTEM);
    let (kind, id) = held.reference.split_once('/').expect("a reference");
    let kind = fhir::resource_type(kind).expect("a type");
    if kind == "Patient" {
        let person = person(number);
        for (name, value) in person.as_object().expect("an object") {
            match name.as_str() {
                "identifier" => {
                    let mark = json["identifier"][0].clone();
                    json["identifier"] = json!([mark, value[0]]);
                }
                _ => json[name] = value.clone(),
            }
        }
    }
    Item { kind, id: id.to_owned(), mark, patient: patient.to_owned(), with: None, json }
}

/// Who a generated patient is, beyond doubt the same at every hospital.
pub fn person(number: usize) -> Value {
    let parts = ["Bar", "Dol", "Fin", "Gam", "Hul", "Jor", "Kes", "Lym", "Nav", "Tuz"];
    let part = |n: usize| parts[n % parts.len()];
    let family = format!(
        "{}{}{}",
        part(number),
        part(number / 10 + 3).to_lowercase(),
        part(number * 7 + 1).to_lowercase()
    );
    json!({
        "resourceType": "Patient", "gender": "female",
        "birthDate": format!("19{:02}-{:02}-{:02}", 30 + number * 3 % 60, 1 + number % 12, 1 + number * 5 % 28),
        "name": [{"family": family, "given": ["Hildegard", part(number + 5)]}],
        "identifier": [{
            "type": {"coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "SS"}]},
            "system": "http://hl7.org/fhir/sid/us-ssn",
            "value": format!("987-{:02}-{:04}", 10 + number % 80, 3000 + number),
        }],
        "telecom": [{"system": "phone", "value": format!("413-555-{:04}", 1000 + number)}],
        "address": [{"line": [format!("{number} {family} Lane")], "city": "Dunmere", "state": "MA",
            "postalCode": "01304"}],
    })
}
