//! The council's business as one node knows it: lists, proposals, ballots, and lists that gather
//! signatures. No store, no clock, no network: what comes in is judged, and what is to be kept comes
//! out.
//!
//! **Order.** A node signs one list for each serial number, whatever happens, and remembers which.
//! Thresholds are more than half, so two lists of one number cannot both be valid unless somebody
//! signs both, and the two signatures are the evidence. Where two carried proposals compete and the
//! votes are split so that neither list can be completed, every node sees that from the drafts, and
//! the next number is used, still continuing the same list.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crypto::{PublicKey, SigningKey};
use wire::{
    Ballot, Choice, CouncilItem, Founders, Member, Membership, MembershipError, Motion, OrgId,
    Proposal, Sealed, SignedMembership,
};

use super::tally::{Outcome, Tally, tally};

/// Most proposals that a node keeps; then the oldest that are decided make room.
pub const MAX_PROPOSALS: usize = 2_000;
/// Most ballots and comments on one proposal.
const MAX_BALLOTS: usize = 500;
/// Most lists on the way.
const MAX_DRAFTS: usize = 200;
/// How many serial numbers may be passed over.
const MAX_SKIPPED: u64 = 64;
/// Bytes of items in one message.
const MAX_ITEM_BYTES: usize = 1024 * 1024;
/// Tags of what was refused for good, so that it is not asked for again.
const MAX_REJECTED: usize = 10_000;

/// A proposal with its ballots.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The proposal.
    pub proposal: Proposal,
    /// As it was sealed.
    pub sealed: Sealed,
    /// Votes and comments by their ids.
    pub ballots: BTreeMap<String, (Ballot, Sealed)>,
}

/// Evidence that somebody has signed what excludes each other.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Misconduct {
    /// Who, as far as its key is known.
    pub organisation: String,
    /// What: `two-lists` or `two-ballots`.
    pub kind: String,
    /// One of the two, as it was signed.
    pub one: String,
    /// The other.
    pub other: String,
    /// The serial number of both lists, or 0.
    pub serial: u64,
}

/// A side value to be kept: key, and value or `None` for its removal.
pub type Keep = (Vec<u8>, Option<Vec<u8>>);

/// What came of something.
#[derive(Debug, Default)]
pub struct Effects {
    /// What is to be kept.
    pub keep: Vec<Keep>,
    /// Lists to be put in force, in their order.
    pub lists: Vec<SignedMembership>,
    /// Proposals of which something is new.
    pub touched: BTreeSet<String>,
    /// Alarms.
    pub misconduct: Vec<Misconduct>,
}

impl Effects {
    /// Whether nothing is new.
    pub fn is_empty(&self) -> bool {
        self.keep.is_empty()
    }
}

/// Why something is not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// It may fit later, when something else has come.
    #[error("what it belongs to is not known here yet")]
    NotYet,
    /// It will never do.
    #[error("{0}")]
    Never(String),
}

fn never(reason: impl ToString) -> Reject {
    Reject::Never(reason.to_string())
}

/// The business.
#[derive(Clone, Debug)]
pub struct Book {
    own: OrgId,
    founders: Founders,
    current: Membership,
    current_hash: String,
    lists: BTreeMap<u64, SignedMembership>,
    proposals: BTreeMap<String, Noted>,
    drafts: BTreeMap<String, SignedMembership>,
    signed: BTreeMap<u64, String>,
    alarms: BTreeSet<String>,
    rejected: HashSet<String>,
}

impl Book {
    /// A book that begins with the list in force.
    pub fn new(
        own: OrgId,
        founders: Founders,
        signed: &SignedMembership,
    ) -> Result<Self, MembershipError> {
        let current = signed.read()?;
        Ok(Self {
            own,
            founders,
            current_hash: signed.hash(),
            lists: BTreeMap::from([(current.serial, signed.clone())]),
            current,
            proposals: BTreeMap::new(),
            drafts: BTreeMap::new(),
            signed: BTreeMap::new(),
            alarms: BTreeSet::new(),
            rejected: HashSet::new(),
        })
    }

    /// Takes in what was kept earlier: side values in the order of their keys. Returns the lists
    /// that are newer than the one in force.
    pub fn load(&mut self, kept: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<SignedMembership> {
        let mut effects = Effects::default();
        for (key, value) in &kept {
            let Ok(key) = std::str::from_utf8(key) else { continue };
            if let Some(serial) = key.strip_prefix("signed/").and_then(|s| s.parse().ok()) {
                self.signed.insert(serial, String::from_utf8_lossy(value).into_owned());
            } else if let Some(id) = key.strip_prefix("alarm/") {
                self.alarms.insert(id.to_owned());
            } else if let Some(serial) = key.strip_prefix("list/") {
                let Ok(list) = serde_json::from_slice::<SignedMembership>(value) else { continue };
                match serial.parse::<u64>() {
                    Ok(serial) if serial < self.current.serial => {
                        self.lists.insert(serial, list);
                    }
                    _ => {
                        let _ = self.take_list(&list, &mut effects);
                    }
                }
            }
        }
        for (key, value) in &kept {
            if key.starts_with(b"proposal/")
                && let Ok(sealed) = serde_json::from_slice::<Sealed>(value)
                && let Ok(proposal) = sealed.open::<Proposal>()
            {
                let noted = Noted { proposal, sealed, ballots: BTreeMap::new() };
                self.proposals.insert(noted.sealed.id(), noted);
            }
        }
        for (key, value) in &kept {
            if key.starts_with(b"ballot/")
                && let Ok(sealed) = serde_json::from_slice::<Sealed>(value)
                && let Ok(ballot) = sealed.open::<Ballot>()
                && let Some(noted) = self.proposals.get_mut(&ballot.proposal)
            {
                noted.ballots.insert(sealed.id(), (ballot, sealed));
            } else if key.starts_with(b"draft/")
                && let Ok(draft) = serde_json::from_slice::<SignedMembership>(value)
            {
                self.drafts.insert(draft.hash(), draft);
            }
        }
        self.drop_old_drafts(&mut effects);
        effects.lists
    }

    /// The list in force.
    pub fn current(&self) -> &Membership {
        &self.current
    }

    /// All proposals by their ids.
    pub fn proposals(&self) -> &BTreeMap<String, Noted> {
        &self.proposals
    }

    /// Every list that is known, by its serial number.
    pub fn lists(&self) -> &BTreeMap<u64, SignedMembership> {
        &self.lists
    }

    /// How a proposal stands at `now_ms`.
    pub fn tally(&self, id: &str, now_ms: i64) -> Option<Tally> {
        let noted = self.proposals.get(id)?;
        let ballots = noted.ballots.values().map(|(ballot, _)| ballot);
        let mut found = tally(&noted.proposal, ballots, &self.current, now_ms);
        if self.carried_by(id).is_some() {
            found.outcome = Outcome::Carried;
        } else if !matches!(noted.proposal.motion, Motion::General)
            && matches!(found.outcome, Outcome::Open | Outcome::Carried)
        {
            let serial = self.current.serial + 1;
            match noted.proposal.next(id, &self.current, &self.current_hash, serial) {
                Ok(_) if found.outcome == Outcome::Carried => found.outcome = Outcome::Decided,
                Ok(_) => {}
                Err(error) => found.outcome = Outcome::Moot(error.to_string()),
            }
        }
        Some(found)
    }

    /// The serial number of the list that carries a proposal out.
    pub fn carried_by(&self, id: &str) -> Option<u64> {
        let carries = |list: &&SignedMembership| {
            // The id is in the text where the list carries it out; only then it is read.
            list.membership.contains(id)
                && list.read().is_ok_and(|list| {
                    list.governance.and_then(|g| g.proposal).as_deref() == Some(id)
                })
        };
        self.lists.values().rev().find(carries).and_then(|list| Some(list.read().ok()?.serial))
    }

    /// What another node lacks, given its tags and the serial number of its list, and the tags of
    /// what this one lacks.
    pub fn offer(&self, serial: u64, have: &[String]) -> (Vec<CouncilItem>, Vec<String>) {
        let have: HashSet<&str> = have.iter().map(String::as_str).collect();
        let newer = self.lists.range(serial.saturating_add(1)..).map(|(_, list)| list);
        let lists = newer.map(|list| CouncilItem::List { list: list.clone() });
        let lacking = self.items().filter(|item| !have.contains(item.tag().as_str()));
        let (mut items, mut bytes) = (Vec::new(), 0);
        for item in lists.chain(lacking) {
            bytes += size(&item);
            if bytes > MAX_ITEM_BYTES && !items.is_empty() {
                break;
            }
            items.push(item);
        }
        let own: HashSet<String> = self.items().map(|item| item.tag()).collect();
        let lacks = |tag: &&str| !own.contains(*tag) && !self.rejected.contains(*tag);
        let want = have.into_iter().filter(lacks).map(str::to_owned).collect();
        (items, want)
    }

    /// Lists after a serial number, the oldest first, as many as fit into one message.
    pub fn lists_after(&self, serial: u64) -> Vec<CouncilItem> {
        let mut bytes = 0;
        let newer = self.lists.range(serial.saturating_add(1)..).map(|(_, list)| list);
        newer
            .map(|list| CouncilItem::List { list: list.clone() })
            .take_while(|item| {
                let first = bytes == 0;
                bytes += size(item);
                first || bytes <= MAX_ITEM_BYTES
            })
            .collect()
    }

    /// The tags of everything but lists in force.
    pub fn tags(&self) -> Vec<String> {
        self.items().map(|item| item.tag()).collect()
    }

    /// The items with these tags, as many as fit into one message.
    pub fn wanted(&self, tags: &[String]) -> Vec<CouncilItem> {
        let tags: HashSet<&str> = tags.iter().map(String::as_str).collect();
        let mut bytes = 0;
        let wanted = self.items().filter(|item| tags.contains(item.tag().as_str()));
        wanted
            .take_while(|item| {
                bytes += size(item);
                bytes <= MAX_ITEM_BYTES
            })
            .collect()
    }

    fn items(&self) -> impl Iterator<Item = CouncilItem> {
        let proposals = self.proposals.values();
        let sealed = proposals.clone().map(|n| CouncilItem::Proposal { sealed: n.sealed.clone() });
        let ballots = proposals.flat_map(|noted| noted.ballots.values());
        let ballots = ballots.map(|(_, sealed)| CouncilItem::Ballot { sealed: sealed.clone() });
        let drafts = self.drafts.values().map(|list| CouncilItem::Draft { list: list.clone() });
        sealed.chain(ballots).chain(drafts)
    }

    /// Takes in what another node handed over; what is not acceptable is passed over and noted.
    pub fn take(&mut self, items: &[CouncilItem], effects: &mut Effects) {
        for item in items {
            let taken = match item {
                CouncilItem::List { list } => self.take_list(list, effects),
                CouncilItem::Draft { list } => self.take_draft(list, effects),
                CouncilItem::Proposal { sealed } => self.take_proposal(sealed, effects).map(drop),
                CouncilItem::Ballot { sealed } => self.take_ballot(sealed, effects).map(drop),
            };
            if let Err(Reject::Never(reason)) = taken {
                tracing::debug!(%reason, "an item of the council's business is not acceptable");
                if self.rejected.len() < MAX_REJECTED {
                    self.rejected.insert(item.tag());
                }
            }
        }
    }

    /// Takes in a proposal; returns its id.
    pub fn take_proposal(
        &mut self,
        sealed: &Sealed,
        effects: &mut Effects,
    ) -> Result<String, Reject> {
        let id = sealed.id();
        if self.proposals.contains_key(&id) {
            return Ok(id);
        }
        let proposal: Proposal = sealed.open().map_err(never)?;
        let Some(council) = self.current.council() else { return Err(Reject::NotYet) };
        if proposal.network != self.current.network {
            return Err(never("the proposal is for another network"));
        }
        let signer = council.adviser(&proposal.proposer).map_or(&proposal.proposer, |a| &a.host);
        self.may_sign(signer, &sealed.key)?;
        if self.proposals.len() >= MAX_PROPOSALS {
            self.make_room(effects);
        }
        if self.proposals.len() >= MAX_PROPOSALS {
            return Err(never("there are too many proposals"));
        }
        keep_json(effects, format!("proposal/{id}"), sealed);
        effects.touched.insert(id.clone());
        let noted = Noted { proposal, sealed: sealed.clone(), ballots: BTreeMap::new() };
        self.proposals.insert(id.clone(), noted);
        Ok(id)
    }

    /// Takes in a ballot or comment; returns the proposal's id.
    pub fn take_ballot(
        &mut self,
        sealed: &Sealed,
        effects: &mut Effects,
    ) -> Result<String, Reject> {
        let ballot: Ballot = sealed.open().map_err(never)?;
        let id = sealed.id();
        let council = self.current.council().ok_or(Reject::NotYet)?;
        let signer = match council.adviser(&ballot.seat) {
            Some(adviser) => adviser.host.clone(),
            None if council.seats.contains(&ballot.seat) => ballot.seat.clone(),
            None => return Err(Reject::NotYet),
        };
        let Some(noted) = self.proposals.get(&ballot.proposal) else { return Err(Reject::NotYet) };
        if noted.ballots.contains_key(&id) {
            return Ok(ballot.proposal);
        }
        self.may_sign(&signer, &sealed.key)?;
        let proposal = &noted.proposal;
        if ballot.at < proposal.made || ballot.at >= proposal.closes {
            return Err(never("the ballot is from before or after the vote"));
        }
        if noted.ballots.len() >= MAX_BALLOTS {
            return Err(never("there are too many ballots"));
        }
        let other = noted.ballots.iter().find(|(_, (other, _))| {
            other.seat == ballot.seat
                && other.choice != Choice::Comment
                && ballot.choice != Choice::Comment
        });
        if let Some((other_id, (_, other))) = other {
            let (other_id, other) = (other_id.clone(), other.clone());
            self.accuse(&ballot.seat, "two-ballots", (&other.text, &sealed.text), 0, effects);
            // All nodes keep the same one of the two.
            if id > other_id {
                return Err(never("the seat has voted already"));
            }
            effects.keep.push((key_of_ballot(&ballot.proposal, &other_id), None));
            if let Some(noted) = self.proposals.get_mut(&ballot.proposal) {
                noted.ballots.remove(&other_id);
            }
        }
        let key = String::from_utf8_lossy(&key_of_ballot(&ballot.proposal, &id)).into_owned();
        keep_json(effects, key, sealed);
        effects.touched.insert(ballot.proposal.clone());
        let proposal = ballot.proposal.clone();
        if let Some(noted) = self.proposals.get_mut(&proposal) {
            noted.ballots.insert(id, (ballot, sealed.clone()));
        }
        Ok(proposal)
    }

    /// Takes in a list that is in force elsewhere.
    pub fn take_list(
        &mut self,
        signed: &SignedMembership,
        effects: &mut Effects,
    ) -> Result<(), Reject> {
        let read = signed.read().map_err(never)?;
        if let Some(known) = self.lists.get(&read.serial).cloned() {
            if known.membership != signed.membership {
                self.compare(&known, signed, read.serial, effects);
                return Err(never("there is another list with this serial number"));
            }
            return Ok(());
        }
        if read.serial < self.current.serial {
            return Err(never("the list is older than the one in force"));
        }
        let after = signed.after(&self.current, &self.current_hash, &self.founders);
        let list = after.map_err(|error| match error {
            MembershipError::NotContinuing(_) => Reject::NotYet,
            error => never(error),
        })?;
        self.put_in_force(list, signed, effects);
        Ok(())
    }

    fn put_in_force(&mut self, list: Membership, signed: &SignedMembership, effects: &mut Effects) {
        if let Some(id) = list.governance.as_ref().and_then(|g| g.proposal.clone()) {
            effects.touched.insert(id);
        }
        keep_json(effects, format!("list/{:020}", list.serial), signed);
        effects.lists.push(signed.clone());
        self.lists.insert(list.serial, signed.clone());
        self.current_hash = signed.hash();
        self.current = list;
        self.drop_old_drafts(effects);
    }

    fn drop_old_drafts(&mut self, effects: &mut Effects) {
        let current = self.current.serial;
        let hash = self.current_hash.clone();
        self.drafts.retain(|id, draft| {
            let keeps = draft.read().is_ok_and(|list| {
                let previous = list.governance.and_then(|g| g.previous);
                list.serial > current && previous.as_deref() == Some(hash.as_str())
            });
            if !keeps {
                effects.keep.push((format!("draft/{id}").into_bytes(), None));
            }
            keeps
        });
    }

    fn take_draft(
        &mut self,
        draft: &SignedMembership,
        effects: &mut Effects,
    ) -> Result<(), Reject> {
        let list = draft.read().map_err(never)?;
        let governance = list.governance.as_ref().ok_or_else(|| never("a draft has a council"))?;
        if let Some(known) = self.lists.get(&list.serial).cloned() {
            if known.membership != draft.membership {
                self.compare(&known, draft, list.serial, effects);
            }
            return Err(never("the list was decided"));
        }
        if list.serial <= self.current.serial {
            return Err(never("the list was decided"));
        }
        if governance.previous.as_deref() != Some(self.current_hash.as_str()) {
            return Err(Reject::NotYet);
        }
        if list.serial > self.current.serial + MAX_SKIPPED {
            return Err(never("the draft leaves out too many serial numbers"));
        }
        let id = governance.proposal.clone().unwrap_or_default();
        let Some(noted) = self.proposals.get(&id) else { return Err(Reject::NotYet) };
        let made = noted.proposal.next(&id, &self.current, &self.current_hash, list.serial);
        if made.map_err(never)?.as_ref() != Some(&list) {
            return Err(never("the draft is not what the proposal makes of the list"));
        }
        let voters: Vec<PublicKey> =
            self.current.voters(&[]).into_iter().flat_map(|(_, keys)| keys).collect();
        let mut sound = draft.clone();
        sound.signatures.retain(|s| voters.contains(&s.key));
        if sound.signatures.is_empty() {
            return Err(never("nobody with a seat has signed the draft"));
        }
        let others: Vec<SignedMembership> = self.rivals(list.serial, &draft.membership);
        for other in others {
            self.compare(&other, &sound, list.serial, effects);
        }
        let hash = draft.hash();
        if !self.drafts.contains_key(&hash) && self.drafts.len() >= MAX_DRAFTS {
            return Err(never("there are too many drafts"));
        }
        let empty = SignedMembership { signatures: Vec::new(), ..sound.clone() };
        let kept = self.drafts.entry(hash.clone()).or_insert(empty);
        if kept.merge(&sound) {
            keep_json(effects, format!("draft/{hash}"), kept);
            effects.touched.insert(id);
        } else if kept.signatures.is_empty() {
            self.drafts.remove(&hash);
            return Err(never("no signature of the draft holds"));
        }
        Ok(())
    }

    /// Other drafts with the same serial number.
    fn rivals(&self, serial: u64, text: &str) -> Vec<SignedMembership> {
        let is_rival = |draft: &&SignedMembership| {
            draft.membership != text && draft.read().is_ok_and(|list| list.serial == serial)
        };
        self.drafts.values().filter(is_rival).cloned().collect()
    }

    /// Does what the node itself has to do: sign the next list where a proposal is decided, and put
    /// it in force where enough have signed.
    pub fn proceed(&mut self, key: &SigningKey, now_ms: i64, effects: &mut Effects) {
        // Each turn puts a list in force or ends; there is at most one for each proposal.
        for _ in 0..=self.proposals.len() {
            self.sign_next(key, now_ms, effects);
            let complete = self.drafts.values().find_map(|draft| {
                let list = draft.follows(&self.current, &self.current_hash).ok()?;
                Some((list, draft.clone()))
            });
            let Some((list, signed)) = complete else { return };
            self.put_in_force(list, &signed, effects);
        }
    }

    /// The proposals that are decided and can be carried out, by their ids.
    pub fn decided(&self, now_ms: i64) -> Vec<String> {
        let open = self.proposals.keys();
        let is_decided = |id: &&String| {
            self.tally(id, now_ms).is_some_and(|tally| tally.outcome == Outcome::Decided)
        };
        open.filter(is_decided).cloned().collect()
    }

    fn sign_next(&mut self, key: &SigningKey, now_ms: i64, effects: &mut Effects) {
        let own_key = key.public_key();
        let voters = self.current.voters(&[]);
        if !voters.iter().any(|(org, keys)| **org == self.own && keys.contains(&own_key)) {
            return;
        }
        let decided = self.decided(now_ms);
        if decided.is_empty() {
            return;
        }
        let Some(serial) = self.open_serial() else { return };
        if self.signed.contains_key(&serial) {
            return;
        }
        // What others have begun to sign first, so that votes do not split without need.
        let mut best: Option<(usize, SignedMembership)> = None;
        for id in &decided {
            let Some(noted) = self.proposals.get(id) else { continue };
            let next = noted.proposal.next(id, &self.current, &self.current_hash, serial);
            let Ok(Some(list)) = next else { continue };
            let Ok(changes) = self.current.changes(&list) else { continue };
            if changes.iter().any(|change| change.against() == Some(&self.own)) {
                continue;
            }
            let Ok(text) = serde_json::to_string(&list) else { continue };
            let fresh = SignedMembership { membership: text, signatures: Vec::new() };
            let draft = self.drafts.get(&fresh.hash()).cloned().unwrap_or(fresh);
            if best.as_ref().is_none_or(|(most, _)| draft.signatures.len() > *most) {
                best = Some((draft.signatures.len(), draft));
            }
        }
        let Some((_, mut draft)) = best else { return };
        if draft.sign(key).is_err() {
            return;
        }
        let hash = draft.hash();
        effects.keep.push((format!("signed/{serial:020}").into_bytes(), Some(hash.clone().into())));
        keep_json(effects, format!("draft/{hash}"), &draft);
        self.signed.insert(serial, hash.clone());
        self.drafts.insert(hash, draft);
    }

    /// The first serial number after the list in force at which a list can still be completed.
    fn open_serial(&self) -> Option<u64> {
        let seats = self.current.voters(&[]);
        let least = self.current.council().map(|council| council.seats.len() / 2 + 1)?;
        let by_serial = |serial: u64| {
            let of = self
                .drafts
                .values()
                .filter(move |d| d.read().is_ok_and(|list| list.serial == serial));
            of.map(|draft| {
                let signed = seats.iter().filter(|(_, keys)| draft.signed_by(keys) > 0);
                signed.map(|(org, _)| (*org).clone()).collect::<BTreeSet<OrgId>>()
            })
            .collect::<Vec<_>>()
        };
        let first = self.current.serial + 1;
        (first..first + MAX_SKIPPED).find(|serial| {
            let drafts = by_serial(*serial);
            let all: BTreeSet<&OrgId> = drafts.iter().flatten().collect();
            let free = seats.len() - all.len();
            let most = drafts.iter().map(BTreeSet::len).max().unwrap_or(0);
            most + free >= least
        })
    }

    /// Whoever has signed both of two lists with one serial number has misbehaved.
    fn compare(
        &mut self,
        one: &SignedMembership,
        other: &SignedMembership,
        serial: u64,
        effects: &mut Effects,
    ) {
        let mut members: Vec<Member> = self.current.members.clone();
        for list in self.lists.values().rev().take(2) {
            members.extend(list.read().map(|list| list.members).unwrap_or_default());
        }
        let mut guilty = BTreeSet::new();
        for signature in &other.signatures {
            let keys = [signature.key];
            if one.signed_by(&keys) > 0 && other.signed_by(&keys) > 0 {
                let by = members.iter().find(|member| member.assertion_key == signature.key);
                guilty.insert(by.map_or_else(|| signature.key.to_string(), |m| m.id.to_string()));
            }
        }
        for organisation in guilty {
            let found = Misconduct {
                organisation,
                kind: "two-lists".into(),
                one: one.to_json(),
                other: other.to_json(),
                serial,
            };
            self.note(found, effects);
        }
    }

    fn accuse(
        &mut self,
        organisation: &OrgId,
        kind: &str,
        (one, other): (&str, &str),
        serial: u64,
        effects: &mut Effects,
    ) {
        let found = Misconduct {
            organisation: organisation.to_string(),
            kind: kind.into(),
            one: one.into(),
            other: other.into(),
            serial,
        };
        self.note(found, effects);
    }

    fn note(&mut self, found: Misconduct, effects: &mut Effects) {
        // One alarm for each organisation, kind and number or proposal, however often it is seen.
        let about = if found.serial > 0 { found.serial.to_string() } else { found.one.clone() };
        let id = format!("{} {} {about}", found.organisation, found.kind);
        let id = crypto::hash::hex(&crypto::sha256(id.as_bytes()));
        if self.alarms.insert(id.clone()) {
            keep_json(effects, format!("alarm/{id}"), &found);
            effects.misconduct.push(found);
        }
    }

    /// Whether `key` is one that `org` signs with, by the list in force or an earlier one, and not
    /// refused since.
    fn may_sign(&self, org: &OrgId, key: &PublicKey) -> Result<(), Reject> {
        let refused = self.current.governance.as_ref().map(|g| g.refused_keys.as_slice());
        if refused.unwrap_or_default().contains(key) {
            return Err(never(
                "the key is refused since it was lost, stolen or its owner expelled",
            ));
        }
        let has = |list: &Membership| {
            list.member(org).is_some_and(|member| {
                let old = member.rotation.map(|old| old.assertion_key);
                member.assertion_key == *key || old == Some(*key)
            })
        };
        if has(&self.current) {
            return Ok(());
        }
        let earlier = self.lists.values().rev().take(100);
        match earlier.filter_map(|list| list.read().ok()).any(|list| has(&list)) {
            true => Ok(()),
            false => Err(Reject::NotYet),
        }
    }

    /// Removes the oldest proposal that is over.
    fn make_room(&mut self, effects: &mut Effects) {
        let over = |(id, noted): &(&String, &Noted)| {
            let tally = self.tally(id, noted.proposal.closes);
            tally.is_some_and(|tally| !matches!(tally.outcome, Outcome::Open | Outcome::Decided))
        };
        let oldest = self.proposals.iter().filter(over).min_by_key(|(_, n)| n.proposal.made);
        let Some(id) = oldest.map(|(id, _)| id.clone()) else { return };
        if let Some(gone) = self.proposals.remove(&id) {
            effects.keep.push((format!("proposal/{id}").into_bytes(), None));
            let ballots = gone.ballots.keys().map(|ballot| (key_of_ballot(&id, ballot), None));
            effects.keep.extend(ballots);
            self.rejected.insert(CouncilItem::Proposal { sealed: gone.sealed }.tag());
        }
    }
}

fn key_of_ballot(proposal: &str, ballot: &str) -> Vec<u8> {
    format!("ballot/{proposal}/{ballot}").into_bytes()
}

fn keep_json(effects: &mut Effects, key: String, value: &impl serde::Serialize) {
    // Strings, numbers and keys only: there is always a text.
    let value = serde_json::to_vec(value).unwrap_or_default();
    effects.keep.push((key.into_bytes(), Some(value)));
}

fn size(item: &CouncilItem) -> usize {
    match item {
        CouncilItem::List { list } | CouncilItem::Draft { list } => {
            list.membership.len() + list.signatures.len() * 200
        }
        CouncilItem::Proposal { sealed } | CouncilItem::Ballot { sealed } => {
            sealed.text.len() + 200
        }
    }
}
