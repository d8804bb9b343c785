//! Decisions that were just made.
//!
//! A decision depends on its [`Question`] alone, so the answer to an equal question may be given
//! again without asking Cedar. The age of a second factor is part of the question: an answer
//! is found again for a second at most where there is one.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::question::{Decision, Question};

/// Decisions that are kept; when there are as many, all are dropped.
const MOST: usize = 4_096;

/// What was decided, by question.
#[derive(Debug, Default)]
pub(crate) struct Memo(Mutex<HashMap<Question, Arc<Decision>>>);

impl Memo {
    /// The decision, made by `decide` where it is not known.
    pub fn decision(
        &self,
        question: &Question,
        decide: impl FnOnce() -> Decision,
    ) -> Arc<Decision> {
        if let Some(known) = self.0.lock().get(question) {
            return known.clone();
        }
        let decision = Arc::new(decide());
        let mut known = self.0.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(*question, decision.clone());
        decision
    }
}
