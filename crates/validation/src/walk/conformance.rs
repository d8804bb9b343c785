//! What `conformsTo` is answered in rules: whether something fulfils a profile that is known.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use fhirpath::{Codes, Node, Profiles};

use super::{Findings, Run};
use crate::place::Place;
use crate::validator::{Options, Validator};

/// How deep rules may lead from one profile into another by `conformsTo`.
const MAX_DEPTH: usize = 4;
/// How often one validation answers `conformsTo`.
const MAX_ASKED: usize = 1_000;

/// Answers for one validation.
pub(crate) struct Conformance<'a> {
    pub validator: &'a Validator,
    pub codes: &'a dyn Codes,
    pub options: Options<'a>,
    pub known: &'a HashMap<String, Node<'a>>,
    /// How deep the rule that asks is itself an answer.
    pub depth: usize,
    /// How often was asked, over all depths.
    pub asked: &'a AtomicUsize,
}

impl std::fmt::Debug for Conformance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conformance").field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl Profiles for Conformance<'_> {
    fn conforms(&self, node: Node<'_>, profile: &str) -> Option<bool> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.depth >= MAX_DEPTH || asked >= MAX_ASKED {
            return None;
        }
        let profile = self.validator.profile(profile)?;
        let deeper = Conformance { depth: self.depth + 1, ..*self };
        let run = Run::new(&deeper);
        let frame = run.frame(node, None);
        let place = Place::root(node.type_of().name);
        let mut quiet = Findings::quiet();
        run.fulfils(&frame, profile, node, &place, &mut quiet);
        Some(!quiet.failed)
    }
}
