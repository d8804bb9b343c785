//! What is unusual in the questions of other institutions: counters and stated rules, nothing else.
//! No clock, no store; what is counted lies in memory and is bounded.
//!
//! | flag | counted | unusual where |
//! |---|---|---|
//! | bulk-treatment | records drawn under TREAT by one organisation in an hour | more than `records_per_hour` |
//! | many-patients | patients that one user asked for in 24 hours and whom this node had not linked to that organisation before | more than `new_patients_per_day` |
//! | no-evidence | patients that one user asked for in 7 days with words alone, and without an appointment, encounter or order since | more than `unproven_per_week` |
//! | night-burst | questions of one organisation in one night | more than `night_least`, and more than `night_factor` times its usual night |
//!
//! A flag never stops a question: care is not blocked by a guess. It is raised once in 24 hours for
//! the same organisation, user and kind.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use wire::FlagKind;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// Most users of one organisation that are counted; whoever is more is counted as one.
const MAX_USERS: usize = 5_000;
/// Most organisations; the membership list bounds them too.
const MAX_PEERS: usize = 10_000;
/// Nights that a peer's usual night is taken from.
const NIGHTS: usize = 28;

/// From when on something is unusual. Zero switches a rule off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Records drawn under TREAT by one organisation in an hour.
    pub records_per_hour: u64,
    /// New patients of one user in 24 hours.
    pub new_patients_per_day: u64,
    /// Patients of one user in 7 days without a named care event.
    pub unproven_per_week: u64,
    /// Questions of one night below which nothing is unusual.
    pub night_least: u64,
    /// How many times its usual night an organisation may ask.
    pub night_factor: u64,
    /// When the night begins and ends: hours of the day in UTC.
    pub night: (u8, u8),
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            records_per_hour: 300,
            new_patients_per_day: 40,
            unproven_per_week: 60,
            night_least: 100,
            night_factor: 5,
            night: (22, 6),
        }
    }
}

/// One question that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Which organisation asked.
    pub org: &'a str,
    /// Which of its users.
    pub user: &'a str,
    /// The patient, by the id here.
    pub patient: &'a str,
    /// Whether the organisation was linked with the patient before.
    pub known: bool,
    /// Whether it asked for treatment (TREAT and what is below).
    pub treatment: bool,
    /// Whether an appointment, encounter or order was named.
    pub proven: bool,
    /// When, milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// Something unusual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What.
    pub kind: FlagKind,
    /// The user; empty where it is about the organisation.
    pub user: String,
    /// What was counted.
    pub count: u64,
    /// The limit.
    pub limit: u64,
    /// From when on it was counted, milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// The counters.
#[derive(Debug, Default)]
pub struct Conduct {
    peers: HashMap<String, Peer>,
}

#[derive(Debug, Default)]
struct Peer {
    /// Times of records drawn for treatment; as many as make a flag, at most.
    drawn: VecDeque<i64>,
    users: HashMap<String, User>,
    /// The night that is counted: its number, and how many questions.
    night: (i64, u64),
    /// Questions of the nights before, the oldest first.
    nights: VecDeque<u64>,
    raised: BTreeMap<(FlagWord, String), i64>,
}

type FlagWord = &'static str;

#[derive(Debug, Default)]
struct User {
    new: VecDeque<(i64, u64)>,
    unproven: VecDeque<(i64, u64)>,
}

impl Conduct {
    /// Counts a question and returns what has become unusual by it.
    pub fn count(&mut self, question: &Question<'_>, rules: &Rules) -> Vec<Found> {
        if !self.peers.contains_key(question.org) && self.peers.len() >= MAX_PEERS {
            return Vec::new();
        }
        let peer = self.peers.entry(question.org.to_owned()).or_default();
        let mut found = Vec::new();
        found.extend(peer.bulk(question, rules.records_per_hour));
        found.extend(peer.user(question, rules));
        found.extend(peer.burst(question, rules));
        found.retain(|one| peer.is_new(one, question.now_ms));
        found
    }
}

impl Peer {
    fn bulk(&mut self, question: &Question<'_>, limit: u64) -> Option<Found> {
        if !question.treatment || limit == 0 {
            return None;
        }
        forget(&mut self.drawn, question.now_ms - HOUR_MS, |at| *at);
        self.drawn.push_back(question.now_ms);
        let count = self.drawn.len() as u64;
        let since_ms = self.drawn.front().copied().unwrap_or(question.now_ms);
        if count > limit.saturating_add(1) {
            self.drawn.pop_front();
        }
        (count > limit).then(|| found(FlagKind::BulkTreatment, "", count, limit, since_ms))
    }

    fn user(&mut self, question: &Question<'_>, rules: &Rules) -> Vec<Found> {
        let known = self.users.contains_key(question.user);
        let name = if known || self.users.len() < MAX_USERS { question.user } else { "" };
        let user = self.users.entry(name.to_owned()).or_default();
        let patient = short(question.patient);
        let now_ms = question.now_ms;
        let mut list = Vec::new();
        forget(&mut user.new, now_ms - DAY_MS, |(at, _)| *at);
        let limit = rules.new_patients_per_day;
        if !question.known && limit > 0 {
            add(&mut user.new, (now_ms, patient), limit);
            list.extend(over(FlagKind::ManyPatients, name, &user.new, limit));
        }
        forget(&mut user.unproven, now_ms - WEEK_MS, |(at, _)| *at);
        let limit = rules.unproven_per_week;
        if question.proven {
            user.unproven.retain(|(_, one)| *one != patient);
        } else if limit > 0 {
            add(&mut user.unproven, (now_ms, patient), limit);
            list.extend(over(FlagKind::NoEvidence, name, &user.unproven, limit));
        }
        list
    }

    fn burst(&mut self, question: &Question<'_>, rules: &Rules) -> Option<Found> {
        let (from, to) = (i64::from(rules.night.0 % 24), i64::from(rules.night.1 % 24));
        let hour = question.now_ms.div_euclid(HOUR_MS).rem_euclid(24);
        let is_night =
            if from <= to { (from..to).contains(&hour) } else { hour >= from || hour < to };
        if !is_night || rules.night_factor == 0 {
            return None;
        }
        // A night belongs to the day on which it begins.
        let begun = question.now_ms - from * HOUR_MS;
        let night = begun.div_euclid(DAY_MS);
        if self.night.0 != night {
            if self.night.1 > 0 {
                self.nights.push_back(self.night.1);
            }
            if self.nights.len() > NIGHTS {
                self.nights.pop_front();
            }
            self.night = (night, 0);
        }
        self.night.1 = self.night.1.saturating_add(1);
        let usual = self.nights.iter().sum::<u64>() / (self.nights.len().max(1) as u64);
        let limit = rules.night_least.max(usual.saturating_mul(rules.night_factor));
        let since_ms = night * DAY_MS + from * HOUR_MS;
        (self.night.1 > limit)
            .then(|| found(FlagKind::NightBurst, "", self.night.1, limit, since_ms))
    }

    /// Whether the same was not raised in the last 24 hours.
    fn is_new(&mut self, found: &Found, now_ms: i64) -> bool {
        self.raised.retain(|_, at| *at > now_ms - DAY_MS);
        let key = (found.kind.word(), found.user.clone());
        if self.raised.contains_key(&key) || self.raised.len() >= MAX_USERS {
            return false;
        }
        self.raised.insert(key, now_ms);
        true
    }
}

fn found(kind: FlagKind, user: &str, count: u64, limit: u64, since_ms: i64) -> Found {
    Found { kind, user: user.to_owned(), count, limit, since_ms }
}

fn forget<T>(list: &mut VecDeque<T>, before_ms: i64, at: impl Fn(&T) -> i64) {
    while list.front().is_some_and(|one| at(one) <= before_ms) {
        list.pop_front();
    }
}

/// Adds a patient who is not there; one more than the limit are kept.
fn add(list: &mut VecDeque<(i64, u64)>, one: (i64, u64), limit: u64) {
    if list.iter().all(|(_, patient)| *patient != one.1) {
        list.push_back(one);
        if list.len() as u64 > limit.saturating_add(1) {
            list.pop_front();
        }
    }
}

fn over(kind: FlagKind, user: &str, list: &VecDeque<(i64, u64)>, limit: u64) -> Option<Found> {
    let patients: HashSet<u64> = list.iter().map(|(_, patient)| *patient).collect();
    let count = patients.len() as u64;
    let since_ms = list.front().map_or(0, |(at, _)| *at);
    (count > limit).then(|| found(kind, user, count, limit, since_ms))
}

/// Enough of a hash to tell patients apart without keeping who they are.
fn short(patient: &str) -> u64 {
    let hash = crypto::sha256(patient.as_bytes());
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 20_000 * DAY_MS + 12 * HOUR_MS;

    fn question(patient: &str, now_ms: i64) -> Question<'_> {
        Question {
            org: "north",
            user: "u-1",
            patient,
            known: true,
            treatment: true,
            proven: true,
            now_ms,
        }
    }

    fn kinds(found: &[Found]) -> Vec<FlagKind> {
        found.iter().map(|one| one.kind).collect()
    }

    #[test]
    fn records_drawn_for_treatment_are_counted_for_an_hour() {
        let (mut conduct, rules) =
            (Conduct::default(), Rules { records_per_hour: 3, ..Rules::default() });
        let mut at = |minutes: i64| conduct.count(&question("p", NOON + minutes * 60_000), &rules);
        for minutes in [0, 10, 20, 61] {
            assert_eq!(at(minutes), [], "minute {minutes}");
        }
        let found = at(62);
        assert_eq!(kinds(&found), [FlagKind::BulkTreatment]);
        assert_eq!((found[0].count, found[0].limit), (4, 3));
        assert_eq!(found[0].since_ms, NOON + 10 * 60_000);
        assert_eq!(at(63), [], "the same is raised once a day");
        let mut other = question("p", NOON);
        other.treatment = false;
        let mut conduct = Conduct::default();
        assert!((0..50).all(|_| conduct.count(&other, &rules).is_empty()), "TREAT alone counts");
    }

    #[test]
    fn one_user_who_asks_for_many_strangers_is_noticed_and_others_are_not() {
        let rules = Rules { new_patients_per_day: 2, ..Rules::default() };
        let mut conduct = Conduct::default();
        let mut ask = |patient: &str, user: &'static str, known| {
            conduct.count(&Question { user, known, ..question(patient, NOON) }, &rules)
        };
        assert_eq!(ask("a", "u-1", false), []);
        assert_eq!(ask("b", "u-1", false), []);
        assert_eq!(ask("b", "u-1", false), [], "the same patient again");
        assert_eq!(ask("c", "u-1", true), [], "a patient who is known");
        assert_eq!(ask("d", "u-2", false), [], "another user");
        let found = ask("d", "u-1", false);
        assert_eq!(kinds(&found), [FlagKind::ManyPatients]);
        assert_eq!(found[0].user, "u-1");
    }

    #[test]
    fn evidence_that_follows_settles_what_was_asked_with_words() {
        let rules = Rules { unproven_per_week: 2, ..Rules::default() };
        let mut conduct = Conduct::default();
        let mut ask = |patient: &str, proven, days: i64| {
            conduct.count(&Question { proven, ..question(patient, NOON + days * DAY_MS) }, &rules)
        };
        assert_eq!(ask("a", false, 0), []);
        assert_eq!(ask("b", false, 0), []);
        assert_eq!(ask("a", true, 1), []);
        assert_eq!(ask("c", false, 1), [], "a is settled");
        assert_eq!(ask("d", false, 8), [], "what is a week old is forgotten");
        assert_eq!(ask("e", false, 7), []);
        assert_eq!(kinds(&ask("f", false, 8)), [FlagKind::NoEvidence]);
    }

    #[test]
    fn a_night_is_compared_with_the_peers_own_nights() {
        let rules = Rules { night_least: 3, night_factor: 2, ..Rules::default() };
        let mut conduct = Conduct::default();
        let mut nightly = |day: i64, questions: i64| -> usize {
            let at = NOON + day * DAY_MS + 13 * HOUR_MS;
            let mut ask = |n| conduct.count(&question("p", at + n * 1000), &rules).len();
            (0..questions).map(&mut ask).sum()
        };
        assert_eq!(nightly(0, 3), 0);
        assert_eq!(nightly(1, 6), 0, "twice the usual three");
        assert_eq!(nightly(2, 10), 1, "more than twice the usual four");
        let mut conduct = Conduct::default();
        let mut day = |n: i64| conduct.count(&question("p", NOON + n * 1000), &rules).len();
        assert_eq!((0..100).map(&mut day).sum::<usize>(), 0, "by day nothing is unusual");
    }

    #[test]
    fn memory_is_bounded() {
        let rules = Rules { new_patients_per_day: 5, records_per_hour: 5, ..Rules::default() };
        let mut conduct = Conduct::default();
        for n in 0..3 * MAX_USERS {
            let (user, patient) = (format!("u-{n}"), format!("p-{n}"));
            let asked = Question { user: &user, known: false, ..question(&patient, NOON) };
            conduct.count(&asked, &rules);
        }
        let peer = &conduct.peers["north"];
        assert!(peer.users.len() <= MAX_USERS + 1 && peer.drawn.len() <= 6);
        assert!(peer.users[""].new.len() <= 6 && peer.raised.len() <= MAX_USERS);
    }
}
