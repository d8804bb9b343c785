//! Given resources at hospitals, these clusters and conflicts.

use serde_json::{Value, json};

use crate::support::*;

#[track_caller]
fn check(items: &[(usize, Value)], expected: &[&str]) {
    let printed = printed(&record(items));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines, expected, "\n{printed}");
}

fn hypertension() -> Value {
    snomed("38341003", "Hypertension")
}

#[test]
fn problems() {
    let ended = |base: Value, day: &str| with(base, json!({"abatementDateTime": day}));
    let same = "http://snomed.info/sct|38341003";
    // Active at two hospitals, which heard of it years apart.
    check(
        &[
            (0, condition("c1", hypertension(), "active", "2015-01-10")),
            (1, condition("c2", hypertension(), "active", "2018-06-01")),
        ],
        &[&format!("Condition north/c1 south/c2: same problem, active at both ({same})")],
    );
    // Two episodes of one hospital stay two.
    check(
        &[
            (0, condition("c1", hypertension(), "active", "2015-01-10")),
            (0, condition("c2", hypertension(), "active", "2018-06-01")),
        ],
        &[],
    );
    // An old episode that was over before the present one began is neither linked nor a conflict.
    check(
        &[
            (0, condition("c1", hypertension(), "active", "2015-01-10")),
            (1, ended(condition("c2", hypertension(), "resolved", "2010-01-01"), "2010-02-01")),
        ],
        &[],
    );
    check(
        &[
            (0, condition("c1", hypertension(), "active", "2015-01-10")),
            (1, ended(condition("c2", hypertension(), "resolved", "2015-01-20"), "2016-02-01")),
        ],
        &[
            &format!("Condition north/c1 south/c2: same problem, onset within 30 days ({same})"),
            "low condition-status north/c1 south/c2: Hypertension is active at North Hospital \
             (since 2015-01-10), but resolved at South Hospital (2016-02-01). Check whether it is \
             still present.",
        ],
    );
    let refuted = json!({"verificationStatus": {"coding": [{"code": "refuted"}]}});
    check(
        &[
            (0, condition("c1", hypertension(), "active", "2015-01-10")),
            (2, with(condition("c2", hypertension(), "", "2017-03-01"), refuted)),
        ],
        &["moderate condition-status north/c1 lake/c2: Hypertension is active at North Hospital \
           (since 2015-01-10), but was ruled out at Lake Clinic (2017-03-01). Check which finding \
           is current."],
    );
    // No code in common, but no code system either that could tell them apart.
    let icd = json!({"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}],
        "text": "Hypertension (disorder)"});
    check(
        &[
            (0, condition("c1", hypertension(), "active", "2015-01-10")),
            (1, condition("c2", icd, "active", "2018-06-01")),
        ],
        &["Condition north/c1 south/c2: same problem, active at both (\"hypertension\")"],
    );
}

#[test]
fn allergies() {
    let penicillin = || snomed("91936005", "Allergy to penicillin");
    let medication = |base: Value| with(base, json!({"category": ["medication"]}));
    let none =
        || allergy("n1", snomed("409137002", "No known drug allergy"), "active", "confirmed");
    check(
        &[
            (0, none()),
            (1, medication(allergy("a1", penicillin(), "active", "confirmed"))),
            (2, medication(allergy("a2", penicillin(), "active", "unconfirmed"))),
        ],
        &[
            "AllergyIntolerance south/a1 lake/a2: same substance (http://snomed.info/sct|91936005)",
            "high allergy-denied south/a1 lake/a2 north/n1: Allergy to penicillin is recorded as \
             active at South Hospital and Lake Clinic, but North Hospital states no known drug \
             allergies. Treat the allergy as real until the patient has been asked.",
        ],
    );
    // A food allergy does not contradict the absence of drug allergies.
    let nuts = snomed("91935009", "Allergy to peanuts");
    let food = with(allergy("a1", nuts, "active", "confirmed"), json!({"category": ["food"]}));
    check(&[(0, none()), (1, food)], &[]);
    check(
        &[
            (0, allergy("a1", penicillin(), "active", "confirmed")),
            (1, allergy("a2", penicillin(), "", "refuted")),
        ],
        &[
            "AllergyIntolerance north/a1 south/a2: same substance (http://snomed.info/sct|91936005)",
            "high allergy-denied north/a1 south/a2: Allergy to penicillin is recorded as active at \
             North Hospital, but was refuted at South Hospital. Confirm with the patient before \
             prescribing.",
        ],
    );
    check(
        &[
            (0, allergy("a1", penicillin(), "active", "confirmed")),
            (1, allergy("a2", penicillin(), "active", "entered-in-error")),
        ],
        &[
            "AllergyIntolerance north/a1 south/a2: same substance (http://snomed.info/sct|91936005)",
            "moderate retracted south/a2 north/a1: Allergy to penicillin is on record at North \
             Hospital, but South Hospital marked the same entry as entered in error. Check before \
             relying on it.",
        ],
    );
}

#[test]
fn medicines() {
    let metformin = || rxnorm("860975", "24 HR Metformin hydrochloride 500 MG Oral Tablet");
    let strong = || rxnorm("861004", "Metformin hydrochloride 1000 MG Oral Tablet");
    let code = "http://www.nlm.nih.gov/research/umls/rxnorm|860975";
    check(
        &[
            (0, order("m1", metformin(), "active", "2020-01-01")),
            (1, order("m2", metformin(), "active", "2021-01-01")),
        ],
        &[&format!("MedicationRequest north/m1 south/m2: same medicine at the same time ({code})")],
    );
    check(
        &[
            (0, order("m1", metformin(), "active", "2020-01-01")),
            (1, order("m2", metformin(), "stopped", "2021-05-06")),
        ],
        &[
            &format!(
                "MedicationRequest north/m1 south/m2: same medicine at the same time ({code})"
            ),
            "moderate medication-stopped north/m1 south/m2: 24 HR Metformin hydrochloride 500 MG \
             Oral Tablet is active at North Hospital (since 2020-01-01), but not at South Hospital \
             (stopped, ordered 2021-05-06). Ask whether the patient still takes it.",
        ],
    );
    // Stopped long before the other hospital ordered it.
    check(
        &[
            (0, order("m1", metformin(), "active", "2020-01-01")),
            (1, order("m2", metformin(), "stopped", "2015-05-06")),
        ],
        &[],
    );
    // Stopped, and ordered again at the same hospital.
    check(
        &[
            (0, order("m1", metformin(), "stopped", "2021-01-01")),
            (0, order("m2", metformin(), "active", "2022-01-01")),
            (1, order("m3", metformin(), "active", "2020-01-01")),
        ],
        &[&format!("MedicationRequest south/m3 north/m1: same medicine at the same time ({code})")],
    );
    let once = json!([{"timing": {"repeat": {"frequency": 1, "period": 1.0, "periodUnit": "d"}}}]);
    check(
        &[
            (
                0,
                with(
                    order("m1", metformin(), "active", "2020-01-01"),
                    json!({"dosageInstruction": once}),
                ),
            ),
            (1, order("m2", strong(), "active", "2021-01-01")),
        ],
        &["moderate dose-differs north/m1 south/m2: Doses of metformin differ: North Hospital \
           (500 mg: 1 time(s) per day) and South Hospital (1000 mg). Confirm which dose the \
           patient takes."],
    );
    // The medicine stands in a resource of its own at one hospital, contained at the other.
    let medication = json!({"resourceType": "Medication", "id": "d1", "code": metformin()});
    let by_reference = json!({"resourceType": "MedicationRequest", "id": "m1", "status": "active",
        "medicationReference": {"reference": "Medication/d1"}, "authoredOn": "2020-01-01"});
    let contained = json!({"resourceType": "MedicationRequest", "id": "m2", "status": "active",
        "contained": [{"resourceType": "Medication", "id": "x", "code": metformin()}],
        "medicationReference": {"reference": "#x"}, "authoredOn": "2020-02-01"});
    check(
        &[(0, by_reference), (0, medication), (1, contained)],
        &[&format!("MedicationRequest north/m1 south/m2: same medicine at the same time ({code})")],
    );
}

#[test]
fn results() {
    let potassium = || loinc("2823-3", "Potassium");
    let code = "http://loinc.org|2823-3";
    let at = "2024-03-01T08:00:00Z";
    let linked = format!("Observation north/o1 south/o2: same code, time and value ({code})");
    // Within a minute, written in another zone and with another number of digits.
    let written = json!({"resourceType": "Observation", "id": "o2", "status": "final",
        "code": potassium(), "effectiveDateTime": "2024-03-01T09:00:40+01:00",
        "valueQuantity": {"value": 5.10, "unit": "mmol/L", "code": "mmol/L"}});
    check(&[(0, lab("o1", potassium(), at, 5.1, "mmol/L")), (1, written)], &[&linked]);
    check(
        &[
            (0, lab("o1", potassium(), at, 5.1, "mmol/L")),
            (1, lab("o2", potassium(), "2024-03-01", 5.1, "mmol/L")),
        ],
        &["Observation south/o2 north/o1: same code, time and value (http://loinc.org|2823-3)"],
    );
    check(
        &[
            (0, lab("o1", potassium(), at, 5.1, "mmol/L")),
            (1, lab("o2", potassium(), at, 3.9, "mmol/L")),
        ],
        &["moderate result-differs north/o1 south/o2: Potassium on 2024-03-01 differs: North \
           Hospital (5.1 mmol/L) and South Hospital (3.9 mmol/L). Check with both sources or \
           measure again."],
    );
    check(
        &[
            (0, lab("o1", potassium(), at, 5.1, "mmol/L")),
            (1, lab("o2", potassium(), at, 5.1, "mg/dL")),
        ],
        &["low result-differs north/o1 south/o2: Potassium on 2024-03-01 differs: North Hospital \
           (5.1 mmol/L) and South Hospital (5.1 mg/dL). The units or kinds of value differ; \
           compare by hand."],
    );
    // An undated value is not the dated one, and a day-only value is one of two, not both.
    let mut undated = lab("o2", potassium(), at, 5.1, "mmol/L");
    undated.as_object_mut().unwrap().remove("effectiveDateTime");
    check(&[(0, lab("o1", potassium(), at, 5.1, "mmol/L")), (1, undated)], &[]);
    check(
        &[
            (0, lab("o1", potassium(), at, 5.1, "mmol/L")),
            (0, lab("o3", potassium(), "2024-03-01T18:00:00Z", 5.1, "mmol/L")),
            (1, lab("o2", potassium(), "2024-03-01", 5.1, "mmol/L")),
        ],
        &["Observation south/o2 north/o1: same code, time and value (http://loinc.org|2823-3)"],
    );
    // The same hospital twice at one moment is that hospital's matter.
    check(
        &[
            (0, lab("o1", potassium(), at, 5.1, "mmol/L")),
            (0, lab("o2", potassium(), at, 3.9, "mmol/L")),
        ],
        &[],
    );
    let group = |id: &str, text: &str| {
        json!({"resourceType": "Observation", "id": id, "status": "final",
            "code": loinc("883-9", "ABO group"), "valueString": text})
    };
    check(
        &[(0, group("b1", "A+")), (1, group("b2", "Group A, Rh positive")), (2, group("b3", "O"))],
        &["high blood-group north/b1 south/b2 lake/b3: Blood groups differ: North Hospital (A+), \
           South Hospital (Group A, Rh positive) and Lake Clinic (O). Do not rely on either; \
           repeat the group before transfusion."],
    );
}

#[test]
fn vaccinations_procedures_reports_documents_and_encounters() {
    let shot = |id: &str, day: &str| {
        json!({"resourceType": "Immunization", "id": id, "status": "completed",
            "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}]},
            "occurrenceDateTime": day})
    };
    // A chain of dates does not grow: the third is five days after the first.
    check(
        &[
            (0, shot("i1", "2020-01-01")),
            (1, shot("i2", "2020-01-04")),
            (2, shot("i3", "2020-01-07")),
        ],
        &["Immunization north/i1 south/i2: same vaccine within 3 days \
           (http://hl7.org/fhir/sid/cvx|140)"],
    );
    let done = |id: &str, start: &str| {
        json!({"resourceType": "Procedure", "id": id, "status": "completed",
            "code": snomed("80146002", "Appendectomy"), "performedPeriod": {"start": start}})
    };
    check(
        &[(0, done("x1", "2019-05-01T10:00:00Z")), (1, done("x2", "2019-05-01"))],
        &["Procedure south/x2 north/x1: same code and time (http://snomed.info/sct|80146002)"],
    );
    let document = |id: &str, data: &str| {
        json!({"resourceType": "DocumentReference", "id": id, "status": "current",
            "content": [{"attachment": {"contentType": "text/plain", "data": data}}]})
    };
    check(
        &[
            (0, document("d1", "SGVsbG8=")),
            (1, document("d2", "SGVsbG8=")),
            (2, document("d3", "SGk=")),
        ],
        &["DocumentReference north/d1 south/d2: same document (same content)"],
    );
    let report = |id: &str| {
        json!({"resourceType": "DiagnosticReport", "id": id, "status": "final",
            "code": loinc("24323-8", "Metabolic panel"), "effectiveDateTime": "2020-01-01T10:00:00Z"})
    };
    check(
        &[(0, report("r1")), (0, report("r2")), (1, report("r3"))],
        &["DiagnosticReport north/r1 south/r3: same code and time (http://loinc.org|24323-8)"],
    );
    let visit = |id: &str, number: &str| {
        json!({"resourceType": "Encounter", "id": id, "status": "finished",
            "identifier": [{"system": "urn:visits", "value": number}],
            "period": {"start": "2020-01-01T10:00:00Z", "end": "2020-01-01T11:00:00Z"}})
    };
    check(
        &[(0, visit("e1", "1")), (1, visit("e2", "1")), (2, visit("e3", "2"))],
        &["Encounter north/e1 south/e2: same identifier (urn:visits|1)"],
    );
}

#[test]
fn identifiers_do_not_override_what_speaks_against_them() {
    let numbered = |base: Value| with(base, json!({"identifier": [{"system": "u", "value": "7"}]}));
    let at = "2024-03-01T08:00:00Z";
    let sodium = || loinc("2951-2", "Sodium");
    // One order number on two tests, and a claim group shared by every bill.
    let claim = |id: &str| numbered(json!({"resourceType": "ExplanationOfBenefit", "id": id}));
    check(
        &[
            (0, numbered(lab("o1", sodium(), at, 140.0, "mmol/L"))),
            (1, numbered(lab("o2", loinc("2823-3", "Potassium"), at, 140.0, "mmol/L"))),
            (0, claim("x1")),
            (1, claim("x2")),
        ],
        &[],
    );
    // One order number on two blood samples, days apart.
    check(
        &[
            (0, numbered(lab("o1", sodium(), at, 140.0, "mmol/L"))),
            (1, numbered(lab("o2", sodium(), "2024-03-04T08:00:00Z", 140.0, "mmol/L"))),
        ],
        &[],
    );
    // The clock differs by more than a minute, the number settles it.
    check(
        &[
            (0, numbered(lab("o1", sodium(), at, 140.0, "mmol/L"))),
            (1, numbered(lab("o2", sodium(), "2024-03-01T08:05:00Z", 140.0, "mmol/L"))),
        ],
        &["Observation north/o1 south/o2: same identifier (u|7)"],
    );
}

#[test]
fn demographics() {
    let patient = |id: &str, more: Value| {
        with(
            json!({"resourceType": "Patient", "id": id, "birthDate": "1980-05-01",
                "gender": "female", "name": [{"family": "Ek", "given": ["Ada", "M"]}]}),
            more,
        )
    };
    let person = "same person (matched by the asking organisation)";
    check(
        &[
            (0, patient("p0", json!({}))),
            (
                1,
                patient(
                    "p1",
                    json!({"birthDate": "1980-05", "name": [{"family": "EK", "given": ["ada"]}]}),
                ),
            ),
        ],
        &[&format!("Patient north/p0 south/p1: {person}")],
    );
    check(
        &[
            (0, patient("p0", json!({}))),
            (1, patient("p1", json!({"birthDate": "1980-01-05", "gender": "male"}))),
            (
                2,
                patient(
                    "p2",
                    json!({"deceasedDateTime": "2024-02-03T10:00:00Z",
                "name": [{"family": "Eck", "given": ["Ada"]}]}),
                ),
            ),
        ],
        &[
            &format!("Patient north/p0 south/p1 lake/p2: {person}"),
            "high demographics north/p0 south/p1 lake/p2: Death is recorded at only some of the \
             sources: North Hospital (recorded as alive), South Hospital (recorded as alive) and \
             Lake Clinic (died 2024-02-03). Make sure that this is the right patient.",
            "moderate demographics north/p0 south/p1 lake/p2: Birth dates differ: North Hospital \
             (1980-05-01), South Hospital (1980-01-05) and Lake Clinic (1980-05-01). Make sure \
             that this is the right patient.",
            "moderate demographics north/p0 south/p1 lake/p2: Sex differs: North Hospital \
             (female), South Hospital (male) and Lake Clinic (female). Make sure that this is the \
             right patient.",
            "low demographics north/p0 south/p1 lake/p2: Names differ: North Hospital (Ada M Ek), \
             South Hospital (Ada M Ek) and Lake Clinic (Ada Eck). Check for a change of name or a \
             spelling error.",
        ],
    );
}

#[test]
fn what_cannot_be_part_of_the_record_is_refused_with_a_reason() {
    let mut record = empty();
    let about = |reference: &str| {
        resource(&json!({"resourceType": "Condition", "id": "c",
            "subject": {"reference": reference}}))
    };
    for (source, given, expected) in [
        (0, about("Patient/p0"), "added"),
        (1, about("Patient/p1/_history/2"), "added"),
        (1, about("https://south.example/fhir/Patient/p1"), "added"),
        (0, about("urn:uuid:1"), "added"),
        (0, about("Patient/p1"), "the resource is about another patient"),
        (1, about("https://south.example/fhir/Patient/x"), "the resource is about another patient"),
        (
            0,
            resource(&json!({"resourceType": "Patient", "id": "p9"})),
            "the resource is about another patient",
        ),
        (0, resource(&json!({"resourceType": "Basic"})), "the resource has no `id`"),
        (
            0,
            resource(&json!({"resourceType": "a/b", "id": "1"})),
            "`resourceType` is not a type name of letters only",
        ),
        (
            7,
            resource(&json!({"resourceType": "Basic", "id": "1"})),
            "the source is not part of this record; add it first",
        ),
    ] {
        let text = given.text().to_owned();
        let outcome = record.add(source, given).map_or_else(|e| e.to_string(), |_| "added".into());
        assert_eq!(outcome, expected, "{text}");
    }
}

#[test]
fn the_same_text_twice_is_one_item_and_another_version_is_a_second() {
    let one = condition("c1", hypertension(), "active", "2015-01-10");
    let two = condition("c1", hypertension(), "resolved", "2015-01-10");
    let record = record(&[(0, one.clone()), (0, one), (0, two)]);
    assert_eq!(record.items().len(), 2);
    assert_eq!(
        printed(&record),
        "Condition north/c1 north/c1: versions of one resource (Condition/c1)\n"
    );
}
