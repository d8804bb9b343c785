//! What the statements of the parties come to.
//!
//! A [`Dossier`] only grows, and everything it says is a function of the set of its statements and
//! the time: parties that have heard the same agree on the state, in whatever order they heard it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cover::Agreed;
use super::terms::Terms;

/// What a party says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Here is a text to agree on.
    Proposed(Arc<Terms>),
    /// We agree to the text with this hash; the name is the steward's.
    Signed {
        /// Hash of the text, hexadecimal.
        text: Box<str>,
        /// Who signed, by display name.
        steward: Box<str>,
    },
    /// The agreement is to end, not before this time.
    Ended {
        /// The earliest time, in milliseconds since the Unix epoch.
        from_ms: i64,
        /// Why, in words.
        reason: Box<str>,
    },
    /// Another party has broken it: it is suspended.
    Breached {
        /// How, in words.
        reason: Box<str>,
    },
    /// The breach that this party declared is settled.
    Settled {
        /// Hash of the statement that declared it.
        breach: Box<str>,
        /// How, in words.
        reason: Box<str>,
    },
}

/// One statement. Who made it was verified before it came here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Hash of the statement as it was signed, hexadecimal.
    pub hash: Box<str>,
    /// The party that made it, by id.
    pub issuer: Box<str>,
    /// When, by its clock, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What it says.
    pub said: Said,
}

/// Everything that was said about one agreement.
#[derive(Clone, Debug, Default)]
pub struct Dossier {
    statements: BTreeMap<Box<str>, Statement>,
    /// Texts by their hash.
    texts: BTreeMap<Box<str>, Arc<Terms>>,
}

/// What came of adding a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// It is new.
    New,
    /// It was known.
    Known,
    /// It is by nobody who is a party.
    Stranger,
    /// It proposes other parties than the agreement has: that would be another agreement.
    OtherParties,
}

/// How an agreement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No text has been signed by all.
    Negotiated,
    /// Signed by all; its term has not begun.
    Signed,
    /// In force.
    InForce,
    /// A breach was declared.
    Suspended,
    /// Its term is over.
    Expired,
    /// A party has ended it.
    Ended,
}

/// How an agreement stands at a time.
#[derive(Clone, Debug)]
pub struct Standing {
    /// In a word.
    pub state: State,
    /// Hash of the text that this is about: the one in force, else the one that was or will be,
    /// else the newest proposal.
    pub text: Option<Box<str>>,
    /// When the agreement ends because a party has said so.
    pub ends_ms: Option<i64>,
}

/// One version and who has signed it.
#[derive(Clone, Debug)]
pub struct Version<'a> {
    /// Hash of its text.
    pub hash: &'a str,
    /// Its text.
    pub terms: &'a Arc<Terms>,
    /// Who proposed it first.
    pub proposed_by: &'a str,
    /// Who has signed it: party, steward, when; oldest first.
    pub signatures: Vec<(&'a str, &'a str, i64)>,
    /// From when on it is in force or would have been; `None` unless all have signed.
    pub since_ms: Option<i64>,
}

/// A declared breach.
#[derive(Clone, Debug)]
pub struct Breach<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// How.
    pub reason: &'a str,
    /// The statement that settled it.
    pub settled: Option<&'a Statement>,
}

impl Dossier {
    /// Adds a statement. `text_hash` is the hash of the text that it proposes, where it does.
    pub fn enter(&mut self, statement: Statement, text_hash: Option<&str>) -> Entered {
        if self.statements.contains_key(&statement.hash) {
            return Entered::Known;
        }
        if let (Said::Proposed(terms), Some(hash)) = (&statement.said, text_hash) {
            let own: Vec<_> = terms.parties.iter().map(|party| &party.org).collect();
            let others = self.texts.values().next();
            let same = others.is_none_or(|known| {
                known.parties.iter().map(|party| &party.org).eq(own.iter().copied())
            });
            if !same {
                return Entered::OtherParties;
            }
            if terms.party(&statement.issuer).is_none() {
                return Entered::Stranger;
            }
            self.texts.insert(hash.into(), terms.clone());
        } else if !self.is_party(&statement.issuer) {
            return Entered::Stranger;
        }
        self.statements.insert(statement.hash.clone(), statement);
        Entered::New
    }

    /// The parties, by id.
    pub fn parties(&self) -> impl Iterator<Item = &super::Party> {
        self.texts.values().next().into_iter().flat_map(|terms| &terms.parties)
    }

    /// Whether an organisation is a party.
    pub fn is_party(&self, org: &str) -> bool {
        self.parties().any(|party| &*party.org == org)
    }

    /// The statements, oldest first.
    pub fn statements(&self) -> Vec<&Statement> {
        let mut list: Vec<_> = self.statements.values().collect();
        list.sort_by(|a, b| (a.at_ms, &a.hash).cmp(&(b.at_ms, &b.hash)));
        list
    }

    /// How many statements there are by one party.
    pub fn count_by(&self, org: &str) -> usize {
        self.statements.values().filter(|statement| &*statement.issuer == org).count()
    }

    /// The statement with this hash.
    pub fn statement(&self, hash: &str) -> Option<&Statement> {
        self.statements.get(hash)
    }

    /// The text with this hash.
    pub fn text(&self, hash: &str) -> Option<&Arc<Terms>> {
        self.texts.get(hash)
    }

    /// Every version, by number and hash.
    pub fn versions(&self) -> Vec<Version<'_>> {
        let statements = self.statements();
        let mut list: Vec<Version<'_>> = Vec::new();
        for (hash, terms) in &self.texts {
            let proposed = statements.iter().find(|one| {
                matches!(&one.said, Said::Proposed(other) if Arc::ptr_eq(other, terms) || other == terms)
            });
            let mut signatures: Vec<(&str, &str, i64)> = Vec::new();
            for one in &statements {
                if let Said::Signed { text, steward } = &one.said
                    && text == hash
                    && !signatures.iter().any(|(org, ..)| **org == *one.issuer)
                {
                    signatures.push((&one.issuer, steward, one.at_ms));
                }
            }
            let all = terms
                .parties
                .iter()
                .all(|party| signatures.iter().any(|(org, ..)| **org == *party.org));
            let last = signatures.iter().map(|(.., at)| *at).max();
            let since_ms = last.filter(|_| all).map(|last| last.max(terms.from_ms));
            let proposed_by = proposed.map_or("", |one| &*one.issuer);
            list.push(Version { hash, terms, proposed_by, signatures, since_ms });
        }
        list.sort_by(|a, b| (a.terms.version, a.hash).cmp(&(b.terms.version, b.hash)));
        list
    }

    /// When the agreement ends because a party has said so: the earliest of what was said, but not
    /// before the notice of the text that was in force then.
    pub fn ends_ms(&self) -> Option<i64> {
        let ends = self.statements.values().filter_map(|one| match &one.said {
            Said::Ended { from_ms, .. } => {
                let notice = self.text_at(one.at_ms).map_or(0, |version| version.terms.notice_ms());
                Some((*from_ms).max(one.at_ms.saturating_add(notice)))
            }
            _ => None,
        });
        ends.min()
    }

    /// Every breach that was declared, oldest first.
    pub fn breaches(&self) -> Vec<Breach<'_>> {
        let statements = self.statements();
        let mut list = Vec::new();
        for statement in &statements {
            let Said::Breached { reason } = &statement.said else { continue };
            let settled = statements.iter().find(|other| {
                other.issuer == statement.issuer
                    && matches!(&other.said, Said::Settled { breach, .. } if *breach == statement.hash)
            });
            list.push(Breach { statement, reason, settled: settled.copied() });
        }
        list
    }

    /// The text that counts at a time, whether its term is over or not: of those that all have
    /// signed and that have begun, the one with the highest version, and of two with the same
    /// version the one that came later.
    fn text_at(&self, at_ms: i64) -> Option<Version<'_>> {
        let begun = |one: &Version<'_>| one.since_ms.is_some_and(|since| since <= at_ms);
        let versions = self.versions().into_iter().filter(begun);
        versions.max_by_key(|one| (one.terms.version, one.since_ms, one.hash.to_owned()))
    }

    /// How the agreement stands at `now_ms`.
    pub fn standing(&self, now_ms: i64) -> Standing {
        let ends_ms = self.ends_ms();
        let (state, text) = if let Some(version) = self.text_at(now_ms) {
            let state = if ends_ms.is_some_and(|end| end <= now_ms) {
                State::Ended
            } else if version.terms.until_ms <= now_ms {
                State::Expired
            } else if self.breaches().iter().any(|breach| breach.settled.is_none()) {
                State::Suspended
            } else {
                State::InForce
            };
            (state, Some(version.hash.into()))
        } else {
            let versions = self.versions();
            let signed = versions.iter().rev().find(|one| one.since_ms.is_some());
            let state = match (signed, ends_ms.is_some_and(|end| end <= now_ms)) {
                (_, true) => State::Ended,
                (Some(_), false) => State::Signed,
                (None, false) => State::Negotiated,
            };
            (state, signed.or(versions.last()).map(|one| one.hash.into()))
        };
        Standing { state, text, ends_ms }
    }

    /// What holds from now on as long as nothing else is said: the texts that all have signed,
    /// each with the time in which it counts. Empty while a breach is not settled.
    pub fn agreed(&self) -> Vec<Agreed> {
        if self.breaches().iter().any(|breach| breach.settled.is_none()) {
            return Vec::new();
        }
        let end = self.ends_ms().unwrap_or(i64::MAX);
        let signed: Vec<_> = self.versions().into_iter().filter(|v| v.since_ms.is_some()).collect();
        let rank = |one: &Version<'_>| (one.terms.version, one.since_ms, one.hash.to_owned());
        let mut list = Vec::new();
        for one in &signed {
            let Some(since_ms) = one.since_ms else { continue };
            // A later version takes its place from the moment it begins.
            let later = signed.iter().filter(|other| rank(other) > rank(one));
            let replaced = later.filter_map(|other| other.since_ms).min().unwrap_or(i64::MAX);
            let until_ms = one.terms.until_ms.min(end).min(replaced);
            if since_ms < until_ms {
                list.push(Agreed { terms: one.terms.clone(), since_ms, until_ms });
            }
        }
        list
    }

    /// The hashes of the statements on which [`Dossier::agreed`] depends: two parties that name the
    /// same ones agree on what holds.
    pub fn decisive(&self) -> Vec<&str> {
        let complete: Vec<&str> = self
            .versions()
            .iter()
            .filter(|version| version.since_ms.is_some())
            .map(|version| version.hash)
            .collect();
        if complete.is_empty() {
            return Vec::new();
        }
        let decides = |one: &&Statement| match &one.said {
            Said::Proposed(_) => false,
            Said::Signed { text, .. } => complete.contains(&&**text),
            Said::Ended { .. } | Said::Breached { .. } | Said::Settled { .. } => true,
        };
        self.statements.values().filter(decides).map(|one| &*one.hash).collect()
    }

    /// Why `org` may not sign the text with this hash now; `None` where it may. A party signs one
    /// text of each version, so that no two can both be signed by all.
    pub fn unsignable(&self, org: &str, hash: &str, now_ms: i64) -> Option<&'static str> {
        let Some(terms) = self.texts.get(hash) else { return Some("there is no such version") };
        let versions = self.versions();
        let signed = |one: &&Version<'_>| one.signatures.iter().any(|(by, ..)| *by == org);
        if self.ends_ms().is_some() {
            return Some("the agreement has been ended; propose a new one");
        }
        if terms.until_ms <= now_ms {
            return Some("the term of this version is over; propose another");
        }
        if versions.iter().filter(signed).any(|one| one.hash == hash) {
            return Some("this version has been signed here already");
        }
        if versions.iter().filter(signed).any(|one| one.terms.version == terms.version) {
            return Some(
                "another proposal with this number was signed here; propose a further version",
            );
        }
        let newer =
            |one: &Version<'_>| one.since_ms.is_some() && one.terms.version >= terms.version;
        versions.iter().any(newer).then_some("a newer version has been signed by all")
    }
}
