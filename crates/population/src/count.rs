//! Counting a cohort: who is left after every step.
//!
//! Block by block. Of every criterion the lists of holders tell at once who surely meets it and who possibly
//! does; only those between are looked at one by one. Blocks are independent, so threads share them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::bits::Bits;
use crate::block::{Block, NO_ENCOUNTER};
use crate::criteria::{Cohort, CriteriaError, Occurs, Pick};
use crate::day::{Span, When};
use crate::index::Index;
use crate::meets::{Anchor, Candidate, Referred};
use crate::plan::{Filter, Node, Plan, sex_bit};

/// Threads that one count takes at most.
pub const MAX_THREADS: usize = 16;
/// It is asked whether to go on at every block, and after so many index events that were looked at.
const LOOKS: u32 = 16;

/// How a cohort is counted.
#[derive(Clone, Copy, Debug)]
pub struct Counting<'a> {
    /// The day of the question, which is the index date of a cohort without an index event.
    pub day: When,
    /// Threads to use, from 1 to [`MAX_THREADS`].
    pub threads: usize,
    /// People who are not to be counted, by key.
    pub without: &'a BTreeSet<u64>,
}

/// People left after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The step's label.
    pub label: String,
    /// People.
    pub people: u64,
}

/// The answer: exact numbers, which do not leave an institution as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attrition {
    /// People of the institution who may be counted.
    pub people: u64,
    /// Those of them with an index event, where one is asked for.
    pub entered: Option<u64>,
    /// Those left after each step, in order.
    pub steps: Vec<Left>,
    /// Keys of those who meet everything, block by block.
    members: Vec<u64>,
}

impl Attrition {
    /// People who meet everything.
    pub fn total(&self) -> u64 {
        self.members.len() as u64
    }

    /// Their keys.
    pub fn members(&self) -> &[u64] {
        &self.members
    }
}

/// What counting does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// The cohort is not right.
    #[error(transparent)]
    Criteria(#[from] CriteriaError),
    /// The day of the question is not known.
    #[error("the day of the question must be known")]
    Day,
    /// A thread ended early; its part is missing, so there is no answer.
    #[error("a thread of the count ended early")]
    Thread,
    /// The caller said so before it was done.
    #[error("the count was stopped before it was done")]
    Stopped,
}

impl Index {
    /// Counts a cohort. Exact, and the same for every number of threads.
    pub fn count(&self, cohort: &Cohort, how: &Counting<'_>) -> Result<Attrition, CountError> {
        self.count_until(cohort, how, &|| false)
    }

    /// The same for as long as `stop` says no. Every thread asks it, at every block and after every few people.
    ///
    /// Errors: [`CountError::Stopped`] without any number where it said yes.
    pub fn count_until(
        &self,
        cohort: &Cohort,
        how: &Counting<'_>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Attrition, CountError> {
        let plan = Plan::new(cohort, &self.dictionary)?;
        let day = how.day.span().ok_or(CountError::Day)?;
        let mut out: Vec<Vec<usize>> = vec![Vec::new(); self.blocks.len()];
        for (block, place) in how.without.iter().filter_map(|key| self.place(*key)) {
            if let Some(out) = out.get_mut(block) {
                out.push(place);
            }
        }
        let search = Search { index: self, plan: &plan, day, out: &out, stop };
        let threads = how.threads.clamp(1, MAX_THREADS).min(self.blocks.len().max(1));
        let next = AtomicUsize::new(0);
        let work = || search.take(&next);
        let mut parts = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut parts = work()?;
            for other in others {
                parts.extend(other.join().map_err(|_| CountError::Thread)??);
            }
            Ok::<_, CountError>(parts)
        })?;
        parts.sort_unstable_by_key(|part| part.block);
        let mut answer = Attrition {
            people: parts.iter().map(|part| part.people).sum(),
            entered: plan.index.is_some().then(|| parts.iter().map(|part| part.entered).sum()),
            steps: Vec::with_capacity(cohort.steps.len()),
            members: Vec::with_capacity(parts.iter().map(|part| part.members.len()).sum()),
        };
        for (at, step) in cohort.steps.iter().enumerate() {
            let people = parts.iter().filter_map(|part| part.left.get(at)).sum();
            answer.steps.push(Left { label: step.label.clone(), people });
        }
        parts.iter().for_each(|part| answer.members.extend_from_slice(&part.members));
        Ok(answer)
    }
}

struct Search<'a> {
    index: &'a Index,
    plan: &'a Plan,
    day: Span,
    out: &'a [Vec<usize>],
    stop: &'a (dyn Fn() -> bool + Sync),
}

/// Asks now and then whether to go on.
struct Patience<'a> {
    stop: &'a (dyn Fn() -> bool + Sync),
    left: u32,
}

impl Patience<'_> {
    fn look(&mut self) -> Result<(), CountError> {
        if self.left == 0 {
            if (self.stop)() {
                return Err(CountError::Stopped);
            }
            self.left = LOOKS;
        }
        self.left -= 1;
        Ok(())
    }
}

/// What one block gives.
struct Part {
    block: usize,
    people: u64,
    entered: u64,
    left: Vec<u64>,
    members: Vec<u64>,
}

/// The index events of everybody in a block that still may do; a person's stand together.
struct Anchors {
    all: Vec<Anchor>,
    /// First and end, by person; nothing where the day of the question stands for everybody.
    ranges: Vec<(u32, u32)>,
}

/// Who surely and who possibly meets a criterion.
struct Bounds {
    surely: Bits,
    possibly: Bits,
}

impl Search<'_> {
    fn take(&self, next: &AtomicUsize) -> Result<Vec<Part>, CountError> {
        let mut parts = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            match self.index.blocks.get(at) {
                Some(block) => parts.push(self.block(at, block)?),
                None => return Ok(parts),
            }
        }
    }

    fn block(&self, at: usize, block: &Block) -> Result<Part, CountError> {
        let mut patience = Patience { stop: self.stop, left: 0 };
        patience.look()?;
        let mut left = block.present.clone();
        for place in self.out.get(at).into_iter().flatten() {
            left.remove(*place);
        }
        let people = left.count();
        let mut anchors = self.enter(block, &mut left, &mut patience)?;
        let entered = left.count();
        let mut steps = Vec::with_capacity(self.plan.steps.len());
        for node in &self.plan.steps {
            if !left.is_empty() {
                self.step(block, node, &mut left, &mut anchors, &mut patience)?;
            }
            steps.push(left.count());
        }
        let members = left.iter().map(|person| block.keys[person]).collect();
        Ok(Part { block: at, people, entered, left: steps, members })
    }

    fn candidate<'a>(&'a self, block: &'a Block, person: usize) -> Candidate<'a> {
        Candidate { plan: self.plan, dictionary: &self.index.dictionary, block, person }
    }

    /// Leaves those with an index event.
    fn enter(
        &self,
        block: &Block,
        left: &mut Bits,
        patience: &mut Patience<'_>,
    ) -> Result<Anchors, CountError> {
        let day = Anchor { span: self.day, encounter: NO_ENCOUNTER };
        let Some((filter, pick)) = &self.plan.index else {
            return Ok(Anchors { all: vec![day], ranges: Vec::new() });
        };
        let today = Referred::new(day);
        left.and(&holders(block, filter));
        let mut anchors = Anchors { all: Vec::new(), ranges: vec![(0, 0); block.len()] };
        let mut without = Bits::none(block.len());
        for person in left.iter() {
            patience.look()?;
            let candidate = self.candidate(block, person);
            let start = anchors.all.len();
            match pick {
                Pick::Any => candidate.every(filter, &mut anchors.all),
                first_or_last => {
                    let last = *first_or_last == Pick::Last;
                    anchors.all.extend(candidate.pick(filter, last, &[], &today));
                }
            }
            anchors.ranges[person] = (start as u32, anchors.all.len() as u32);
            if anchors.all.len() == start {
                without.insert(person);
            }
        }
        left.minus(&without);
        Ok(anchors)
    }

    fn step(
        &self,
        block: &Block,
        node: &Node,
        left: &mut Bits,
        anchors: &mut Anchors,
        patience: &mut Patience<'_>,
    ) -> Result<(), CountError> {
        let bounds = self.bounds(block, node);
        left.and(&bounds.possibly);
        let mut open = left.clone();
        open.minus(&bounds.surely);
        let names = node.names();
        let mut referred = Referred::new(Anchor { span: self.day, encounter: NO_ENCOUNTER });
        for person in open.iter() {
            let candidate = self.candidate(block, person);
            let stays = if anchors.ranges.is_empty() {
                patience.look()?;
                candidate.refer(anchors.all[0], names, &mut referred);
                candidate.meets(node, &referred)
            } else {
                let (start, end) = anchors.ranges[person];
                let mut kept = start;
                for at in start..end {
                    patience.look()?;
                    let anchor = anchors.all[at as usize];
                    candidate.refer(anchor, names, &mut referred);
                    if candidate.meets(node, &referred) {
                        anchors.all[kept as usize] = anchor;
                        kept += 1;
                    }
                }
                anchors.ranges[person] = (start, kept);
                kept > start
            };
            if !stays {
                left.remove(person);
            }
        }
        Ok(())
    }

    /// Without looking at the events of anybody. Both bounds hold for every index event of a person.
    fn bounds(&self, block: &Block, node: &Node) -> Bounds {
        let len = block.len();
        let unknown = || Bounds { surely: Bits::none(len), possibly: Bits::all(len) };
        let all_of = |inner: &[Node]| {
            let mut all = Bounds { surely: Bits::all(len), possibly: Bits::all(len) };
            for one in inner.iter().map(|node| self.bounds(block, node)) {
                all.surely.and(&one.surely);
                all.possibly.and(&one.possibly);
            }
            all
        };
        let any_of = |inner: &[Node]| {
            let mut any = Bounds { surely: Bits::none(len), possibly: Bits::none(len) };
            for one in inner.iter().map(|node| self.bounds(block, node)) {
                any.surely.or(&one.surely);
                any.possibly.or(&one.possibly);
            }
            any
        };
        match node {
            Node::All(inner) => all_of(inner),
            Node::Any(inner) => any_of(inner),
            Node::None(inner) => any_of(inner).negated(),
            Node::Age(..) | Node::Alive => unknown(),
            Node::Sex(mask) => {
                let mut exact = Bits::none(len);
                for (at, person) in block.people.iter().enumerate() {
                    if sex_bit(person.sex) & mask != 0 {
                        exact.insert(at);
                    }
                }
                Bounds { surely: exact.clone(), possibly: exact }
            }
            Node::Event(filter, occurs, ranges) => {
                let possibly = holders(block, filter);
                let once = matches!(occurs, Occurs::Never | Occurs::AtLeast(1));
                let exact = once && ranges.is_empty() && filter.tests.is_empty();
                let surely = if exact { possibly.clone() } else { Bits::none(len) };
                let happened = Bounds { surely, possibly };
                if *occurs == Occurs::Never { happened.negated() } else { happened }
            }
        }
    }
}

impl Bounds {
    fn negated(self) -> Self {
        Self { surely: self.possibly.complement(), possibly: self.surely.complement() }
    }
}

fn holders(block: &Block, filter: &Filter) -> Bits {
    let mut people = Bits::none(block.len());
    block.holders(&filter.concepts, &mut people);
    people
}
