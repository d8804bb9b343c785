//! The council's business and the directory as FHIR resources of this node, for search and
//! subscriptions: a proposal is a Task, each ballot on it a Provenance with its signature, and every
//! member an Organization with an Endpoint and an OrganizationAffiliation. They follow what is signed
//! and are read-only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::{Id, Resource};
use serde_json::{Value, json};
use store::{Expect, Key, Method, SideWrite, Snapshot, Transaction, Write};
use wire::{Choice, Member, MemberState, Membership};

use super::SPACE;
use super::book::{Book, Noted};
use super::tally::{Outcome, Tally};
use crate::{App, Error, Kind, Result};

/// The tag of every resource that follows what the network has signed.
pub const TAG_SYSTEM: &str = "urn:consilium:network";
/// Its code.
pub const TAG: &str = "signed";
const MOTION: &str = "urn:consilium:network:motion";
const ORGANISATION: &str = "urn:consilium:organisation";
const DIRECTORY: &[u8] = b"directory";
const NETWORK: &str = "network";

/// Whether a resource is one that follows what the network has signed, and so is nobody's to change:
/// proposals and ballots are named by their hashes, the directory by `network`.
pub(crate) fn is_reserved(resource_type: &str, id: &str) -> bool {
    match resource_type {
        "Task" | "Provenance" => {
            id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }
        "Organization" | "Endpoint" | "OrganizationAffiliation" => {
            id == NETWORK || id.starts_with("network-")
        }
        _ => false,
    }
}

/// Refuses to change such a resource.
pub(crate) fn check_free(resource_type: &str, id: &str) -> Result<()> {
    crate::proxies::check_free(resource_type, id)?;
    crate::accounts::kept::check_free(resource_type, id)?;
    match is_reserved(resource_type, id) {
        true => Err(Error::new(
            Kind::Forbidden,
            "this id belongs to what the members of the network have signed; change it by a proposal",
        )
        .by_rule("signed-by-the-network")),
        false => Ok(()),
    }
}

fn meta() -> Value {
    json!({"tag": [{"system": TAG_SYSTEM, "code": TAG}]})
}

fn put(resource_type: &'static str, id: &str, resource: &Value) -> Result<Write> {
    let faulty = |e: &dyn std::fmt::Display| Error::internal(format!("a resource is faulty: {e}"));
    let resource = Resource::parse(resource.to_string()).map_err(|e| faulty(&e))?;
    let key = Key { resource_type, id: Id::new(id).map_err(|e| faulty(&e))? };
    Ok(Write::Put { key, resource, expect: Expect::Any, method: Method::Put })
}

/// What is to be written about a proposal: its Task, and a Provenance for each ballot.
pub(super) fn proposal(app: &App, book: &Book, id: &str) -> Result<Vec<Write>> {
    let Some(noted) = book.proposals().get(id) else { return Ok(Vec::new()) };
    let Some(tally) = book.tally(id, app.now_ms()) else { return Ok(Vec::new()) };
    let mut writes = vec![put("Task", id, &task(app, noted, &tally, id, book))?];
    let snapshot = app.store().snapshot()?;
    for (ballot_id, (ballot, sealed)) in &noted.ballots {
        let key = Key { resource_type: "Provenance", id: id_of(ballot_id)? };
        if snapshot.read(&key)?.is_some() {
            continue;
        }
        let resource = json!({
            "resourceType": "Provenance",
            "meta": meta(),
            "target": [{"reference": format!("Task/{id}")}],
            "recorded": fhir::time::instant(ballot.at),
            "activity": {"coding": [
                {"system": "urn:consilium:network:vote", "code": ballot.choice.word()}
            ], "text": ballot.reason},
            "agent": [{
                "who": {"display": ballot.by},
                "onBehalfOf": {
                    "identifier": {"system": ORGANISATION, "value": ballot.seat.as_str()}
                },
            }],
            "signature": [{
                "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.2"}],
                "when": fhir::time::instant(ballot.at),
                "who": {"identifier": {"system": ORGANISATION, "value": ballot.seat.as_str()}},
                "targetFormat": "application/json",
                "sigFormat": "application/json",
                "data": STANDARD.encode(serde_json::to_vec(sealed).unwrap_or_default()),
            }],
        });
        writes.push(put("Provenance", ballot_id, &resource)?);
    }
    Ok(writes)
}

fn id_of(id: &str) -> Result<Id> {
    Id::new(id).map_err(|e| Error::internal(e.to_string()))
}

fn task(app: &App, noted: &Noted, tally: &Tally, id: &str, book: &Book) -> Value {
    let proposal = &noted.proposal;
    let status = match tally.outcome {
        Outcome::Open => "requested",
        Outcome::Decided => "in-progress",
        Outcome::Carried => "completed",
        Outcome::Rejected => "rejected",
        Outcome::Lapsed | Outcome::Moot(_) => "cancelled",
    };
    let mut ballots: Vec<_> = noted.ballots.values().map(|(ballot, _)| ballot).collect();
    ballots.sort_by_key(|ballot| ballot.at);
    let notes = ballots.iter().map(|ballot| {
        let said = match ballot.choice {
            Choice::Comment => format!("{}: {}", ballot.seat, ballot.reason),
            choice => format!("{} ({}): {}", ballot.seat, choice.word(), ballot.reason),
        };
        json!({"authorString": ballot.by, "time": fhir::time::instant(ballot.at), "text": said})
    });
    let mut output = vec![
        json!({"type": {"text": "yes"}, "valueInteger": tally.yes}),
        json!({"type": {"text": "no"}, "valueInteger": tally.no}),
        json!({"type": {"text": "needed"}, "valueInteger": i32::try_from(tally.needed).unwrap_or(i32::MAX)}),
    ];
    if let Some(serial) = book.carried_by(id) {
        output.push(json!({"type": {"text": "list"}, "valueString": serial.to_string()}));
    }
    let mut task = json!({
        "resourceType": "Task",
        "meta": meta(),
        "identifier": [{"system": "urn:consilium:network:proposal", "value": id}],
        "status": status,
        "intent": "proposal",
        "code": {"coding": [{"system": MOTION, "code": proposal.motion.word()}]},
        "description": format!("{}\n\n{}", proposal.title, proposal.reason),
        "authoredOn": fhir::time::instant(proposal.made),
        "lastModified": fhir::time::instant(app.now_ms()),
        "requester": {
            "identifier": {"system": ORGANISATION, "value": proposal.proposer.as_str()},
            "display": proposal.by,
        },
        "restriction": {"period": {"end": fhir::time::instant(proposal.closes)}},
        "note": notes.collect::<Vec<_>>(),
        "output": output,
    });
    if let Some(org) = proposal.motion.organisation() {
        task["for"] = json!({"identifier": {"system": ORGANISATION, "value": org.as_str()}});
    }
    if let Outcome::Moot(reason) = &tally.outcome {
        task["statusReason"] = json!({"text": reason});
    }
    if task["note"].as_array().is_some_and(Vec::is_empty)
        && let Some(members) = task.as_object_mut()
    {
        members.remove("note");
    }
    task
}

/// What the directory was made of.
#[derive(serde::Serialize, serde::Deserialize, Default)]
struct Made {
    hash: String,
    members: Vec<String>,
}

/// Brings the directory up to the list in force, where it is not.
pub fn directory(app: &App) -> Result<()> {
    let (list, hash) = app.network().hashed();
    let snapshot = app.store().snapshot()?;
    let before = snapshot.side(SPACE, DIRECTORY)?;
    let before: Made = before.and_then(|v| serde_json::from_slice(&v).ok()).unwrap_or_default();
    if before.hash == hash {
        return Ok(());
    }
    let mut writes = Vec::new();
    let network = json!({
        "resourceType": "Organization",
        "meta": meta(),
        "identifier": [{"system": TAG_SYSTEM, "value": list.network}],
        "active": true,
        "name": list.network,
    });
    put_changed(&*snapshot, &mut writes, "Organization", NETWORK, &network)?;
    for member in &list.members {
        let id = format!("network-{}", member.id);
        let of = [
            ("Organization", organization(member)),
            ("Endpoint", endpoint(member)),
            ("OrganizationAffiliation", affiliation(&list, member)),
        ];
        for (kind, resource) in of {
            put_changed(&*snapshot, &mut writes, kind, &id, &resource)?;
        }
    }
    let members: Vec<String> = list.members.iter().map(|member| member.id.to_string()).collect();
    for gone in before.members.iter().filter(|id| !members.contains(id)) {
        for kind in ["OrganizationAffiliation", "Endpoint", "Organization"] {
            let key = Key { resource_type: kind, id: id_of(&format!("network-{gone}"))? };
            writes.push(Write::Delete { key, expect: Expect::Any });
        }
    }
    drop(snapshot);
    let made = serde_json::to_vec(&Made { hash, members });
    let value = Some(made.map_err(|e| Error::internal(e.to_string()))?);
    let side = vec![SideWrite { space: SPACE, key: DIRECTORY.to_vec(), value }];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(())
}

/// Adds the write of a resource that says something new.
fn put_changed(
    snapshot: &dyn Snapshot,
    writes: &mut Vec<Write>,
    kind: &'static str,
    id: &str,
    resource: &Value,
) -> Result<()> {
    let key = Key { resource_type: kind, id: id_of(id)? };
    let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
    let before = stored.and_then(|stored| serde_json::from_str::<Value>(&stored.text).ok());
    let same = before.is_some_and(|mut before| {
        if let Some(members) = before.as_object_mut() {
            members.remove("id");
            members.insert("meta".into(), meta());
        }
        before == *resource
    });
    if !same {
        writes.push(put(kind, id, resource)?);
    }
    Ok(())
}

fn organization(member: &Member) -> Value {
    let mut resource = json!({
        "resourceType": "Organization",
        "meta": meta(),
        "identifier": [{"system": ORGANISATION, "value": member.id.as_str()}],
        "active": member.state == MemberState::Active,
        "name": member.display_name,
        "telecom": [{"system": "url", "value": member.web_url, "use": "work"}],
        "endpoint": [{"reference": format!("Endpoint/network-{}", member.id)}],
    });
    if !member.contact.is_empty() {
        resource["contact"] = json!([{
            "purpose": {"text": "network"},
            "name": {"text": member.contact},
        }]);
    }
    resource
}

fn endpoint(member: &Member) -> Value {
    let status = match member.state {
        MemberState::Active => "active",
        MemberState::Suspended => "suspended",
    };
    let words = member.capabilities.iter().map(
        |word| json!({"coding": [{"system": "urn:consilium:network:capability", "code": word}]}),
    );
    let mut words: Vec<Value> = words.collect();
    if words.is_empty() {
        words.push(json!({"text": "not stated"}));
    }
    json!({
        "resourceType": "Endpoint",
        "meta": meta(),
        "identifier": [
            {"system": ORGANISATION, "value": member.id.as_str()},
            {"system": "urn:consilium:network:certificate", "value": member.tls_fingerprint.to_string()},
            {"system": "urn:consilium:network:key", "value": member.assertion_key.to_string()},
        ],
        "status": status,
        "connectionType": {"system": "urn:consilium:network:protocol", "code": "v1"},
        "name": member.display_name,
        "managingOrganization": {"reference": format!("Organization/network-{}", member.id)},
        "payloadType": words,
        "address": member.node_url,
    })
}

fn affiliation(list: &Membership, member: &Member) -> Value {
    let has_seat = list.council().is_some_and(|council| council.seats.contains(&member.id));
    let mut roles = vec![json!({
        "coding": [{"system": "http://hl7.org/fhir/organization-role", "code": "member"}]
    })];
    if has_seat {
        roles
            .push(json!({"coding": [{"system": "urn:consilium:network:role", "code": "council"}]}));
    }
    json!({
        "resourceType": "OrganizationAffiliation",
        "meta": meta(),
        "identifier": [{"system": ORGANISATION, "value": member.id.as_str()}],
        "active": member.state == MemberState::Active,
        "organization": {"reference": format!("Organization/{NETWORK}")},
        "participatingOrganization": {"reference": format!("Organization/network-{}", member.id)},
        "code": roles,
        "endpoint": [{"reference": format!("Endpoint/network-{}", member.id)}],
    })
}
