//! What every server is asked, made from Synthea's bundles and from what the server answered to
//! them, so that nothing depends on how one server numbers or lists its resources.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use serde_json::Value;

use super::wire::Ask;
use crate::client::Fault;
use crate::population::Bundles;

/// Codes that are searched for: the commonest ones.
const CODES: usize = 20;

/// Bundles to post and codes to search for.
pub struct Workload {
    /// Institutions and practitioners first, as the patients refer to them.
    pub directories: Vec<Bytes>,
    /// One transaction for each patient.
    pub patients: Vec<Bytes>,
    /// Entries of all of them.
    pub entries: usize,
    /// The commonest codes of observations, as `system|code`, escaped for a query.
    pub codes: Vec<String>,
}

impl Workload {
    /// The first `most` patients of `bundles`, and all directories.
    pub fn new(bundles: Bundles, most: usize) -> Result<Self, Fault> {
        let (mut entries, mut counts) = (0, BTreeMap::<String, usize>::new());
        let chosen = bundles.patients.iter().take(most);
        for (_, text) in bundles.directories.iter().chain(chosen) {
            let bundle: Value = serde_json::from_str(text)?;
            for entry in bundle["entry"].as_array().into_iter().flatten() {
                entries += 1;
                let resource = &entry["resource"];
                let coding = &resource["code"]["coding"][0];
                if let ("Observation", Some(system), Some(code)) = (
                    resource["resourceType"].as_str().unwrap_or_default(),
                    coding["system"].as_str(),
                    coding["code"].as_str(),
                ) {
                    *counts.entry(format!("{system}%7C{code}")).or_default() += 1;
                }
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let texts = |list: Vec<(String, String)>| list.into_iter().map(|(_, text)| text.into());
        Ok(Self {
            directories: texts(bundles.directories).collect(),
            patients: texts(bundles.patients).take(most).collect(),
            entries,
            codes: counts.into_iter().take(CODES).map(|(code, _)| code).collect(),
        })
    }
}

/// Where a server put what it was sent.
#[derive(Debug, Default)]
pub struct Stored {
    /// Ids of patients.
    pub patients: Vec<String>,
    /// Ids of observations.
    pub observations: Vec<String>,
    /// How many resources it says it stored.
    pub count: usize,
}

impl Stored {
    /// Notes the locations in the answer to a transaction.
    pub fn note(&mut self, answer: &[u8]) -> Result<(), Fault> {
        let bundle: Value = serde_json::from_slice(answer)?;
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let response = &entry["response"];
            self.count += usize::from(
                response["status"].as_str().is_some_and(|status| status.starts_with('2')),
            );
            let location = response["location"].as_str().unwrap_or_default();
            let mut parts =
                location.split('/').skip_while(|part| !matches!(*part, "Patient" | "Observation"));
            match (parts.next(), parts.next()) {
                (Some("Patient"), Some(id)) => self.patients.push(id.into()),
                (Some("Observation"), Some(id)) => self.observations.push(id.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A kind of question, for one server.
pub struct Kind {
    /// What it is called in the table.
    pub name: &'static str,
    /// The requests, asked in turn.
    pub asks: Vec<Ask>,
    /// Requests of this kind that are sent by many clients.
    pub requests: usize,
    /// The aim per second of the server's CPU time, where there is one.
    pub aim: Option<f64>,
}

/// Everything that is asked of a server that holds `stored` below `base`.
pub fn kinds(base: &str, stored: &Stored, codes: &[String]) -> Vec<Kind> {
    let kind = |name, requests, aim, asks: Vec<String>| Kind {
        name,
        asks: asks.into_iter().map(Ask::get).collect(),
        requests,
        aim,
    };
    let by_code = |more: &str| -> Vec<String> {
        let url = |code| format!("{base}/Observation?code={code}&_sort=-date&_count=20{more}");
        codes.iter().map(url).collect()
    };
    let reads = stored.observations.iter().map(|id| format!("{base}/Observation/{id}"));
    let pairs = stored.patients.iter().flat_map(|patient| {
        let one = move |code| format!("{base}/Observation?patient={patient}&code={code}&_count=20");
        codes.iter().map(one)
    });
    let everything = stored.patients.iter().map(|id| format!("{base}/Patient/{id}/$everything"));
    let system = "http://hl7.org/fhir/administrative-gender";
    let set = "http://hl7.org/fhir/ValueSet/administrative-gender";
    let validate = ["male", "female", "other", "unknown", "neither"].map(|code| {
        format!("{base}/ValueSet/$validate-code?url={set}&system={system}&code={code}")
    });
    vec![
        kind("point read", 20_000, Some(15_000.0), reads.collect()),
        kind("search by code, sorted by date", 2_000, None, by_code("")),
        kind("the same with _total=none", 2_000, None, by_code("&_total=none")),
        kind("the same with _total=accurate", 2_000, None, by_code("&_total=accurate")),
        kind("search by patient and code", 2_000, None, pairs.collect()),
        kind("patient $everything", 200, Some(200.0), everything.collect()),
        kind("$validate-code", 10_000, Some(10_000.0), validate.to_vec()),
    ]
}

/// Transactions of two resources, no two alike.
pub fn transactions(base: &str, count: usize) -> Vec<Ask> {
    let one = |number| {
        let text = format!(
            r#"{{"resourceType":"Bundle","type":"transaction","entry":[
{{"fullUrl":"urn:uuid:00000000-0000-4000-8000-{number:012}","resource":{{"resourceType":"Patient",
"identifier":[{{"system":"urn:bench","value":"p{number}"}}],"name":[{{"family":"Bench","given":["No {number}"]}}],
"gender":"other","birthDate":"1970-01-01"}},"request":{{"method":"POST","url":"Patient"}}}},
{{"resource":{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4"}}]}},
"subject":{{"reference":"urn:uuid:00000000-0000-4000-8000-{number:012}"}},"effectiveDateTime":"2026-01-01T08:00:00Z",
"valueQuantity":{{"value":{},"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}}},"request":{{"method":"POST","url":"Observation"}}}}]}}"#,
            60 + number % 60
        );
        Ask::post(base, text)
    };
    (0..count).map(one).collect()
}

/// Observations of one patient to create one by one, no two alike.
pub fn observations(base: &str, count: usize) -> Vec<Ask> {
    let one = |number| {
        let text = format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4"}}]}},
"identifier":[{{"system":"urn:bench","value":"o{number}"}}],"subject":{{"reference":"Patient/bench"}},"effectiveDateTime":"2026-01-01T08:00:00Z",
"valueQuantity":{{"value":{},"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}}}"#,
            60 + number % 60
        );
        Ask::post(format!("{base}/Observation"), text)
    };
    (0..count).map(one).collect()
}
