//! Questions that are answered with noise: which they are, how much noise there is, and what is known of
//! the cost before anything is spent.
//!
//! A project that has a budget has every question answered so. Each aggregator adds noise to its own share
//! of the sum, by itself from the signed question; the noise of one alone is enough for the ε that the
//! question states. Sites do not bind themselves to their parts, which would show the noise. A question is
//! one round, paid for at each holder before its part leaves ([`super::payment`]), and one sum at each
//! aggregator ([`super::adder`]), so there is one noise for what is paid once.

use privacy::budget::{Mechanism, expected_error_of_two};
use statistics::answer::{Law, Noise};
use statistics::{Analysis, Question, Sums};
use wire::research::{Inquiry, Privacy, Project};

use super::inquiry::Against;
use crate::catalog::MOST_ROWS;
use crate::{Error, Result};

/// The rule of what is asked with noise, and what without.
pub(super) const RULE: &str = "privacy";
/// How many add noise.
const ADDERS: u32 = 2;
/// The probability with which an error is said.
const PROBABILITY: f64 = 0.95;
/// `most_rows` of every question with noise. A site refuses a question that allows fewer rows than it has:
/// at any other number that would tell how many it has, without noise.
pub(super) const ROWS: u32 = MOST_ROWS as u32;

/// The noise that each aggregator adds to its share, where the question is answered with noise.
pub(super) fn of(inquiry: &Inquiry, question: &Question) -> Option<Mechanism> {
    let micro_epsilon = inquiry.noise?.micro_epsilon;
    let sensitivity = question.sensitivity()?;
    Some(Mechanism::DiscreteLaplace { sensitivity, micro_epsilon })
}

/// Whether a question has noise where its project has it, and none elsewhere; and whether it is one that
/// noise can be made for.
pub(super) fn allowed(
    inquiry: &Inquiry,
    question: &Question,
    project: &Project,
) -> std::result::Result<(), Against> {
    let against = |reason: String| Err(Against::new(RULE, reason));
    let (noise, of) = match (inquiry.noise, project.privacy) {
        (None, None) => return Ok(()),
        (None, Some(_)) => {
            let reason =
                "every question of the project is answered with noise; say at what `epsilon`";
            return against(reason.to_owned());
        }
        (Some(_), None) => {
            return against(
                "the project has no privacy budget to answer with noise from".to_owned(),
            );
        }
        (Some(noise), Some(of)) => (noise, of),
    };
    if question.sensitivity().is_none() {
        let kinds = Analysis::WITH_NOISE.map(|kind| format!("`{kind}`")).join(" and ");
        return against(format!(
            "noise is for questions whose one round are counts in which a row stands once: {kinds}"
        ));
    }
    if !noise.is_sound() || noise.micro_epsilon > of.micro_epsilon {
        let most = of.micro_epsilon as f64 / 1e6;
        return against(format!("`epsilon` of a question is from 0.1 to the project's {most}"));
    }
    if question.most_rows < ROWS {
        return against(format!("with noise, `most_rows` is at least {ROWS}"));
    }
    Ok(())
}

/// The question as it is asked in the project: with noise it allows as many rows as a data set has at most.
pub(super) fn fitted(question: &Question, noise: Option<Privacy>) -> Question {
    let mut question = question.clone();
    if noise.is_some() {
        question.most_rows = question.most_rows.max(ROWS);
    }
    question
}

/// Within how many of the truth a count is in 95 of 100 cases, with the noise of both aggregators.
pub(super) fn within(mechanism: &Mechanism) -> Result<u64> {
    expected_error_of_two(mechanism, PROBABILITY).map_err(|e| Error::internal(e.to_string()))
}

/// What is said of the noise beside an answer out of these sums.
pub(super) fn told(mechanism: &Mechanism, sums: &Sums) -> Result<Option<Noise>> {
    let Mechanism::DiscreteLaplace { sensitivity, micro_epsilon } = *mechanism else {
        return Ok(None);
    };
    Ok(Some(Noise {
        law: Law::DiscreteLaplace,
        micro_epsilon,
        sensitivity,
        adders: ADDERS,
        within: within(mechanism)?,
        // Whole numbers far below 2^53, as they were opened.
        released: sums.values.iter().map(|value| *value as i64).collect(),
    }))
}
