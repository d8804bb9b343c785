//! `POST /network/v1/witness` and `/network/v1/checkpoints`: nodes watch each other's audit logs.
//!
//! The call is `add-checkpoint` of C2SP tlog-witness in JSON: `old`, the consistency proof and the
//! checkpoint are the same, and the answers stand for its statuses 200 ([`Outcome::Cosigned`]), 409
//! ([`Outcome::Conflict`]) and 422 ([`Outcome::Inconsistent`]). Checkpoints are signed notes (C2SP
//! tlog-checkpoint) with cosignatures (C2SP tlog-cosignature, `cosignature/v1`), by the keys that
//! stand in the membership list.

use crypto::checkpoint::CheckpointError;
use crypto::{PublicKey, SignedCheckpoint};
use serde::{Deserialize, Serialize};

use crate::membership::{Member, Membership};
use crate::org::OrgId;

/// Asks a peer to cosign the newest checkpoint of the asker's audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddCheckpoint {
    /// Size of the log at the last checkpoint that the peer cosigned; 0 where it is not known.
    pub old: u64,
    /// The consistency proof from there (RFC 6962, section 2.1.2), each hash in base64; at most 63.
    pub proof: Vec<String>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

/// The answer to [`AddCheckpoint`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointAnswer {
    /// What the peer makes of it.
    pub outcome: Outcome,
    /// The line of the cosignature, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosignature: Option<String>,
    /// The checkpoint that the peer has cosigned last, where it is the reason to refuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// What a witness makes of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It continues what was cosigned before, and is cosigned.
    Cosigned,
    /// The proof does not begin at what was cosigned last; ask again from there.
    Conflict,
    /// It does not continue what was cosigned before: the log was rewritten.
    Inconsistent,
}

/// Asks what a peer has cosigned of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointsRequest {
    /// Whose log.
    pub organisation: OrgId,
}

/// The answer to [`CheckpointsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointsResponse {
    /// Cosigned checkpoints, the newest first; older ones are kept at growing distances.
    pub checkpoints: Vec<String>,
    /// Checkpoints that were refused because they do not continue those, the newest first.
    pub refused: Vec<String>,
}

/// The origin of an organisation's audit log, which is also the name of the log's key:
/// `<network>/<organisation>/audit`.
pub fn origin(network: &str, organisation: &OrgId) -> String {
    format!("{}/audit", witness(network, organisation))
}

/// The name of an organisation's key as a witness: `<network>/<organisation>`.
pub fn witness(network: &str, organisation: &OrgId) -> String {
    // What cannot stand in the name of a key (C2SP signed-note) becomes a dash.
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let network: String = network.chars().map(plain).collect();
    format!("{network}/{organisation}")
}

/// A checkpoint whose signatures were verified by the keys of the membership list.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// The other members that cosigned it, each with the time in seconds since the Unix epoch.
    pub by: Vec<(OrgId, u64)>,
}

/// Reads a checkpoint of the log of `log` and finds out who has cosigned it, by one list.
///
/// Errors where it is no checkpoint of that log signed by its key, or a cosignature does not hold.
pub fn vouched(list: &Membership, log: &Member, note: &str) -> Result<Vouched, CheckpointError> {
    let origin = origin(&list.network, &log.id);
    let checkpoint = SignedCheckpoint::open(note, &origin, &log.assertion_key)?;
    let mut by = Vec::new();
    for member in list.members.iter().filter(|member| member.id != log.id) {
        let name = witness(&list.network, &member.id);
        let cosigned = checkpoint.cosigned_by(&name, &member.assertion_key)?;
        by.extend(cosigned.map(|cosigned| (member.id.clone(), cosigned.time_s)));
    }
    Ok(Vouched { checkpoint, by })
}

/// The same by every list of a chain, the oldest first, so that a proof outlasts rotations of keys.
///
/// A key that the newest list refuses (its owner was expelled, or it was stolen) vouches for nobody,
/// whatever time it states. Where it is the log's own, only cosignatures from before the list that
/// refused it count: an expelled member cannot disown what the others had seen, nor add to it.
pub fn vouched_since(
    lists: &[Membership],
    log: &OrgId,
    note: &str,
) -> Result<Vouched, CheckpointError> {
    let refuses = |list: &Membership, key: &PublicKey| {
        list.governance.as_ref().is_some_and(|g| g.refused_keys.contains(key))
    };
    let of_log = lists.iter().rev().filter_map(|list| Some((list, list.member(log)?)));
    let mut opened = Err(CheckpointError::Origin);
    for (list, member) in of_log {
        let name = origin(&list.network, log);
        opened = SignedCheckpoint::open(note, &name, &member.assertion_key)
            .map(|checkpoint| (checkpoint, member.assertion_key));
        if opened.is_ok() {
            break;
        }
    }
    let (checkpoint, key) = opened?;
    let refused_since = lists.iter().find(|list| refuses(list, &key)).map(|list| list.issued);
    let counts = |time_s: u64| {
        refused_since.is_none_or(|ms| u64::try_from(ms / 1000).is_ok_and(|until| time_s < until))
    };
    let mut by: Vec<(OrgId, u64)> = Vec::new();
    for list in lists.iter().rev() {
        for member in list.members.iter().filter(|member| member.id != *log) {
            let is_refused = lists.last().is_some_and(|last| refuses(last, &member.assertion_key));
            if is_refused || by.iter().any(|(org, _)| *org == member.id) {
                continue;
            }
            let name = witness(&list.network, &member.id);
            let cosigned = checkpoint.cosigned_by(&name, &member.assertion_key)?;
            let cosigned = cosigned.filter(|cosigned| counts(cosigned.time_s));
            by.extend(cosigned.map(|cosigned| (member.id.clone(), cosigned.time_s)));
        }
    }
    Ok(Vouched { checkpoint, by })
}

#[cfg(test)]
mod tests {
    use crypto::SigningKey;

    use super::*;

    #[test]
    fn names_have_neither_spaces_nor_plus() {
        let north: OrgId = "north".parse().unwrap();
        assert_eq!(origin("valley.example", &north), "valley.example/north/audit");
        assert_eq!(witness("the valley + hills", &north), "the-valley---hills/north");
    }

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32]).unwrap()
    }

    fn list(members: &[(&str, &SigningKey)], refused: &[&SigningKey], issued: i64) -> Membership {
        let member = |(id, key): &(&str, &SigningKey)| Member {
            id: id.parse().unwrap(),
            display_name: (*id).into(),
            node_url: format!("https://{id}.example:8443"),
            tls_fingerprint: crypto::Fingerprint::of_key(&key.public_key()),
            assertion_key: key.public_key(),
            web_url: format!("https://{id}.example"),
            state: crate::MemberState::Active,
            contact: String::new(),
            capabilities: Vec::new(),
            rotation: None,
        };
        let members: Vec<Member> = members.iter().map(member).collect();
        let seats = members.iter().map(|member| member.id.clone()).collect();
        let list = Membership::first("valley", issued, issued + 1_000_000, members);
        let mut list = list.with_council(crate::Council::of(seats));
        let keys = refused.iter().map(|key| key.public_key()).collect();
        list.governance.as_mut().unwrap().refused_keys = keys;
        list
    }

    #[test]
    fn replaced_keys_vouch_for_what_they_signed_and_refused_ones_for_nothing() {
        let (north, south, new_south, west) = (key(1), key(2), key(3), key(4));
        let first = [("north", &north), ("south", &south), ("west", &west)];
        let first = list(&first, &[], 0);
        let rotated = [("north", &north), ("south", &new_south), ("west", &west)];
        let rotated = list(&rotated, &[], 100_000);
        let expelled = [("north", &north), ("south", &new_south)];
        let expelled = list(&expelled, &[&west], 200_000);
        let lists = [first.clone(), rotated, expelled];
        let noted = |log: &str, by: &SigningKey, cosigned: &[(&str, &SigningKey, u64)]| {
            let origin = origin("valley", &log.parse().unwrap());
            let head = crypto::Head { number: 5, hash: [7; 32] };
            let mut note = crypto::Checkpoint { origin, head }.sign(by).unwrap();
            for (id, key, time_s) in cosigned {
                let name = witness("valley", &id.parse().unwrap());
                let line = note.cosign(&name, key, *time_s).unwrap();
                note.add(&line, &name, &key.public_key()).unwrap();
            }
            note.to_string()
        };
        let vouched = |lists: &[Membership], log: &str, note: &str| {
            let found = vouched_since(lists, &log.parse().unwrap(), note)?;
            Ok::<_, CheckpointError>(found.by.iter().map(|(org, _)| org.to_string()).collect())
        };
        let both = noted("north", &north, &[("south", &south, 50), ("west", &west, 50)]);
        let by = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(vouched(&lists[..1], "north", &both), by(&["south", "west"]));
        assert_eq!(
            vouched(&lists, "north", &both),
            by(&["south"]),
            "an old key, and not a refused one"
        );
        let newest = noted("north", &north, &[("south", &new_south, 150)]);
        assert_eq!(vouched(&lists, "north", &newest), by(&["south"]));
        assert_eq!(vouched(&lists[..1], "north", &newest), by(&[]), "not known by the first list");
        let backdated = noted("north", &north, &[("west", &west, 1)]);
        assert_eq!(vouched(&lists, "north", &backdated), by(&[]), "whatever time it states");
        // The log of the expelled: what others had seen before counts, and nothing after it.
        let theirs = noted("west", &west, &[("south", &south, 50), ("north", &north, 201)]);
        assert_eq!(vouched(&lists, "west", &theirs), by(&["south"]));
        let strange = noted("north", &west, &[]);
        assert!(vouched(&lists, "north", &strange).is_err());
        assert!(vouched(&lists, "nobody", &both).is_err());
    }
}
