//! One patient's record at one hospital while it is being written.

use serde_json::{Map, Value, json};

use crate::calendar::{date, date_time};
use crate::chance::Chance;
use crate::drugs::{Drug, WEEKLY};
use crate::sites::{Place, Role, Site};

const SNOMED: &str = "http://snomed.info/sct";
const LOINC: &str = "http://loinc.org";
const UCUM: &str = "http://unitsofmeasure.org";
const TERMINOLOGY: &str = "http://terminology.hl7.org/CodeSystem/";

/// A code with its display.
pub(crate) type Code = (&'static str, &'static str);

/// A resource of a chart, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(usize);

/// The record of one patient at one hospital.
pub(crate) struct Chart<'a> {
    pub(crate) site: &'a Site,
    pub(crate) patient_id: String,
    /// Sensitivity code that everything written from now on carries.
    pub(crate) sensitivity: Option<&'static str>,
    ids: Chance,
    entries: Vec<Value>,
}

/// What an Encounter says.
pub(crate) struct Visit {
    /// Code of v3-ActCode: `AMB`, `EMER` or `IMP`.
    pub(crate) class: &'static str,
    pub(crate) kind: Code,
    pub(crate) start_ms: i64,
    /// `None` while it lasts.
    pub(crate) end_ms: Option<i64>,
    pub(crate) role: Role,
    pub(crate) reason: Option<Code>,
    pub(crate) died: bool,
}

impl<'a> Chart<'a> {
    /// An empty record; `label` names the person within `seed`.
    pub(crate) fn new(site: &'a Site, seed: u64, label: &str) -> Self {
        let mut ids = Chance::new(seed, &["ids", &site.org, label]);
        let patient_id = ids.id();
        Self { site, patient_id, sensitivity: None, ids, entries: Vec::new() }
    }

    /// The texts of all resources, in the order in which they were written.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.entries.iter().map(Value::to_string).collect()
    }

    /// Whether nothing has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn push(&mut self, type_name: &str, body: Value) -> Entry {
        let mut resource = Map::new();
        resource.insert("resourceType".into(), type_name.into());
        resource.insert("id".into(), self.ids.id().into());
        if let Some(code) = self.sensitivity {
            resource.insert("meta".into(), json!({"security": [
                {"system": format!("{TERMINOLOGY}v3-Confidentiality"), "code": "R", "display": "restricted"},
                {"system": format!("{TERMINOLOGY}v3-ActCode"), "code": code},
            ]}));
        }
        if let Value::Object(members) = body {
            // Members without a value were only placeholders.
            resource.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
        }
        self.entries.push(Value::Object(resource));
        Entry(self.entries.len() - 1)
    }

    /// Sets member `name` of a resource that was written before.
    pub(crate) fn amend(&mut self, entry: Entry, name: &str, value: Value) {
        if let Some(Value::Object(resource)) = self.entries.get_mut(entry.0) {
            resource.insert(name.into(), value);
        }
    }

    /// A Reference to a resource of this record.
    pub(crate) fn to(&self, entry: Entry) -> Value {
        let text = |name: &str| {
            self.entries
                .get(entry.0)
                .and_then(|resource| resource[name].as_str())
                .unwrap_or_default()
        };
        json!({"reference": format!("{}/{}", text("resourceType"), text("id"))})
    }

    fn patient(&self) -> Value {
        json!({"reference": format!("Patient/{}", self.patient_id)})
    }

    pub(crate) fn encounter(&mut self, visit: &Visit) -> Entry {
        let place = match visit.class {
            "IMP" => Place::Ward,
            "EMER" => Place::Emergency,
            _ => Place::Clinic,
        };
        let class = match visit.class {
            "IMP" => "inpatient encounter",
            "EMER" => "emergency",
            _ => "ambulatory",
        };
        let mut period = json!({"start": date_time(visit.start_ms)});
        if let Some(end_ms) = visit.end_ms {
            period["end"] = date_time(end_ms).into();
        }
        let (disposition, words) = if visit.died { ("exp", "Expired") } else { ("home", "Home") };
        let hospitalization = (visit.class == "IMP" && visit.end_ms.is_some()).then(|| {
            json!({"dischargeDisposition": coded(&format!("{TERMINOLOGY}discharge-disposition"), (disposition, words))})
        });
        self.push("Encounter", json!({
            "status": if visit.end_ms.is_some() { "finished" } else { "in-progress" },
            "class": {"system": format!("{TERMINOLOGY}v3-ActCode"), "code": visit.class, "display": class},
            "type": [snomed(visit.kind)],
            "subject": self.patient(),
            "participant": [{"individual": self.site.practitioner(visit.role)}],
            "period": period,
            "reasonCode": visit.reason.map(|reason| json!([snomed(reason)])),
            "hospitalization": hospitalization,
            "location": [{"location": self.site.place(place)}],
            "serviceProvider": self.site.reference(),
        }))
    }

    /// A Condition; `words` stand beside the code, `onset` is a FHIR date of any precision.
    #[expect(clippy::too_many_arguments, reason = "each argument is an element of the resource")]
    pub(crate) fn condition(
        &mut self,
        code: Code,
        words: &str,
        problem: bool,
        onset: &str,
        abatement: Option<i64>,
        encounter: Entry,
        at: i64,
        role: Role,
    ) -> Entry {
        let (category, display) = if problem {
            ("problem-list-item", "Problem List Item")
        } else {
            ("encounter-diagnosis", "Encounter Diagnosis")
        };
        let status = if abatement.is_some() { "resolved" } else { "active" };
        let mut concept = snomed(code);
        concept["text"] = words.into();
        self.push("Condition", json!({
            "clinicalStatus": coded_only(&format!("{TERMINOLOGY}condition-clinical"), status),
            "verificationStatus": coded_only(&format!("{TERMINOLOGY}condition-ver-status"), "confirmed"),
            "category": [coded(&format!("{TERMINOLOGY}condition-category"), (category, display))],
            "code": concept,
            "subject": self.patient(),
            "encounter": self.to(encounter),
            "onsetDateTime": onset,
            "abatementDateTime": abatement.map(date),
            "recordedDate": date_time(at),
            "recorder": self.site.practitioner(role),
        }))
    }

    /// A MedicationRequest: an order of this hospital, or what the patient says is taken.
    #[expect(clippy::too_many_arguments, reason = "each argument is an element of the resource")]
    pub(crate) fn medication(
        &mut self,
        drug: &Drug,
        status: &str,
        reported: bool,
        reason: Option<Entry>,
        encounter: Entry,
        at: i64,
        role: Role,
    ) -> Entry {
        let mut dosage = json!({"text": drug.sig});
        match drug.daily {
            0 => dosage["asNeededBoolean"] = true.into(),
            WEEKLY => {
                dosage["timing"] =
                    json!({"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}})
            }
            n => {
                dosage["timing"] =
                    json!({"repeat": {"frequency": n, "period": 1, "periodUnit": "d"}})
            }
        }
        let dose = json!({"value": number(drug.dose.0, usize::from(drug.dose.0.fract() > 0.0)), "unit": drug.dose.1});
        dosage["doseAndRate"] = json!([{"doseQuantity": dose}]);
        self.push("MedicationRequest", json!({
            "status": status,
            "intent": if reported { "plan" } else { "order" },
            "reportedBoolean": reported,
            "medicationCodeableConcept": coded_text("http://www.nlm.nih.gov/research/umls/rxnorm", (drug.code, drug.display)),
            "subject": self.patient(),
            "encounter": self.to(encounter),
            "authoredOn": date_time(at),
            "requester": (!reported).then(|| self.site.practitioner(role)),
            "recorder": reported.then(|| self.site.practitioner(role)),
            "reasonReference": reason.map(|reason| json!([self.to(reason)])),
            "dosageInstruction": [dosage],
        }))
    }

    /// An AllergyIntolerance with its reactions (SNOMED CT) and criticality.
    pub(crate) fn allergy(
        &mut self,
        allergy: &Allergy,
        criticality: &str,
        encounter: Entry,
        at: i64,
    ) -> Entry {
        let reaction = allergy.reaction.map(|(manifestation, severity)| {
            json!([{"manifestation": [snomed(manifestation)], "severity": severity}])
        });
        self.push("AllergyIntolerance", json!({
            "clinicalStatus": coded_only(&format!("{TERMINOLOGY}allergyintolerance-clinical"), "active"),
            "verificationStatus": coded_only(&format!("{TERMINOLOGY}allergyintolerance-verification"), "confirmed"),
            "type": "allergy",
            "category": [allergy.category],
            "criticality": criticality,
            "code": snomed(allergy.code),
            "patient": self.patient(),
            "encounter": self.to(encounter),
            "recordedDate": date_time(at),
            "reaction": reaction,
        }))
    }

    /// The statement that no allergy is known.
    pub(crate) fn no_known_allergy(&mut self, encounter: Entry, at: i64) -> Entry {
        self.push("AllergyIntolerance", json!({
            "clinicalStatus": coded_only(&format!("{TERMINOLOGY}allergyintolerance-clinical"), "active"),
            "verificationStatus": coded_only(&format!("{TERMINOLOGY}allergyintolerance-verification"), "confirmed"),
            "code": snomed(("716186003", "No known allergy")),
            "patient": self.patient(),
            "encounter": self.to(encounter),
            "recordedDate": date_time(at),
        }))
    }

    /// An Observation with the given category, code and further members.
    pub(crate) fn observation(
        &mut self,
        category: &str,
        code: Code,
        encounter: Option<Entry>,
        at: i64,
        more: Value,
    ) -> Entry {
        let display = match category {
            "vital-signs" => "Vital Signs",
            "laboratory" => "Laboratory",
            "social-history" => "Social History",
            _ => "Survey",
        };
        let mut body = json!({
            "status": "final",
            "category": [coded(&format!("{TERMINOLOGY}observation-category"), (category, display))],
            "code": coded_text(LOINC, code),
            "subject": self.patient(),
            "encounter": encounter.map(|encounter| self.to(encounter)),
            "effectiveDateTime": date_time(at),
        });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        self.push("Observation", body)
    }

    /// A DiagnosticReport over `results`.
    pub(crate) fn report(
        &mut self,
        code: Code,
        results: &[Entry],
        encounter: Option<Entry>,
        at: i64,
        issued_ms: i64,
        performer: Value,
    ) -> Entry {
        let results: Vec<Value> = results.iter().map(|result| self.to(*result)).collect();
        self.push(
            "DiagnosticReport",
            json!({
                "status": "final",
                "category": [coded(&format!("{TERMINOLOGY}v2-0074"), ("LAB", "Laboratory"))],
                "code": coded_text(LOINC, code),
                "subject": self.patient(),
                "encounter": encounter.map(|encounter| self.to(encounter)),
                "effectiveDateTime": date_time(at),
                "issued": fhir::time::instant(issued_ms),
                "performer": [performer],
                "result": results,
            }),
        )
    }

    /// An Immunization; `encounter` is missing when it was given elsewhere.
    pub(crate) fn immunization(
        &mut self,
        vaccine: Code,
        at: i64,
        encounter: Option<Entry>,
    ) -> Entry {
        self.push("Immunization", json!({
            "status": "completed",
            "vaccineCode": coded_text("http://hl7.org/fhir/sid/cvx", vaccine),
            "patient": self.patient(),
            "encounter": encounter.map(|encounter| self.to(encounter)),
            "occurrenceDateTime": if encounter.is_some() { date_time(at) } else { date(at) },
            "primarySource": encounter.is_some(),
            "reportOrigin": encounter.is_none().then(|| coded(&format!("{TERMINOLOGY}immunization-origin"), ("provider", "Other Provider"))),
            "location": encounter.map(|_| self.site.place(Place::Clinic)),
        }))
    }

    pub(crate) fn procedure(
        &mut self,
        code: Code,
        start_ms: i64,
        end_ms: i64,
        reason: Option<Entry>,
        encounter: Entry,
        role: Role,
    ) -> Entry {
        self.push(
            "Procedure",
            json!({
                "status": "completed",
                "code": snomed(code),
                "subject": self.patient(),
                "encounter": self.to(encounter),
                "performedPeriod": {"start": date_time(start_ms), "end": date_time(end_ms)},
                "performer": [{"actor": self.site.practitioner(role)}],
                "reasonReference": reason.map(|reason| json!([self.to(reason)])),
            }),
        )
    }

    pub(crate) fn care_plan(
        &mut self,
        code: Code,
        addresses: Entry,
        activities: &[&str],
        encounter: Entry,
        at: i64,
    ) -> Entry {
        let activities: Vec<Value> = activities
            .iter()
            .map(|text| json!({"detail": {"status": "in-progress", "description": text}}))
            .collect();
        self.push(
            "CarePlan",
            json!({
                "status": "active",
                "intent": "plan",
                "category": [snomed(code)],
                "title": code.1,
                "subject": self.patient(),
                "encounter": self.to(encounter),
                "period": {"start": date(at)},
                "author": self.site.practitioner(Role::Primary),
                "addresses": [self.to(addresses)],
                "activity": activities,
            }),
        )
    }

    /// A clinical note as plain text.
    pub(crate) fn note(
        &mut self,
        kind: Code,
        text: &str,
        role: Role,
        encounter: Entry,
        at: i64,
    ) -> Entry {
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(text);
        self.push("DocumentReference", json!({
            "status": "current",
            "docStatus": "final",
            "type": coded_text(LOINC, kind),
            "category": [coded("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", ("clinical-note", "Clinical Note"))],
            "subject": self.patient(),
            "date": fhir::time::instant(at),
            "author": [self.site.practitioner(role)],
            "custodian": self.site.reference(),
            "content": [{"attachment": {
                "contentType": "text/plain; charset=utf-8", "data": data, "title": kind.1, "creation": date_time(at)}}],
            "context": {"encounter": [self.to(encounter)], "period": {"start": date_time(at)}},
        }))
    }

    /// A booked visit.
    pub(crate) fn appointment(
        &mut self,
        what: &str,
        start_ms: i64,
        end_ms: i64,
        role: Role,
        booked_ms: i64,
    ) -> Entry {
        self.push(
            "Appointment",
            json!({
                "status": "booked",
                "serviceType": [{"text": role.department()}],
                "description": what,
                "start": fhir::time::instant(start_ms),
                "end": fhir::time::instant(end_ms),
                "created": date_time(booked_ms),
                "participant": [
                    {"actor": self.patient(), "status": "accepted"},
                    {"actor": self.site.practitioner(role), "status": "accepted"},
                    {"actor": self.site.place(Place::Clinic), "status": "accepted"},
                ],
            }),
        )
    }
}

/// A substance that somebody does not tolerate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Allergy {
    /// SNOMED CT code and display.
    pub(crate) code: Code,
    pub(crate) category: &'static str,
    pub(crate) criticality: &'static str,
    /// SNOMED CT code of what happens, and its severity.
    pub(crate) reaction: Option<(Code, &'static str)>,
}

fn coded(system: &str, code: (&str, &str)) -> Value {
    json!({"coding": [{"system": system, "code": code.0, "display": code.1}]})
}

fn coded_only(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

fn coded_text(system: &str, code: Code) -> Value {
    json!({"coding": [{"system": system, "code": code.0, "display": code.1}], "text": code.1})
}

/// A CodeableConcept of SNOMED CT.
pub(crate) fn snomed(code: Code) -> Value {
    coded_text(SNOMED, code)
}

/// A JSON number with at most `decimals` digits behind the point.
pub(crate) fn number(value: f64, decimals: usize) -> Value {
    if decimals == 0 {
        return json!(value.round() as i64);
    }
    let scale = 10_f64.powi(decimals as i32);
    json!((value * scale).round() / scale)
}

/// A Quantity in a UCUM unit.
pub(crate) fn quantity(value: f64, decimals: usize, unit: &str) -> Value {
    json!({"value": number(value, decimals), "unit": unit, "system": UCUM, "code": unit})
}

/// `component` entries out of LOINC codes and quantities.
pub(crate) fn components(parts: &[(Code, Value)]) -> Value {
    parts
        .iter()
        .map(|(code, value)| json!({"code": coded_text(LOINC, *code), "valueQuantity": value}))
        .collect()
}
