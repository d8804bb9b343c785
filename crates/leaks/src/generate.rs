//! Seeded generation of patients, their consents, labelled resources, and requests.

use policy::consent::{
    Defaults, Existence, NetworkDefault, Request, SensitiveDefault, Who, look_up, user_of,
};
use policy::{Purpose, Role};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::provision;

/// The time of every generated request, 1 June 2026, in milliseconds since the Unix epoch.
pub const NOW_MS: i64 = 1_780_272_000_000;

/// What to make.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The same seed makes the same world.
    pub seed: u64,
    /// How many patients.
    pub patients: usize,
    /// Most consents of one patient.
    pub consents: u32,
    /// How many resources each patient has beside the Patient, at most 9.
    pub resources: usize,
    /// Only what FHIR R4 allows, so that a server stores it; else also what is not understood.
    pub valid_only: bool,
    /// Short id of the organisation that holds the records.
    pub custodian: String,
    /// Short ids of the other organisations, at least two.
    pub others: [String; 2],
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            seed: 1,
            patients: 10,
            consents: 3,
            resources: 8,
            valid_only: false,
            custodian: "south".to_owned(),
            others: ["north".to_owned(), "west".to_owned()],
        }
    }
}

/// Patients, and the people and groups that consents may name.
#[derive(Clone, Debug)]
pub struct World {
    /// What was asked for.
    pub shape: Shape,
    /// The patients.
    pub patients: Vec<Patient>,
    /// Practitioner, PractitionerRole, Group and CareTeam resources, to be stored beside.
    pub directory: Vec<Value>,
}

/// One patient.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Logical id.
    pub id: String,
    /// What has been decided.
    pub consents: Vec<Value>,
    /// The record, the Patient first.
    pub resources: Vec<Held>,
}

/// One resource of a record.
#[derive(Clone, Debug)]
pub struct Held {
    /// Stands in the resource, as an identifier and in its words, and nowhere else in the world.
    pub marker: String,
    /// `Observation/p0-r1`.
    pub reference: String,
    /// The resource.
    pub resource: Value,
}

/// Chance, with what the generators need of it.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end.max(1))
    }

    pub(crate) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

impl World {
    /// Makes the world of a shape.
    pub fn generate(shape: &Shape) -> Self {
        let mut chance = Chance::new(shape.seed);
        let patients = (0..shape.patients).map(|n| patient(shape, n, &mut chance)).collect();
        Self { shape: shape.clone(), patients, directory: directory(shape) }
    }

    /// Who is behind a reference or identifier, for [`policy::consent::Compiled::with`].
    pub fn who(&self, name: &str) -> Option<Who> {
        let find = |name: &str| {
            let found = self.directory.iter().find(|resource| is_named(resource, name))?;
            fhir::Resource::parse(found.to_string()).ok()
        };
        look_up(name, &find)
    }

    /// A request of somebody for something, and what the network has agreed.
    pub fn request(&self, seed: u64) -> (Request, Defaults) {
        let mut chance = Chance::new(seed ^ self.shape.seed.rotate_left(32));
        let (own, [one, two]) = (&self.shape.custodian, &self.shape.others);
        let recipient = chance.of(&[one, one, one, one, two, two, own]).clone();
        let role = chance.of(&[
            Role::Clinician,
            Role::Clinician,
            Role::Clinician,
            Role::Clinician,
            Role::Clinician,
            Role::Registrar,
            Role::Service,
            Role::Patient,
            Role::Proxy,
        ]);
        let purpose = chance.of(&[
            "TREAT", "TREAT", "TREAT", "ETREAT", "COC", "BTG", "BTG", "HRESCH", "CLINTRCH",
            "HPAYMT", "HOPERAT", "FAMRQT",
        ]);
        let user = if recipient == *own {
            chance.of(&["Practitioner/7", "Practitioner/8"]).to_owned()
        } else {
            user_of(&recipient, chance.of(&["weber", "adler"]))
        };
        let user = match role {
            Role::Service => "Device/d1".to_owned(),
            Role::Patient | Role::Proxy => "RelatedPerson/3".to_owned(),
            _ => user,
        };
        let request = Request {
            recipient_org: recipient,
            recipient_user: (!chance.percent(10)).then_some(user),
            role,
            purpose: Purpose::find(purpose).unwrap_or(Purpose::TREAT),
            custodian_org: format!("urn:consilium:org:{own}"),
            now_ms: NOW_MS,
            break_glass_enabled: chance.percent(60),
        };
        let network = chance.of(&[
            NetworkDefault::PermitTreatment,
            NetworkDefault::PermitTreatment,
            NetworkDefault::PermitAll,
            NetworkDefault::Deny,
            NetworkDefault::Deny,
            NetworkDefault::BreakGlassOnly,
        ]);
        let sensitive = match chance.percent(75) {
            true => SensitiveDefault::Withhold,
            false => SensitiveDefault::Share,
        };
        (request, Defaults { network, sensitive, denied: Existence::Hidden })
    }
}

/// Whether a resource is meant by a relative reference or by `system|value`.
pub(crate) fn is_named(resource: &Value, name: &str) -> bool {
    if let Some((system, value)) = name.split_once('|') {
        let identifiers = resource["identifier"].as_array().into_iter().flatten();
        return identifiers.into_iter().any(|it| it["system"] == system && it["value"] == value);
    }
    name.split_once('/')
        .is_some_and(|(kind, id)| resource["resourceType"] == kind && resource["id"] == id)
}

/// The people and groups of every world.
fn directory(shape: &Shape) -> Vec<Value> {
    let [one, two] = &shape.others;
    let account = |org: &str, user: &str| json!({"system": format!("urn:consilium:org:{org}"), "value": user});
    vec![
        // Known by an account at another organisation, and by a national number.
        json!({"resourceType": "Practitioner", "id": "9", "identifier": [account(one, "weber"),
            {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]}),
        json!({"resourceType": "Practitioner", "id": "7", "identifier": [account(&shape.custodian, "seven")]}),
        json!({"resourceType": "Practitioner", "id": "8", "identifier": [account(&shape.custodian, "eight")]}),
        json!({"resourceType": "PractitionerRole", "id": "r1",
            "practitioner": {"reference": "Practitioner/9"},
            "organization": {"identifier": {"value": format!("urn:consilium:org:{one}")}}}),
        json!({"resourceType": "Group", "id": "g1", "type": "practitioner", "actual": true,
            "member": [{"entity": {"reference": "Practitioner/9"}}, {"entity": {"reference": "Practitioner/8"}},
                {"entity": {"reference": "Practitioner/7"}, "inactive": true}]}),
        json!({"resourceType": "CareTeam", "id": "c1", "status": "active",
            "participant": [{"member": {"identifier": account(two, "adler")}}]}),
        // Describes instead of listing.
        json!({"resourceType": "Group", "id": "g2", "type": "practitioner", "actual": false}),
    ]
}

fn patient(shape: &Shape, number: usize, chance: &mut Chance) -> Patient {
    let id = format!("p{}x{number}", shape.seed);
    let count = chance.below(shape.consents as usize + 1).max(chance.below(2));
    let consents = (0..count).map(|n| provision::consent(shape, &id, n, chance)).collect();
    let mut resources = vec![held(&id, 0, "Patient", json!({"gender": "unknown"}), false, chance)];
    for n in 1..=shape.resources.min(9) {
        resources.push(resource(&id, n, chance));
    }
    Patient { id, consents, resources }
}

/// Codes that say nothing delicate, and codes that do: system, code, words.
const CODES: &[(&str, &str, &str)] = &[
    ("http://loinc.org", "718-7", "haemoglobin"),
    ("http://snomed.info/sct", "38341003", "raised blood pressure"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "F10.20", "alcohol"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "B20", "viral"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "E11.9", "sugar"),
];

fn concept(chance: &mut Chance, plain: usize) -> Value {
    let (system, code, text) = match chance.percent(plain) {
        true => CODES[chance.below(2)],
        false => chance.of(CODES),
    };
    json!({"coding": [{"system": system, "code": code}], "text": text})
}

fn resource(patient: &str, n: usize, chance: &mut Chance) -> Held {
    let subject = json!({"reference": format!("Patient/{patient}")});
    let encounter = json!({"reference": format!("Encounter/{patient}-r2")});
    let who = chance.of(&["Practitioner/7", "Practitioner/8", "Organization/south"]);
    let author = json!({"reference": who});
    let day = chance.of(&["2021-03-04", "2022-02-03", "2022-11-12", "2023-01-01", "2019-05-02"]);
    let mut code = concept(chance, 75);
    if chance.percent(4) {
        code = json!({"text": "in words only"});
    }
    let (kind, mut body) = match n % 9 {
        2 => (
            "Encounter",
            json!({"status": "finished", "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": subject, "period": {"start": "2022-02-03", "end": "2022-02-04"},
            "serviceProvider": {"reference": "Organization/south"}}),
        ),
        3 => (
            "Condition",
            json!({"subject": subject, "code": code, "recordedDate": day, "recorder": {"reference": "Practitioner/8"},
            "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}}),
        ),
        4 => (
            "Procedure",
            json!({"status": "completed", "subject": subject, "code": code, "performedDateTime": day}),
        ),
        5 => (
            "DiagnosticReport",
            json!({"status": "final", "subject": subject, "code": code, "effectiveDateTime": day,
            "result": [{"reference": format!("Observation/{patient}-r1")}]}),
        ),
        6 => (
            "MedicationRequest",
            json!({"status": "active", "intent": "order", "subject": subject,
            "medicationCodeableConcept": code, "authoredOn": day, "requester": author}),
        ),
        7 => (
            "DocumentReference",
            json!({"status": "current", "subject": subject, "type": code, "date": format!("{day}T08:00:00Z"),
            "author": [author], "content": [{"attachment": {"contentType": "text/plain", "title": "letter"}}]}),
        ),
        _ => (
            "Observation",
            json!({"status": "final", "subject": subject, "code": code, "effectiveDateTime": day, "performer": [author],
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}]}),
        ),
    };
    if kind != "Encounter" && kind != "DocumentReference" && chance.percent(50) {
        body["encounter"] = encounter;
    }
    // Something delicate that is not in its code.
    if kind == "Observation" && chance.percent(12) {
        body["component"] = json!([{"code": concept(chance, 0), "valueString": "x"}]);
    }
    held(patient, n, kind, body, true, chance)
}

const PROFILE: &str = "http://hl7.org/fhir/StructureDefinition/vitalsigns";

/// Completes a resource: id, marker, labels.
fn held(
    patient: &str,
    n: usize,
    kind: &str,
    mut body: Value,
    labelled: bool,
    chance: &mut Chance,
) -> Held {
    let id = if n == 0 { patient.to_owned() } else { format!("{patient}-r{n}") };
    let marker = format!("marker-{id}-{:08x}", chance.below(1 << 32));
    body["resourceType"] = json!(kind);
    body["id"] = json!(id);
    body["identifier"] = json!([{"system": "urn:consilium:marker", "value": marker}]);
    body["text"] = json!({"status": "generated",
        "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{marker}</div>")});
    if labelled && chance.percent(45) {
        let mut security = vec![provision::label(chance.of(&[
            "N",
            "R",
            "R",
            "V",
            "L",
            "HIV",
            "HIV",
            "SUD",
            "ETHUD",
            "PSY",
            "42CFRPart2",
            "project",
        ]))];
        if chance.percent(30) {
            security.push(provision::label(chance.of(&["N", "L", "PSY", "SUD", "R"])));
        }
        if chance.percent(15) {
            security.push(provision::label("PROCESSINLINELABEL"));
        }
        body["meta"] = json!({"security": security});
    }
    if labelled && chance.percent(12) {
        // Counts only where the resource says that its elements are labelled.
        body["identifier"][0]["extension"] = json!([{
            "url": "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
            "valueCoding": provision::label(chance.of(&["HIV", "R", "V"]))}]);
        if chance.percent(70) {
            let labels = body["meta"]["security"].as_array().cloned().unwrap_or_default();
            let mut labels: Vec<Value> = labels;
            labels.push(provision::label("PROCESSINLINELABEL"));
            body["meta"] = json!({"security": labels});
        }
    }
    if kind == "Observation" && chance.percent(30) {
        body["meta"]["profile"] = json!([PROFILE]);
    }
    Held { marker, reference: format!("{kind}/{id}"), resource: body }
}
