//! The rows that a page shows.

use consilium_record::{Flag, Measurement, Record, Row, Section};
use serde_json::{Value, json};

use crate::support::*;

fn lines(record: &Record, section: &Section<Row>) -> Vec<String> {
    let conflicts = |row: &Row| if row.origin.conflicts.is_empty() { "" } else { " !" };
    section
        .rows
        .iter()
        .map(|row| {
            format!(
                "{} [{}] {} {} ({}){}",
                row.title,
                row.status,
                row.date.as_ref().map_or("undated", |date| &date.text),
                names(record, &row.origin.items),
                row.origin.sources.join(", "),
                conflicts(row),
            )
        })
        .collect()
}

#[test]
fn problems_are_one_row_a_fact_active_first_then_newest() {
    let flu = || snomed("6142004", "Influenza");
    let asthma = || snomed("195967001", "Asthma");
    let ulcer = snomed("13200003", "Peptic ulcer");
    let record = record(&[
        (0, condition("c1", flu(), "resolved", "2019-02-01")),
        (1, condition("c2", flu(), "resolved", "2022-02-01")),
        (0, condition("c3", asthma(), "active", "2001-01-01")),
        (1, condition("c4", asthma(), "active", "2005-01-01")),
        (2, condition("c5", asthma(), "resolved", "2005-01-02")),
        (1, condition("c6", ulcer, "active", "2020-01-01")),
    ]);
    let view = record.view();
    assert_eq!(
        lines(&record, &view.summary.problems),
        [
            "Peptic ulcer [active] 2020-01-01 south/c6 (South Hospital)",
            "Asthma [active] 2005-01-01 north/c3 south/c4 (North Hospital, South Hospital) !",
            "Influenza [resolved] 2022-02-01 south/c2 (South Hospital)",
            "Influenza [resolved] 2019-02-01 north/c1 (North Hospital)",
            "Asthma [resolved] 2005-01-02 lake/c5 (Lake Clinic) !",
        ]
    );
    assert_eq!(view.summary.problems.total, 5);
}

#[test]
fn a_statement_that_was_taken_back_does_not_speak_for_its_row() {
    let asthma = || snomed("195967001", "Asthma");
    let wrong = json!({"verificationStatus": {"coding": [{"code": "entered-in-error"}]}});
    let alone = condition("c3", snomed("6142004", "Influenza"), "active", "2024-01-01");
    let record = record(&[
        (0, condition("c1", asthma(), "active", "2020-01-01")),
        (1, with(condition("c2", asthma(), "", "2020-01-05"), wrong.clone())),
        (1, with(alone, wrong)),
        (2, condition("c4", snomed("13200003", "Peptic ulcer"), "resolved", "1999-01-01")),
    ]);
    assert_eq!(
        lines(&record, &record.view().summary.problems),
        [
            "Asthma [active] 2020-01-01 north/c1 south/c2 (North Hospital, South Hospital) !",
            "Peptic ulcer [resolved] 1999-01-01 lake/c4 (Lake Clinic)",
            "Influenza [entered-in-error] 2024-01-01 south/c3 (South Hospital)",
        ]
    );
}

fn shown(measurement: &Measurement) -> String {
    let series: Vec<String> = measurement
        .series
        .iter()
        .map(|series| {
            let points: Vec<String> = series.points.iter().map(|p| p.value.to_string()).collect();
            format!("{}{}", series.title, points.join(" "))
        })
        .collect();
    format!(
        "{} {} {} {:?} {} | {}",
        measurement.title,
        measurement.value,
        measurement.unit,
        measurement.flag,
        measurement.count,
        series.join(" | ")
    )
}

#[test]
fn measurements_show_the_latest_and_the_trend() {
    let potassium = || loinc("2823-3", "Potassium");
    let ranged = |base: Value| {
        with(base, json!({"referenceRange": [{"low": {"value": 3.5}, "high": {"value": 5.1}}]}))
    };
    let pressure = |id: &str, day: &str, high: u32, low: u32| {
        let part = |code: &str, value: u32| {
            json!({"code": loinc(code, "part"),
                "valueQuantity": {"value": value, "unit": "mm[Hg]"}})
        };
        json!({"resourceType": "Observation", "id": id, "status": "final",
            "category": [{"coding": [{"code": "vital-signs"}]}], "effectiveDateTime": day,
            "code": loinc("85354-9", "Blood pressure"),
            "component": [part("8462-4", low), part("8480-6", high)]})
    };
    let record = record(&[
        (0, lab("o1", potassium(), "2024-01-01T08:00:00Z", 4.0, "mmol/L")),
        (1, lab("o1", potassium(), "2024-01-01T08:00:00Z", 4.0, "mmol/L")),
        (1, ranged(lab("o3", potassium(), "2024-03-01T08:00:00Z", 5.6, "mmol/L"))),
        (0, lab("o2", potassium(), "2024-02-01T08:00:00Z", 17.0, "mg/dL")),
        (0, pressure("v1", "2024-01-01", 120, 80)),
        (1, pressure("v2", "2024-02-01", 135, 85)),
    ]);
    let summary = record.view().summary;
    let labs: Vec<String> = summary.labs.rows.iter().map(shown).collect();
    assert_eq!(labs, ["Potassium 5.6 mmol/L Some(High) 3 | 4 5.6"]);
    assert_eq!(summary.labs.rows[0].flag, Some(Flag::High));
    let vitals: Vec<String> = summary.vitals.rows.iter().map(shown).collect();
    assert_eq!(vitals, ["Blood pressure 135/85 mm[Hg] None 2 | part80 85 | part120 135"]);
}

#[test]
fn documents_carry_plain_text_once() {
    let note = "SGlzdG9yeTog4oCcbm90aGluZ+KAnQ==";
    let report = json!({"resourceType": "DiagnosticReport", "id": "r1", "status": "final",
        "code": loinc("34117-2", "History and physical"), "effectiveDateTime": "2024-01-01T08:00:00Z",
        "presentedForm": [{"contentType": "text/plain; charset=utf-8", "data": note}]});
    let document = json!({"resourceType": "DocumentReference", "id": "d1", "status": "current",
        "type": loinc("34117-2", "History and physical"), "date": "2024-01-01T08:00:00Z",
        "author": [{"display": "Dr. Ek"}],
        "content": [{"attachment": {"contentType": "text/plain", "data": note}}]});
    let scan = json!({"resourceType": "DocumentReference", "id": "d2", "status": "current",
        "description": "Scan", "content": [{"attachment": {"contentType": "application/pdf",
        "data": "SGVsbG8="}}]});
    let panel = json!({"resourceType": "DiagnosticReport", "id": "r2", "status": "final",
        "code": loinc("24323-8", "Metabolic panel")});
    let long = "QUJD".repeat(10_000);
    let book = json!({"resourceType": "DocumentReference", "id": "d3", "status": "current",
        "date": "2020-01-01T00:00:00Z", "type": {"text": "Book"},
        "content": [{"attachment": {"contentType": "text/plain", "data": long}}]});
    let record = record(&[(0, report), (0, document), (0, scan), (0, panel), (0, book)]);
    let summary = record.view().summary;
    let documents: Vec<(&str, Option<&str>, usize, bool)> = summary
        .documents
        .rows
        .iter()
        .map(|d| {
            let length = d.text.as_ref().map_or(0, |text| text.chars().count());
            (d.title.as_str(), d.author.as_deref(), length, d.is_cut)
        })
        .collect();
    assert_eq!(
        documents,
        [
            ("History and physical", Some("Dr. Ek"), 18, false),
            ("Book", None, 20_000, true),
            ("Scan", None, 0, false),
        ]
    );
    assert_eq!(summary.documents.rows[0].text.as_deref(), Some("History: “nothing”"));
    assert_eq!(
        lines(&record, &summary.reports),
        ["Metabolic panel [final] undated north/r2 (North Hospital)"]
    );
}

#[test]
fn the_rest_is_shown_or_counted() {
    let patient = json!({"resourceType": "Patient", "id": "p1", "gender": "female",
        "name": [{"use": "old", "family": "Alm"}, {"use": "official", "family": "Ek", "given": ["Ada"]}]});
    let visit = json!({"resourceType": "Encounter", "id": "e1", "status": "finished",
        "class": {"code": "AMB"}, "period": {"start": "2020-01-01T10:00:00Z"},
        "reasonCode": [{"text": "Cough"}], "serviceProvider": {"display": "Ward 3"}});
    let record = record(&[
        (1, patient),
        (0, json!({"resourceType": "Patient", "id": "p0"})),
        (0, visit),
        (0, json!({"resourceType": "Claim", "id": "x1"})),
        (1, json!({"resourceType": "Claim", "id": "x1"})),
        (1, json!({"resourceType": "Goal", "id": "g", "description": {"text": "Walk"}})),
    ]);
    let summary = record.view().summary;
    let person = summary.person.unwrap();
    assert_eq!((person.family.as_str(), person.given.as_str()), ("Ek", "Ada"));
    assert_eq!(names(&record, &person.origin.items), "north/p0 south/p1");
    let encounter = &summary.encounters.rows[0];
    assert_eq!(
        (encounter.title.as_str(), encounter.detail.as_deref()),
        ("AMB", Some("Cough, Ward 3"))
    );
    assert_eq!(lines(&record, &summary.other), ["Walk [] undated south/g (South Hospital)"]);
    assert_eq!(summary.unshown, [("Claim".to_owned(), 2)]);
}
