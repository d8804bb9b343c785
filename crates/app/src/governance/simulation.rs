//! Networks of books over links that lose, delay and repeat messages: whatever the order, nodes agree
//! on one list, or somebody's double signature is found.

use std::collections::BTreeMap;

use crypto::{Fingerprint, PublicKey, SigningKey};
use wire::{
    Application, Ballot, Choice, Council, CouncilItem, Founders, Member, MemberState, Membership,
    Motion, OrgId, Proposal, Rotation, Sealed,
};

use super::book::{Book, Effects};
use super::tally::Outcome;

const NOW: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&[byte; 32]).unwrap()
}

fn org(id: &str) -> OrgId {
    id.parse().unwrap()
}

fn member(id: &str, byte: u8) -> Member {
    Member {
        id: org(id),
        display_name: id.to_uppercase(),
        node_url: format!("https://{id}.example:7443"),
        tls_fingerprint: Fingerprint::of_key(&key(byte + 100).public_key()),
        assertion_key: key(byte).public_key(),
        web_url: format!("https://{id}.example"),
        state: MemberState::Active,
        contact: "somebody".into(),
        capabilities: vec!["record".into()],
        rotation: None,
    }
}

fn application(id: &str, byte: u8) -> Sealed {
    let keys = (&key(byte), &key(byte + 100));
    Application::seal("valley", member(id, byte), keys, "to care together", NOW).unwrap()
}

/// xorshift64*: enough for the weather of a network.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

struct Node {
    id: OrgId,
    key: SigningKey,
    book: Book,
    kept: BTreeMap<Vec<u8>, Vec<u8>>,
    misconduct: Vec<super::book::Misconduct>,
    up: bool,
}

impl Node {
    fn apply(&mut self, mut effects: Effects, now_ms: i64) {
        self.book.proceed(&self.key, now_ms, &mut effects);
        for (key, value) in effects.keep {
            match value {
                Some(value) => self.kept.insert(key, value),
                None => self.kept.remove(&key),
            };
        }
        self.misconduct.extend(effects.misconduct);
    }

    fn take(&mut self, items: &[CouncilItem], now_ms: i64) {
        let mut effects = Effects::default();
        self.book.take(items, &mut effects);
        self.apply(effects, now_ms);
    }
}

struct World {
    nodes: Vec<Node>,
    founders: Founders,
    first: wire::SignedMembership,
    chance: Chance,
    now_ms: i64,
    loss_percent: u64,
    late: Vec<(usize, Vec<CouncilItem>)>,
}

impl World {
    fn new(ids: &[&str], seed: u64) -> Self {
        let numbered = || ids.iter().zip(1_u8..);
        let members: Vec<Member> = numbered().map(|(id, byte)| member(id, byte)).collect();
        let seats = members.iter().map(|m| m.id.clone()).collect();
        let list = Membership::first("valley", NOW - 1, NOW + 400 * DAY_MS, members);
        let founder = key(99);
        let first = list.with_council(Council::of(seats)).sign(&founder).unwrap();
        let founders = Founders::one(founder.public_key());
        let node = |(id, byte): (&&str, u8)| Node {
            id: org(id),
            key: key(byte),
            book: Book::new(org(id), founders.clone(), &first).unwrap(),
            kept: BTreeMap::new(),
            misconduct: Vec::new(),
            up: true,
        };
        let nodes = numbered().map(node).collect();
        let chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { nodes, founders, first, chance, now_ms: NOW, loss_percent: 40, late: Vec::new() }
    }

    fn at(&mut self, id: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == org(id)).unwrap()
    }

    fn propose(&mut self, by: &str, motion: Motion) -> String {
        let now_ms = self.now_ms;
        let node = self.at(by);
        let proposal = Proposal {
            version: 1,
            network: "valley".into(),
            proposer: org(by),
            by: "A. Steward".into(),
            title: motion.word().into(),
            reason: "because".into(),
            motion,
            made: now_ms,
            closes: now_ms + 30 * DAY_MS,
        };
        let sealed = Sealed::seal(&proposal, &node.key).unwrap();
        let mut effects = Effects::default();
        let id = node.book.take_proposal(&sealed, &mut effects).unwrap();
        node.apply(effects, now_ms);
        id
    }

    fn ballot(&self, by: &str, id: &str, choice: Choice, reason: &str) -> Sealed {
        let node = self.nodes.iter().find(|node| node.id == org(by)).unwrap();
        let ballot = Ballot {
            version: 1,
            network: "valley".into(),
            proposal: id.into(),
            seat: org(by),
            choice,
            reason: reason.into(),
            by: "A. Steward".into(),
            acr: wire::acr(&["pop", "user", "mfa"]).into(),
            at: self.now_ms,
        };
        Sealed::seal(&ballot, &node.key).unwrap()
    }

    fn vote(&mut self, by: &str, id: &str, choice: Choice) {
        let (sealed, now_ms) = (self.ballot(by, id, choice, "as discussed"), self.now_ms);
        let node = self.at(by);
        let mut effects = Effects::default();
        node.book.take_ballot(&sealed, &mut effects).unwrap();
        node.apply(effects, now_ms);
    }

    /// One random pair exchanges; each message may be lost, late, or come twice.
    fn step(&mut self) {
        self.now_ms += 1_000;
        let now_ms = self.now_ms;
        let count = self.nodes.len() as u64;
        let (from, to) = (self.chance.below(count) as usize, self.chance.below(count) as usize);
        if from == to || !self.nodes[from].up || !self.nodes[to].up {
            return;
        }
        let asker = &self.nodes[from].book;
        let (serial, have) = (asker.current().serial, asker.tags());
        let (items, want) = self.nodes[to].book.offer(serial, &have);
        let back = self.nodes[from].book.wanted(&want);
        for (at, items) in [(from, items), (to, back)] {
            if self.chance.below(100) >= self.loss_percent {
                self.nodes[at].take(&items, now_ms);
            }
            if self.chance.below(100) < 20 && self.late.len() < 50 {
                self.late.push((at, items));
            }
        }
        if !self.late.is_empty() && self.chance.below(3) == 0 {
            let (at, items) =
                self.late.swap_remove(self.chance.below(self.late.len() as u64) as usize);
            if self.nodes[at].up {
                self.nodes[at].take(&items, now_ms);
            }
        }
    }

    fn run_until(&mut self, what: &str, done: impl Fn(&World) -> bool) {
        for _ in 0..5_000 {
            if done(self) {
                return;
            }
            self.step();
        }
        let serials: Vec<_> = self.nodes.iter().map(|n| n.book.current().serial).collect();
        panic!("{what} did not come about; lists {serials:?}");
    }

    /// A node that ends at any moment comes back with what it kept.
    fn restart(&mut self, id: &str) {
        let (founders, first) = (self.founders.clone(), self.first.clone());
        let node = self.at(id);
        let mut book = Book::new(node.id.clone(), founders, &first).unwrap();
        book.load(node.kept.clone().into_iter().collect());
        assert_eq!(book.current(), node.book.current(), "nothing in force is forgotten");
        node.book = book;
    }

    fn all_have(&self, what: impl Fn(&Membership) -> bool) -> bool {
        self.nodes.iter().filter(|node| node.up).all(|node| what(node.book.current()))
    }

    /// No two nodes have different lists with one serial number.
    fn agree(&self) {
        let mut texts: BTreeMap<u64, &str> = BTreeMap::new();
        for node in &self.nodes {
            for (serial, list) in node.book.lists() {
                let text = texts.entry(*serial).or_insert(&list.membership);
                assert_eq!(*text, list.membership, "list {serial}");
            }
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    1..40
}

#[test]
fn votes_spread_and_the_list_comes_into_force_everywhere() {
    for seed in seeds() {
        println!("seed {seed}");
        let mut world = World::new(&["a", "b", "c", "d", "e"], seed);
        let id = world.propose("a", Motion::Admit { application: application("f", 6) });
        world.vote("a", &id, Choice::Yes);
        world.run_until("the proposal", |w| {
            w.nodes.iter().all(|n| n.book.proposals().contains_key(&id))
        });
        assert!(world.all_have(|list| list.serial == 1), "one vote of five admits nobody");
        world.vote("b", &id, Choice::No);
        world.vote("c", &id, Choice::Yes);
        world.restart("c");
        world.vote("d", &id, Choice::Yes);
        world.run_until("the admission", |w| w.all_have(|list| list.member(&org("f")).is_some()));
        world.run_until("the word of it", |w| {
            w.nodes.iter().all(|n| n.book.carried_by(&id) == Some(2))
        });
        world.agree();
        let outcome = world.nodes[1].book.tally(&id, world.now_ms).unwrap();
        assert_eq!((outcome.outcome, outcome.needed), (Outcome::Carried, 3));
        assert!(world.nodes.iter().all(|node| node.misconduct.is_empty()));
    }
}

#[test]
fn a_node_that_was_down_during_an_expulsion_catches_up() {
    for seed in seeds() {
        println!("seed {seed}");
        let mut world = World::new(&["a", "b", "c", "d"], seed);
        world.at("d").up = false;
        let id = world.propose("a", Motion::Expel { organisation: org("b") });
        world.vote("a", &id, Choice::Yes);
        world.run_until("the proposal", |w| w.nodes[2].book.proposals().contains_key(&id));
        world.vote("c", &id, Choice::Yes);
        for _ in 0..200 {
            world.step();
        }
        assert!(world.all_have(|list| list.serial == 1), "two of four expel nobody");
        world.at("d").up = true;
        world.run_until("the proposal", |w| w.nodes[3].book.proposals().contains_key(&id));
        world.vote("d", &id, Choice::Yes);
        world.at("c").up = false;
        // Two of the three signatures are there as soon as d has voted; c's comes when it is back.
        for _ in 0..200 {
            world.step();
        }
        world.at("c").up = true;
        world.run_until("the expulsion", |w| w.all_have(|list| list.member(&org("b")).is_none()));
        world.agree();
        let list = world.nodes[0].book.current();
        let governance = list.governance.as_ref().unwrap();
        assert!(governance.refused_keys.contains(&key(2).public_key()));
        assert!(!governance.council.seats.contains(&org("b")));
        // Whoever was expelled has no voice any more.
        let now_ms = world.now_ms;
        let late = Proposal {
            version: 1,
            network: "valley".into(),
            proposer: org("b"),
            by: String::new(),
            title: "let me in".into(),
            reason: "please".into(),
            motion: Motion::Renew,
            made: now_ms,
            closes: now_ms + DAY_MS,
        };
        let sealed = Sealed::seal(&late, &key(2)).unwrap();
        let mut effects = Effects::default();
        assert!(world.at("a").book.take_proposal(&sealed, &mut effects).is_err());
    }
}

#[test]
fn proposals_that_compete_are_carried_one_after_the_other_or_not_at_all() {
    for seed in seeds() {
        println!("seed {seed}");
        let mut world = World::new(&["a", "b", "c", "d"], seed);
        // Everybody has voted for both before anybody hears of the others: the votes are split.
        let one = world.propose("a", Motion::Admit { application: application("x", 11) });
        let two = world.propose("b", Motion::Admit { application: application("y", 12) });
        world.loss_percent = 60;
        world.run_until("both", |w| w.nodes.iter().all(|n| n.book.proposals().len() == 2));
        for id in ["a", "b", "c", "d"] {
            let order = if world.chance.below(2) == 0 { [&one, &two] } else { [&two, &one] };
            for proposal in order {
                world.vote(id, proposal, Choice::Yes);
            }
        }
        world.run_until("both members", |w| {
            w.all_have(|list| list.member(&org("x")).is_some() && list.member(&org("y")).is_some())
        });
        world.agree();
        assert!(world.nodes.iter().all(|node| node.misconduct.is_empty()), "nobody signed twice");
    }
}

#[test]
fn whoever_signs_two_lists_or_votes_twice_is_found_out() {
    for seed in seeds() {
        println!("seed {seed}");
        let mut world = World::new(&["a", "b", "c"], seed);
        let one = world.propose("a", Motion::Suspend { organisation: org("b") });
        let two = world.propose("a", Motion::Admit { application: application("x", 11) });
        world.run_until("both", |w| w.nodes.iter().all(|n| n.book.proposals().len() == 2));
        // c's key signs both lists with number 2, whatever c's own node would do.
        let drafts = [&one, &two].map(|id| {
            let book = &world.nodes[0].book;
            let noted = &book.proposals()[id];
            let hash = world.first.hash();
            let next = noted.proposal.next(id, book.current(), &hash, 2).unwrap().unwrap();
            CouncilItem::Draft { list: next.sign(&key(3)).unwrap() }
        });
        let now_ms = world.now_ms;
        world.at("a").take(&drafts[..1], now_ms);
        world.at("b").take(&drafts[1..], now_ms);
        world.run_until("the alarm", |w| {
            w.nodes[..2].iter().all(|node| {
                node.misconduct.iter().any(|m| m.organisation == "c" && m.kind == "two-lists")
            })
        });
        // The same with two different votes.
        for (at, choice) in [("a", Choice::Yes), ("b", Choice::No)] {
            let sealed = world.ballot("b", &two, choice, "one thing and the other");
            world.at(at).take(&[CouncilItem::Ballot { sealed }], now_ms + 1);
        }
        world.run_until("the second alarm", |w| {
            w.nodes[..2].iter().any(|node| {
                node.misconduct.iter().any(|m| m.organisation == "b" && m.kind == "two-ballots")
            })
        });
        world.run_until("one and the same vote", |w| {
            let votes = |node: &Node| {
                node.book.proposals()[&two].ballots.keys().cloned().collect::<Vec<_>>()
            };
            votes(&w.nodes[0]) == votes(&w.nodes[1])
        });
    }
}

#[test]
fn a_stolen_key_is_worth_nothing_after_the_recovery() {
    for seed in seeds() {
        println!("seed {seed}");
        let mut world = World::new(&["a", "b", "c"], seed);
        let id = world.propose("a", Motion::Recover { application: application("c", 33) });
        world.vote("a", &id, Choice::Yes);
        // The thief votes against it with c's key; c has no vote in its own recovery.
        world.run_until("the proposal", |w| {
            w.nodes.iter().all(|n| n.book.proposals().contains_key(&id))
        });
        world.vote("c", &id, Choice::No);
        world.vote("b", &id, Choice::Yes);
        world.run_until("the recovery", |w| {
            w.nodes[..2].iter().all(|n| n.book.current().serial == 2)
        });
        let stolen = key(3);
        let list = world.nodes[0].book.current().clone();
        assert_eq!(list.member(&org("c")).unwrap().assertion_key, key(33).public_key());
        assert!(!list.member(&org("c")).unwrap().shows(&member("c", 3).tls_fingerprint, NOW));
        // Nothing that the stolen key signs is taken in any more.
        let other = world.propose("a", Motion::General);
        let ballot = world.ballot("c", &other, Choice::Yes, "with the stolen key");
        assert_eq!(ballot.key, stolen.public_key());
        let mut effects = Effects::default();
        let taken = world.at("a").book.take_ballot(&ballot, &mut effects);
        assert!(taken.unwrap_err().to_string().contains("refused"));
        // The owner speaks with the new key.
        world.at("c").key = key(33);
        let ballot = world.ballot("c", &other, Choice::Yes, "with the new key");
        world.at("a").book.take_ballot(&ballot, &mut effects).unwrap();
    }
}

#[test]
fn keys_that_their_owner_replaces_need_no_vote_and_overlap() {
    let mut world = World::new(&["a", "b", "c"], 5);
    let (tls, new) = (Fingerprint::of_key(&key(133).public_key()), key(33).public_key());
    let until = NOW + 7 * DAY_MS;
    let own = member("c", 3);
    let rotate = |by: &SigningKey, keys: (Fingerprint, PublicKey)| Motion::Rotate {
        organisation: org("c"),
        tls_fingerprint: keys.0,
        assertion_key: keys.1,
        rotation: Rotation::sign("valley", &own, by, (tls, new), until).unwrap(),
    };
    // Somebody else's signature, or a signature over other keys, changes nothing.
    world.propose("a", rotate(&key(1), (tls, new)));
    world.propose("a", rotate(&key(3), (tls, key(44).public_key())));
    (0..300).for_each(|_| world.step());
    assert!(world.all_have(|list| list.serial == 1));
    world.propose("c", rotate(&key(3), (tls, new)));
    world.run_until("the new keys", |w| w.all_have(|list| list.serial == 2));
    let member = world.nodes[0].book.current().member(&org("c")).unwrap().clone();
    assert_eq!(member.signing_keys(until - 1), [new, key(3).public_key()]);
    assert_eq!(member.signing_keys(until), [new]);
    assert!(member.shows(&own.tls_fingerprint, until - 1) && member.shows(&tls, until));
    assert!(!member.shows(&own.tls_fingerprint, until));
    world.agree();
}

#[test]
fn advisers_comment_propose_and_vote_where_they_have_a_vote() {
    let mut world = World::new(&["a", "b"], 3);
    let mut council = world.nodes[0].book.current().council().unwrap().clone();
    council.advisers = vec![wire::Adviser {
        id: org("patients"),
        name: "Patient advisory council".into(),
        host: org("b"),
        votes: true,
    }];
    let id = world.propose("a", Motion::Council { council });
    for by in ["a", "b"] {
        world.run_until("the proposal", |w| {
            w.nodes.iter().all(|n| n.book.proposals().contains_key(&id))
        });
        world.vote(by, &id, Choice::Yes);
    }
    world.run_until("the council", |w| w.all_have(|list| list.serial == 2));
    let general = world.propose("a", Motion::General);
    world.run_until("the proposal", |w| {
        w.nodes.iter().all(|n| n.book.proposals().contains_key(&general))
    });
    let now_ms = world.now_ms;
    let by_adviser = |choice, key: &SigningKey| {
        let ballot = Ballot {
            version: 1,
            network: "valley".into(),
            proposal: general.clone(),
            seat: org("patients"),
            choice,
            reason: "patients should be asked first".into(),
            by: "P. Patient".into(),
            acr: String::new(),
            at: now_ms,
        };
        Sealed::seal(&ballot, key).unwrap()
    };
    let mut effects = Effects::default();
    let book = &mut world.at("b").book;
    assert!(
        book.take_ballot(&by_adviser(Choice::Yes, &key(1)), &mut effects).is_err(),
        "not its host"
    );
    for choice in [Choice::Comment, Choice::Yes] {
        book.take_ballot(&by_adviser(choice, &key(2)), &mut effects).unwrap();
    }
    assert_eq!(book.tally(&general, now_ms).unwrap().yes, 1);
    world.vote("a", &general, Choice::Yes);
    world.run_until("the decision", |w| {
        let carried =
            |n: &Node| n.book.tally(&general, w.now_ms).unwrap().outcome == Outcome::Carried;
        w.nodes.iter().all(carried)
    });
}

#[test]
fn the_thresholds_of_what_a_list_changes_hold_whatever_a_proposal_says() {
    let world = World::new(&["a", "b", "c"], 1);
    let current = world.nodes[0].book.current();
    let hash = world.first.hash();
    let next = |change: &dyn Fn(&mut Membership)| {
        let mut list = current.clone();
        list.serial = 2;
        list.governance.as_mut().unwrap().previous = Some(hash.clone());
        change(&mut list);
        list
    };
    let sign = |list: &Membership, keys: &[u8]| {
        let mut signed = list.sign(&key(keys[0])).unwrap();
        keys.iter().for_each(|byte| signed.sign(&key(*byte)).unwrap());
        signed.follows(current, &hash).map(|list| list.serial)
    };
    let expires = next(&|list| list.expires += 1);
    assert_eq!(sign(&expires, &[1, 2]), Ok(2));
    assert!(sign(&expires, &[1]).is_err() && sign(&expires, &[1, 99]).is_err());
    // Expelling c takes two of the other two, and c's own signature is none.
    let expelled = next(&|list| {
        let gone = list.members.pop().unwrap();
        let governance = list.governance.as_mut().unwrap();
        governance.refused_keys.push(gone.assertion_key);
        governance.refused_certificates.push(gone.tls_fingerprint);
        governance.council = governance.council.without(&gone.id);
    });
    assert_eq!(sign(&expelled, &[1, 2]), Ok(2));
    assert!(sign(&expelled, &[1, 3]).is_err());
    // Keys that are simply other keys are nobody's.
    let swapped = next(&|list| list.members[2].assertion_key = key(50).public_key());
    assert!(sign(&swapped, &[1, 2, 3]).is_err());
    // A list that forgets which one it continues.
    let orphan = next(&|list| list.governance.as_mut().unwrap().previous = None);
    assert!(sign(&orphan, &[1, 2, 3]).is_err());
}
