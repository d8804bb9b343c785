//! What a node is busy with when it is killed, and the record of what it answered.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::promise::{Answer, Promise, Session, Stands, TAGS, conditional};
use crate::client::Fault;

/// Most writes of one worker in one round.
const MOST: u64 = 300;
/// Observations of a large transaction: more than a node makes in one piece.
const LARGE: std::ops::Range<u32> = 600..2400;
/// Two decisions of one patient are at least this far apart, so that their order is that of their
/// dates, which count in milliseconds.
const APART: Duration = Duration::from_millis(2);

/// What one worker did until the node was gone.
pub struct Done {
    /// What it was promised.
    pub promises: Vec<Promise>,
    /// Answers that were no success although the node was there.
    pub refused: Vec<String>,
}

/// What became of one request.
enum Sent {
    Answered(String),
    StatusOnly,
    Refused(String),
    Gone,
}

async fn send(request: reqwest::RequestBuilder) -> Sent {
    let Ok(answer) = request.send().await else { return Sent::Gone };
    let status = answer.status();
    match (status.is_success(), answer.text().await) {
        (true, Ok(text)) => Sent::Answered(text),
        (true, Err(_)) => Sent::StatusOnly,
        (false, Ok(text)) => {
            let start: String = text.chars().take(300).collect();
            Sent::Refused(format!("{status} {start}"))
        }
        (false, Err(_)) => Sent::Gone,
    }
}

/// Transactions, updates and conditional creates in turn. `name` is the worker's own in the run.
pub async fn imports(session: Session, name: String, seed: u64) -> Done {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut done = Done { promises: Vec::new(), refused: Vec::new() };
    let updated = format!("{name}-u");
    let (mut versions, mut open) = (Vec::new(), None);
    for number in 0..MOST {
        let tag = format!("{name}-{number}");
        let sent = match number % 4 {
            0 | 1 => {
                let size = chance.random_range(2..14);
                let (body, sent) = transaction(&tag, size, &mut chance);
                let answered = send(session.send(Method::POST, "", &body)).await;
                let answer = read(&answered, stands);
                done.promises.push(Promise::Transaction { tag, sent, answer });
                answered
            }
            2 => {
                let body = update(&updated, number);
                let path = format!("/Observation/{updated}");
                let answered = send(session.send(Method::PUT, &path, &body)).await;
                match read(&answered, version) {
                    Answer::Whole(version) => versions.push((version, number)),
                    Answer::StatusOnly => open = Some((number, true)),
                    Answer::Nothing => open = Some((number, false)),
                }
                answered
            }
            _ => {
                let answered = send(session.send(Method::POST, "", &conditional(&tag))).await;
                let answer = read(&answered, |text| Some(stands(text)?.pop()?.1));
                done.promises.push(Promise::Conditional { identifier: tag, answer });
                answered
            }
        };
        match sent {
            Sent::Answered(_) => {}
            Sent::Refused(reason) => {
                done.refused.push(reason);
                break;
            }
            Sent::StatusOnly | Sent::Gone => break,
        }
    }
    done.promises.push(Promise::Updates { id: updated, acknowledged: versions, open });
    done
}

/// Decisions of one patient, about one institution or about all (`organisation` is `None`).
pub async fn decisions(
    session: Session,
    patient: String,
    organisation: Option<String>,
    seed: u64,
) -> Done {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let (mut acknowledged, mut open) = (Vec::new(), None);
    let mut refused = Vec::new();
    for _ in 0..MOST {
        let permits = chance.random_range(0..2) == 1;
        let mut parameters = vec![json!({
            "name": "decision", "valueCode": if permits { "permit" } else { "withdraw" },
        })];
        if let Some(organisation) = &organisation {
            parameters.push(json!({"name": "organisation", "valueString": organisation}));
        }
        let body = json!({"resourceType": "Parameters", "parameter": parameters});
        let started = Instant::now();
        let sent =
            send(session.send(Method::POST, &format!("/Patient/{patient}/$consent"), &body)).await;
        match read(&sent, consent) {
            Answer::Whole(id) => acknowledged.push((id, permits)),
            Answer::StatusOnly => open = Some((permits, true)),
            Answer::Nothing => open = Some((permits, false)),
        }
        if let Sent::Refused(reason) = sent {
            refused.push(reason);
        }
        if open.is_some() {
            break;
        }
        while started.elapsed() < APART {
            tokio::task::yield_now().await;
        }
    }
    let promise = Promise::Decisions { patient, acknowledged, open };
    Done { promises: vec![promise], refused }
}

fn read<T>(sent: &Sent, parse: impl Fn(&str) -> Option<T>) -> Answer<T> {
    match sent {
        Sent::Answered(text) => parse(text).map_or(Answer::StatusOnly, Answer::Whole),
        Sent::StatusOnly => Answer::StatusOnly,
        Sent::Refused(_) | Sent::Gone => Answer::Nothing,
    }
}

/// Where the entries of a transaction's answer stand.
fn stands(text: &str) -> Option<Vec<Stands>> {
    let bundle: Value = serde_json::from_str(text).ok()?;
    let one = |entry: &Value| {
        let location = entry["response"]["location"].as_str()?;
        let mut parts = location.rsplit('/');
        let version = parts.next()?.parse().ok()?;
        let (_, id, kind) = (parts.next()?, parts.next()?, parts.next()?);
        Some((kind.to_owned(), id.to_owned(), version))
    };
    bundle["entry"].as_array()?.iter().map(one).collect()
}

fn version(text: &str) -> Option<u64> {
    let resource: Value = serde_json::from_str(text).ok()?;
    resource["meta"]["versionId"].as_str()?.parse().ok()
}

fn consent(text: &str) -> Option<String> {
    let parameters: Value = serde_json::from_str(text).ok()?;
    let reference = parameters["parameter"][0]["valueReference"]["reference"].as_str()?;
    Some(reference.strip_prefix("Consent/")?.to_owned())
}

fn update(id: &str, number: u64) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "code": {"text": "number of the update"}, "valueInteger": number,
    })
}

/// Large transactions, one after the other: most lives of a node end in the middle of one.
pub async fn large(session: Session, name: String, seed: u64) -> Done {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut done = Done { promises: Vec::new(), refused: Vec::new() };
    for number in 0..MOST {
        let tag = format!("{name}-{number}");
        let size = chance.random_range(LARGE);
        let (body, sent) = transaction(&tag, size, &mut chance);
        let answered = send(session.send(Method::POST, "", &body)).await;
        let answer = read(&answered, stands);
        done.promises.push(Promise::Transaction { tag, sent, answer });
        match answered {
            Sent::Answered(_) => {}
            Sent::Refused(reason) => {
                done.refused.push(reason);
                break;
            }
            Sent::StatusOnly | Sent::Gone => break,
        }
    }
    done
}

/// A transaction of an Encounter and `size` observations that refer to it, created and updated in
/// turn.
fn transaction(tag: &str, size: u32, chance: &mut ChaCha8Rng) -> (Value, Vec<Value>) {
    let meta = json!({"tag": [{"system": TAGS, "code": tag}]});
    let url = "urn:uuid:6f1e5c1a-8f0b-4a52-9d1c-2b7c1a3e4f50";
    let encounter = json!({
        "resourceType": "Encounter", "meta": meta, "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    });
    let mut entries = vec![json!({
        "fullUrl": url, "resource": encounter, "request": {"method": "POST", "url": "Encounter"},
    })];
    let mut sent = vec![encounter];
    for number in 0..size {
        let value: u32 = chance.random_range(0..1_000_000);
        let mut observation = json!({
            "resourceType": "Observation", "meta": meta, "status": "final",
            "code": {"text": format!("{tag} {number}")},
            "encounter": {"reference": url}, "valueString": format!("value {value}"),
        });
        let request = if number % 2 == 0 {
            json!({"method": "POST", "url": "Observation"})
        } else {
            let id = format!("{tag}-{number}");
            observation["id"] = json!(id);
            json!({"method": "PUT", "url": format!("Observation/{id}")})
        };
        entries.push(json!({"resource": observation, "request": request}));
        sent.push(observation);
    }
    (json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}), sent)
}

/// Writes `files` bundles of `size` observations for `consilium import` and returns their tags.
pub fn write_files(
    folder: &std::path::Path,
    name: &str,
    files: usize,
    size: u64,
) -> Result<Vec<String>, Fault> {
    std::fs::create_dir_all(folder)?;
    let mut tags = Vec::new();
    for file in 0..files {
        let tag = format!("{name}-f{file}");
        let entries: Vec<Value> = (0..size)
            .map(|number| {
                json!({"resource": {
                    "resourceType": "Observation", "id": format!("{tag}-{number}"),
                    "meta": {"tag": [{"system": TAGS, "code": tag}]}, "status": "final",
                    "code": {"text": "imported"}, "valueInteger": number,
                }})
            })
            .collect();
        let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
        std::fs::write(folder.join(format!("{tag}.json")), bundle.to_string())?;
        tags.push(tag);
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read() {
        let text =
            r#"{"entry":[{"response":{"location":"http://h/fhir/Patient/p-1/_history/3"}}]}"#;
        assert_eq!(stands(text), Some(vec![("Patient".into(), "p-1".into(), 3)]));
        assert_eq!(stands(r#"{"entry":[{"response":{"status":"204"}}]}"#), None);
    }
}
