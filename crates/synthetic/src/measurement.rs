//! Vital signs, laboratory results and tobacco use as resources of a chart.

use serde_json::{Value, json};

use crate::body::Vitals;
use crate::calendar::HOUR_MS;
use crate::chart::{Chart, Code, Entry, components, number, quantity, snomed};
use crate::lab::{Lab, Panel};

/// Which vital signs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Blood pressure, pulse, weight.
    Brief,
    /// The same with height and body mass index.
    Checkup,
    /// The same with breaths, temperature and oxygen saturation, without weight.
    Acute,
}

/// Writes the vital signs of a visit. Blood pressure is not taken below three years.
pub(crate) fn vitals(
    chart: &mut Chart<'_>,
    vitals: &Vitals,
    extent: Extent,
    years: f64,
    encounter: Entry,
    at: i64,
) {
    let mut write = |code: Code, value: Value| {
        chart.observation("vital-signs", code, Some(encounter), at, value);
    };
    let one = |value: f64, decimals: usize, unit: &str| json!({"valueQuantity": quantity(value, decimals, unit)});
    if years >= 3.0 {
        let parts = [
            (("8480-6", "Systolic blood pressure"), quantity(vitals.systolic, 0, "mm[Hg]")),
            (("8462-4", "Diastolic blood pressure"), quantity(vitals.diastolic, 0, "mm[Hg]")),
        ];
        let code = ("85354-9", "Blood pressure panel with all children optional");
        write(code, json!({"component": components(&parts)}));
    }
    write(("8867-4", "Heart rate"), one(vitals.pulse, 0, "/min"));
    if extent == Extent::Acute {
        write(("9279-1", "Respiratory rate"), one(vitals.breaths, 0, "/min"));
        write(("8310-5", "Body temperature"), one(vitals.temperature, 1, "Cel"));
        let code = ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry");
        write(code, one(vitals.saturation, 0, "%"));
        return;
    }
    write(("29463-7", "Body weight"), one(vitals.weight, 1, "kg"));
    if extent == Extent::Checkup {
        write(("8302-2", "Body height"), one(vitals.height, 1, "cm"));
        if years >= 2.0 {
            let bmi = vitals.weight / (vitals.height / 100.0).powi(2);
            write(("39156-5", "Body mass index (BMI) [Ratio]"), one(bmi, 1, "kg/m2"));
        }
    }
}

/// Results of one blood draw.
pub(crate) struct Results<'a> {
    pub(crate) panel: Panel,
    pub(crate) values: &'a [(Lab, f64)],
    pub(crate) female: bool,
    /// Laboratory number of the sample, and whose it is.
    pub(crate) accession: (&'a str, &'a str),
    /// Who measured: a Reference to an Organization.
    pub(crate) performer: Value,
    pub(crate) at: i64,
}

/// Writes results, with a report where the panel has one. `encounter` is missing for results that
/// another hospital sent.
pub(crate) fn results(chart: &mut Chart<'_>, results: &Results<'_>, encounter: Option<Entry>) {
    let mut written = Vec::new();
    let issued_ms = results.at + 3 * HOUR_MS;
    for &(lab, value) in results.values {
        let test = lab.test(results.female);
        let (org, accession) = results.accession;
        let mut more = json!({
            "identifier": [{"system": format!("urn:consilium:org:{org}:accession"), "value": format!("{accession}-{}", test.code.0)}],
            "issued": fhir::time::instant(issued_ms),
            "performer": [results.performer],
            "valueQuantity": quantity(value, test.decimals, test.unit),
        });
        if lab == Lab::ViralLoad && value < 20.0 {
            more["valueQuantity"] = quantity(20.0, 0, test.unit);
            more["valueQuantity"]["comparator"] = "<".into();
        }
        more["interpretation"] = interpretation(value, test.range);
        more["referenceRange"] = json!([range(test.range, test.decimals, test.unit)]);
        if encounter.is_none() {
            more["note"] =
                json!([{"text": "Result received from the laboratory of another hospital"}]);
        }
        written.push(chart.observation("laboratory", test.code, encounter, results.at, more));
    }
    if let Some(code) = results.panel.report() {
        chart.report(code, &written, encounter, results.at, issued_ms, results.performer.clone());
    }
}

fn interpretation(value: f64, (low, high): (Option<f64>, Option<f64>)) -> Value {
    let (code, display) = if low.is_some_and(|low| value < low) {
        ("L", "Low")
    } else if high.is_some_and(|high| value > high) {
        ("H", "High")
    } else {
        ("N", "Normal")
    };
    let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    json!([{"coding": [{"system": system, "code": code, "display": display}]}])
}

fn range((low, high): (Option<f64>, Option<f64>), decimals: usize, unit: &str) -> Value {
    let mut out = json!({});
    if let Some(low) = low {
        out["low"] = quantity(low, decimals, unit);
    }
    if let Some(high) = high {
        out["high"] = quantity(high, decimals, unit);
    }
    let shown = |value: f64| number(value, decimals).to_string();
    out["text"] = match (low, high) {
        (Some(low), Some(high)) => format!("{} - {} {unit}", shown(low), shown(high)),
        (Some(low), None) => format!(">= {} {unit}", shown(low)),
        (None, Some(high)) => format!("<= {} {unit}", shown(high)),
        (None, None) => String::new(),
    }
    .into();
    out
}

/// Writes tobacco use.
pub(crate) fn tobacco(chart: &mut Chart<'_>, status: Code, encounter: Entry, at: i64) {
    let code = ("72166-2", "Tobacco smoking status");
    chart.observation(
        "social-history",
        code,
        Some(encounter),
        at,
        json!({"valueCodeableConcept": snomed(status)}),
    );
}

/// Writes the score of a questionnaire.
pub(crate) fn score(chart: &mut Chart<'_>, code: Code, value: i64, encounter: Entry, at: i64) {
    chart.observation(
        "survey",
        code,
        Some(encounter),
        at,
        json!({"valueQuantity": quantity(value as f64, 0, "{score}")}),
    );
}
