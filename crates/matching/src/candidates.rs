//! From scores to a decision: which of a site's candidates, if any, may be followed.

use crate::model::Model;
use crate::person::Person;
use crate::score::{Grade, Score};

/// A candidate with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Match<Id> {
    /// The candidate's id, as given by the caller.
    pub id: Id,
    /// How likely it is the same person, and why.
    pub score: Score,
}

/// The only candidate of one site that may be followed without a person's decision: its place in
/// `candidates`. `None` when none is certain, and also when more than one is, for then at least
/// one of them is wrong or the site holds a duplicate, and a person must look.
pub fn decide(candidates: &[Score]) -> Option<usize> {
    let mut certain = (0..).zip(candidates).filter(|(_, score)| score.grade == Grade::Certain);
    match (certain.next(), certain.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

/// Scores all candidates of one site against `query`, best first; equal ones keep the caller's
/// order. Where two or more would be certain, none is: all of them are graded possible.
/// Candidates that are certainly not the person are in the answer too, at its end.
pub fn match_patient<Id: Clone>(
    query: &Person,
    candidates: &[(Id, Person)],
    model: &Model,
) -> Vec<Match<Id>> {
    let score =
        |(id, person): &(Id, Person)| Match { id: id.clone(), score: model.compare(query, person) };
    let mut matches: Vec<Match<Id>> = candidates.iter().map(score).collect();
    matches.sort_by(|a, b| b.score.weight.total_cmp(&a.score.weight));
    let is_certain = |found: &&mut Match<Id>| found.score.grade == Grade::Certain;
    let mut certain: Vec<_> = matches.iter_mut().filter(is_certain).collect();
    if certain.len() > 1 {
        for found in &mut certain {
            found.score.grade = Grade::Possible;
        }
    }
    matches
}
