//! Writes that subscriptions are told of, one after the other, until the node is gone.

use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::promise::Session;
use crate::client::Fault;

/// Codes that are written about; a subscription is told of one.
pub const CODES: usize = 3;
/// Most writes of one worker in one life of the node.
const MOST: usize = 200;

/// One version that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `Type/id`.
    pub focus: String,
    /// The text in it, which no other version has.
    pub text: String,
    /// Number of its code.
    pub code: usize,
    /// Writes of one request have one number; a later request of the same worker a higher one.
    pub request: usize,
    /// When it was sent.
    pub at: Instant,
    /// Whether a success status was received.
    pub acknowledged: bool,
}

/// What one worker did until the node was gone.
#[derive(Debug, Default)]
pub struct Worker {
    /// What it sent, in its order.
    pub sent: Vec<Sent>,
    /// An answer that was no success although the node was there.
    pub refused: Option<String>,
}

/// Single writes, updates of one resource and transactions in turn. `name` is the worker's own in
/// the run.
pub async fn writes(session: Session, name: String, seed: u64) -> Worker {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut worker = Worker::default();
    for request in 0..MOST {
        let count = if request % 4 == 3 { chance.random_range(2..6) } else { 1 };
        let observations: Vec<(usize, Value)> = (0..count)
            .map(|at| {
                let id = match request % 4 {
                    1 => format!("{name}-same"),
                    _ => format!("{name}-{request}-{at}"),
                };
                let code = chance.random_range(0..CODES);
                (code, observation(&id, code, &format!("{name}-{request}-{at}")))
            })
            .collect();
        let first = worker.sent.len();
        worker.sent.extend(observations.iter().map(|(code, observation)| Sent {
            focus: format!("Observation/{}", observation["id"].as_str().unwrap_or_default()),
            text: observation["valueString"].as_str().unwrap_or_default().to_owned(),
            code: *code,
            request,
            at: Instant::now(),
            acknowledged: false,
        }));
        match send(&session, observations).await {
            Ok(None) => {
                worker.sent.iter_mut().skip(first).for_each(|sent| sent.acknowledged = true);
            }
            Ok(Some(refused)) => {
                worker.refused = Some(refused);
                break;
            }
            Err(_) => break,
        }
    }
    worker
}

/// Sends one Observation, or several as a transaction. An error means that the node is gone;
/// otherwise the answer's text is returned where it is no success.
async fn send(
    session: &Session,
    observations: Vec<(usize, Value)>,
) -> Result<Option<String>, Fault> {
    let path = |observation: &Value| {
        format!("Observation/{}", observation["id"].as_str().unwrap_or_default())
    };
    let request = match observations.as_slice() {
        [(_, one)] => session.send(Method::PUT, &format!("/{}", path(one)), one),
        several => {
            let entries: Vec<Value> = several
                .iter()
                .map(|(_, one)| {
                    json!({"resource": one, "request": {"method": "PUT", "url": path(one)}})
                })
                .collect();
            let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
            session.send(Method::POST, "", &bundle)
        }
    };
    let answer = request.send().await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(None);
    }
    let text: String = answer.text().await?.chars().take(300).collect();
    Ok(Some(format!("{status} {text}")))
}

/// An Observation with one of the codes and a text of its own.
pub fn observation(id: &str, code: usize, text: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "code": {"coding": [{"system": CODE_SYSTEM, "code": format!("d{code}")}]},
        "valueString": text,
    })
}

/// System of the codes that are written about.
pub const CODE_SYSTEM: &str = "https://consilium.health/fhir/CodeSystem/crash";
