//! Answers about data sets and individuals.

use serde_json::{Value as Json, json};

use super::{API_VERSION, Beacon, BeaconRequest, Entry, Granularity};
use crate::count::{NoisyCount, Shown};
use crate::description::Dataset;

/// The version of the Data Use Ontology whose terms are used.
const DUO_VERSION: &str = "2021-02-23";

/// The answer to a request for individuals: whether there are any, or about how many. There are any
/// where the noisy count reached its threshold. Noise and threshold go with the answer.
///
/// `count` is the sum over all data sets asked, made fit to be published once, as a whole.
#[must_use]
pub fn boolean_or_count(beacon: &Beacon, request: &BeaconRequest, count: NoisyCount) -> Json {
    let granularity = request.returned(beacon.finest);
    let exists = matches!(count.shown(), Shown::About(about) if about > 0);
    let mut summary = json!({"exists": exists});
    if granularity == Granularity::Count
        && let Some(summary) = summary.as_object_mut()
    {
        summary.insert("numTotalResults".to_owned(), json!(count.number()));
    }
    let rule = count.rule();
    json!({
        "meta": meta(beacon, request, granularity, Granularity::Boolean),
        "responseSummary": summary,
        "beaconHandovers": [handover(beacon)],
        "info": {
            "noise": "laplace",
            "noiseScale": rule.noise_scale(),
            "marginOfError95": count.margin_95(),
            "roundedTo": rule.step(),
            "suppressedBelow": rule.threshold(),
            "isTest": request.is_test,
        },
    })
}

/// The answer to a request for data sets, of which these are asked for: one page of them, or whether
/// there are any, or how many. What data sets there are is no secret; the numbers of people in them come
/// with noise.
#[must_use]
pub fn datasets(beacon: &Beacon, request: &BeaconRequest, asked_for: &[&Dataset]) -> Json {
    let granularity = request.granularity.unwrap_or(Granularity::Record);
    let mut body = json!({
        "meta": meta(beacon, request, granularity, Granularity::Record),
        "responseSummary": {"exists": !asked_for.is_empty()},
        "beaconHandovers": [handover(beacon)],
    });
    let Some(fields) = body.as_object_mut() else { return body };
    if granularity >= Granularity::Count
        && let Some(summary) = fields.get_mut("responseSummary").and_then(Json::as_object_mut)
    {
        summary.insert("numTotalResults".to_owned(), json!(asked_for.len()));
    }
    if granularity == Granularity::Record {
        let (skip, limit) = (request.pagination.skip as usize, request.pagination.limit as usize);
        let page = asked_for.iter().skip(skip.saturating_mul(limit)).take(limit);
        let collections: Vec<Json> = page.map(|set| collection(set, &beacon.language)).collect();
        fields.insert("response".to_owned(), json!({"collections": collections}));
    }
    body
}

/// Where whoever wants to know more applies for a project.
#[must_use]
pub fn handover(beacon: &Beacon) -> Json {
    json!({
        "handoverType": {"id": "CUSTOM:project-application", "label": "Application for a project"},
        "url": beacon.apply.as_str(),
    })
}

fn meta(
    beacon: &Beacon,
    request: &BeaconRequest,
    returned: Granularity,
    unasked: Granularity,
) -> Json {
    let entry: Entry = request.entry;
    json!({
        "beaconId": beacon.id,
        "apiVersion": API_VERSION,
        "returnedGranularity": returned.as_str(),
        "returnedSchemas": [{"entityType": entry.as_str(), "schema": entry.schema()}],
        "receivedRequestSummary": request.summary(unasked),
        "testMode": request.is_test,
    })
}

/// A data set as the default model has it.
fn collection(set: &Dataset, language: &str) -> Json {
    let mut out = json!({
        "id": set.name.as_str(),
        "name": set.title.best(language),
        "description": set.description.best(language),
        "version": format!("v{}", set.version),
        "externalUrl": set.page.as_ref().unwrap_or(&set.iri).as_str(),
    });
    let Some(fields) = out.as_object_mut() else { return out };
    for (name, day) in [("createDateTime", &set.issued), ("updateDateTime", &set.modified)] {
        if let Some(day) = day {
            fields.insert(name.to_owned(), json!(format!("{day}T00:00:00Z")));
        }
    }
    if !set.data_uses.is_empty() {
        let uses: Vec<Json> = set
            .data_uses
            .iter()
            .map(|one| {
                let id = format!("DUO:{}", one.code);
                json!({"id": id, "label": one.label, "version": DUO_VERSION})
            })
            .collect();
        fields.insert("dataUseConditions".to_owned(), json!({"duoDataUse": uses}));
    }
    let people = set.people.as_ref().map(|people| match people.shown() {
        Shown::About(about) => json!({"about": about, "marginOfError95": people.margin_95()}),
        Shown::FewerThan(fewer) => json!({"fewerThan": fewer}),
    });
    if let Some(people) = people {
        fields.insert("info".to_owned(), json!({"people": people}));
    }
    out
}
