//! What the agreements in force let one organisation ask of another.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::obligation::Obligation;
use super::terms::{Class, Clause, Terms};
use crate::consent::Item;
use crate::label::Confidentiality;
use crate::purpose::Purpose;

/// One agreement that a node knows: its text as it is in force, and until when nothing can have
/// ended it without this node's knowing.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Its text.
    pub terms: Arc<Terms>,
    /// From when on that text is in force, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Until when, exclusive: the end of the term, or an earlier end that was declared.
    pub until_ms: i64,
}

/// A clause that covers a question.
#[derive(Clone, Copy, Debug)]
pub struct Covering<'a> {
    /// Of which agreement; `None` for the network's common one.
    pub agreement: Option<&'a Terms>,
    /// The clause.
    pub clause: &'a Clause,
}

/// Every clause that covers one question. What any of them covers is covered.
#[derive(Clone, Debug, Default)]
pub struct Cover<'a>(Vec<Covering<'a>>);

impl<'a> Cover<'a> {
    /// The clauses under which `asker` may be answered by `holder` for `purpose` at `now_ms`: of
    /// `agreed`, and of `common`, which holds among all members.
    pub fn of(
        agreed: impl IntoIterator<Item = &'a Agreed>,
        common: &'a [Clause],
        asker: &str,
        holder: &str,
        purpose: Purpose,
        now_ms: i64,
    ) -> Self {
        let mut found = Vec::new();
        for one in agreed {
            if !(one.since_ms..one.until_ms).contains(&now_ms) {
                continue;
            }
            let clauses = one.terms.clauses.iter();
            let covers = clauses.filter(|clause| clause.covers(asker, holder, purpose));
            found.extend(covers.map(|clause| Covering { agreement: Some(&one.terms), clause }));
        }
        let covers = common.iter().filter(|clause| clause.covers(asker, holder, purpose));
        found.extend(covers.map(|clause| Covering { agreement: None, clause }));
        Self(found)
    }

    /// Whether nothing is covered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The clauses.
    pub fn clauses(&self) -> &[Covering<'a>] {
        &self.0
    }

    /// Whether one resource is covered; each clause that covers it is added to `used` by its place
    /// in [`Cover::clauses`].
    pub fn holds(&self, item: &Item, used: &mut BTreeSet<usize>) -> bool {
        let mut any = false;
        for (number, covering) in self.0.iter().enumerate() {
            if covering.clause.holds(item) {
                used.insert(number);
                any = true;
            }
        }
        any
    }

    /// What the clauses of `used` ask of the receiver, each once, with the title of the agreement
    /// that asks for it.
    pub fn obligations(&self, used: &BTreeSet<usize>) -> Vec<(Obligation, &'a str)> {
        let clauses = used.iter().filter_map(|number| self.0.get(*number));
        let mut found: Vec<(Obligation, &str)> = Vec::new();
        for covering in clauses {
            for obligation in &covering.clause.obligations {
                if !found.iter().any(|(known, _)| known == obligation) {
                    let title = covering.agreement.map_or("", |terms| &*terms.title);
                    found.push((*obligation, title));
                }
            }
        }
        found
    }
}

/// The founding agreement of a network: treatment, and what patients ask for themselves, among all
/// members and for all data. What the patient's consent withholds stays withheld.
pub fn common() -> Vec<Clause> {
    vec![Clause {
        asks: Vec::new(),
        answers: Vec::new(),
        purposes: vec![Purpose::PATRQT, Purpose::TREAT],
        classes: vec![Class::all()],
        ceiling: Confidentiality::VeryRestricted,
        topics: Vec::new(),
        obligations: Vec::new(),
    }]
}
