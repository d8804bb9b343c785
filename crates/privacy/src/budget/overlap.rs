//! Sums beside earlier sums: differencing, trackers and chains of them.
//!
//! A group that is shown is a sum over rows. It is kept as one number for each of its people, the sum of
//! random marks of their rows ([`Marks`]). Numbers of groups are added and subtracted like the groups: a
//! combination of groups in which somebody's rows cancel out has nothing in their place. So a further
//! group is refused where it, less some combination of the earlier ones, is about fewer people than may
//! be shown: that is the difference of two questions, every tracker (Denning, Denning, Schwartz
//! 1979) and every other way to compute it, the audit of sums by Chin and Özsoyoğlu 1982.
//!
//! To find such a combination is to decode: the further group is a word with few errors of the code
//! that the earlier ones span. It is done as by Prange 1962: where the values of as many people as
//! there are groups are taken for right, the combination follows, and it is the one that is looked for if
//! none of the few is among them. That is tried with people chosen at random, until whichever few there may be
//! are in none of at least 32 choices. Where that would be too often, since much was told of
//! few people already, the group is not shown.
//!
//! A group that is a combination of earlier ones says nothing new and is shown: the same question
//! gets the same answer for as long as the rows are the same, and averages nothing away.
//!
//! People are kept in 2^14 places by their number. Those who share a place count as one person, never
//! the other way round.

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};

use super::field::{inverse, less, reduce};

/// Places of people.
const PLACES: u64 = 1 << 14;
/// Groups that do not follow from each other, at most, that are looked at together.
pub const MOST_GROUPS: usize = 512;
/// Choices of people that are tried at least.
const LEAST_TRIALS: usize = 64;
/// The most choices that are tried.
const MOST_TRIALS: usize = 1 << 14;
/// So many choices are to be without the few, whoever they are. They are drawn at random, and who the few
/// are does not depend on them: that all of so many are with one of them is less likely than once in a million
/// millions, also if those taken for the worst are so only half as often.
const ENOUGH: usize = 32;
/// Numbers that all choices together may need.
const MOST_NUMBERS: usize = 1 << 24;
/// Bytes of a place and its number.
const BYTES: usize = 10;

/// What a group is about: for each place with people of it the sum of the marks of their rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<u16, u64>);

impl Marks {
    /// Of the people of a group by their numbers, each with the sum of the marks of their rows.
    #[must_use]
    pub fn of(people: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut out: BTreeMap<u16, u64> = BTreeMap::new();
        for (person, mark) in people {
            let place = u16::try_from(person % PLACES).unwrap_or_default();
            let value = out.entry(place).or_default();
            *value = reduce(*value + reduce(mark));
        }
        out.retain(|_, value| *value != 0);
        Self(out)
    }

    /// As it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let each = |(place, value): (&u16, &u64)| {
            place.to_le_bytes().into_iter().chain(value.to_le_bytes()).collect::<Vec<u8>>()
        };
        self.0.iter().flat_map(each).collect()
    }

    /// As it was kept; `None` where that is not what it says.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut out = BTreeMap::new();
        let (each, rest) = bytes.as_chunks::<BYTES>();
        for one in each {
            let (place, value) = one.split_first_chunk::<2>()?;
            let value = u64::from_le_bytes(*value.first_chunk::<8>()?);
            out.insert(u16::from_le_bytes(*place), reduce(value));
        }
        (rest.is_empty() && out.len() == each.len()).then_some(Self(out))
    }
}

/// What comes of a further group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It follows from the earlier ones: it may be shown, and nothing is to be kept of it.
    Known,
    /// It may be shown, and counts among the earlier ones from now on.
    Shown,
    /// With earlier ones, or alone, it would show too few people.
    Few,
    /// It cannot be looked at beside as many as there are.
    TooMany,
}

/// The groups that were shown, and what may be shown beside them.
#[derive(Debug)]
pub struct Beside {
    least: usize,
    /// The place in `people` of each place of [`Marks`].
    known: BTreeMap<u16, usize>,
    /// What each has of each group.
    people: Vec<Vec<(usize, u64)>>,
    /// The groups, none of which follows from the others.
    groups: Vec<Vec<(usize, u64)>>,
    choices: Vec<Choice>,
}

impl Beside {
    /// Nothing was shown yet. `least` is the fewest people that may be shown.
    #[must_use]
    pub fn new(least: u32) -> Self {
        Self {
            least: (least as usize).max(1),
            known: BTreeMap::new(),
            people: Vec::new(),
            groups: Vec::new(),
            choices: Vec::new(),
        }
    }

    /// How many groups were shown that do not follow from each other.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Counts a group among the earlier ones that was shown, whatever would come of it now. Follows it
    /// from the others, it is left out; so it is where there are too many to look at, after which nothing new
    /// is shown.
    pub fn was_shown(&mut self, group: &Marks) {
        if self.groups.len() > MOST_GROUPS {
            return;
        }
        let values = self.placed(group);
        self.try_up_to(1);
        let Some(tried) = self.choices.first().map(|one| self.tried(one, &values)) else { return };
        if tried.1.iter().any(|value| *value != 0) {
            self.keep(values, vec![tried]);
        }
    }

    /// Whether a group may be shown. Where it may, it counts among the earlier ones.
    pub fn show(&mut self, group: &Marks) -> Ruling {
        let values = self.placed(group);
        if values.len() < self.least {
            return Ruling::Few;
        }
        let (people, groups) = (self.people.len(), self.groups.len());
        // A code as large as that has words of few places (Singleton 1964).
        if people < groups + self.least {
            let follows = self.follows(&values);
            return if follows { Ruling::Known } else { Ruling::Few };
        }
        // Whoever the few are, enough choices have to be without them. They are near the group: what is left
        // elsewhere would be a combination of earlier groups alone, which is about enough people.
        let near = self.near(&values);
        let most = (MOST_NUMBERS / (groups * groups).max(256)).min(MOST_TRIALS);
        let mut trials = LEAST_TRIALS;
        loop {
            if trials > most || groups >= MOST_GROUPS {
                return if self.follows(&values) { Ruling::Known } else { Ruling::TooMany };
            }
            self.try_up_to(trials);
            if self.without_any_few(&near, trials) >= ENOUGH {
                break;
            }
            trials *= 2;
        }
        let mut found = Vec::with_capacity(trials);
        for choice in self.choices.iter().take(trials) {
            let (solved, rest) = self.tried(choice, &values);
            match rest.iter().filter(|value| **value != 0).count() {
                0 => return Ruling::Known,
                few if few < self.least => return Ruling::Few,
                // Of whoever is right in no other way there is something left to tell this group by.
                _ => found.push((solved, rest)),
            }
        }
        self.keep(values, found);
        Ruling::Shown
    }

    /// Who is in a group, or in one with somebody of it, and so on.
    fn near(&self, values: &[(usize, u64)]) -> Vec<bool> {
        let (mut near, mut seen) = (vec![false; self.people.len()], vec![false; self.groups.len()]);
        let mut waiting: Vec<usize> = values.iter().map(|(place, _)| *place).collect();
        while let Some(person) = waiting.pop() {
            let Some(is_near) = near.get_mut(person).filter(|near| !**near) else { continue };
            *is_near = true;
            for (group, _) in self.people.get(person).into_iter().flatten() {
                if let Some(seen) = seen.get_mut(*group).filter(|seen| !**seen) {
                    *seen = true;
                    let of = self.groups.get(*group).into_iter().flatten();
                    waiting.extend(of.map(|(person, _)| *person));
                }
            }
        }
        near
    }

    /// How many of the first choices have none of the few people who, one after the other, are in most of
    /// them.
    fn without_any_few(&self, near: &[bool], trials: usize) -> usize {
        let is_near = |person: usize| near.get(person).is_some_and(|near| *near);
        let mut left: Vec<&Choice> = self.choices.iter().take(trials).collect();
        for _ in 1..self.least {
            let mut times = vec![0_usize; self.people.len()];
            for row in left.iter().flat_map(|choice| &choice.rows).filter(|r| is_near(r.person)) {
                if let Some(times) = times.get_mut(row.person) {
                    *times += 1;
                }
            }
            let most = times.iter().enumerate().max_by_key(|(_, times)| **times);
            let Some((person, _)) = most.filter(|(_, times)| **times > 0) else { break };
            left.retain(|choice| choice.rows.iter().all(|row| row.person != person));
        }
        left.len()
    }

    /// Forgets the groups beyond the first ones, which were counted last.
    pub fn forget_beyond(&mut self, groups: usize) {
        self.groups.truncate(groups);
        for person in &mut self.people {
            person.retain(|(group, _)| *group < groups);
        }
        self.choices.clear();
    }

    /// Gives memory back that is needed again only when a further group is looked at.
    pub fn rest(&mut self) {
        self.choices.truncate(1);
    }

    /// Whether a group is a combination of those that were shown.
    fn follows(&mut self, values: &[(usize, u64)]) -> bool {
        self.try_up_to(1);
        let choice = self.choices.first();
        choice.is_some_and(|choice| self.tried(choice, values).1.iter().all(|value| *value == 0))
    }

    /// A group by the places of `people`.
    fn placed(&mut self, group: &Marks) -> Vec<(usize, u64)> {
        let mut place = |place: &u16| {
            *self.known.entry(*place).or_insert_with(|| {
                self.people.push(Vec::new());
                self.people.len() - 1
            })
        };
        group.0.iter().map(|(at, value)| (place(at), *value)).collect()
    }

    fn try_up_to(&mut self, trials: usize) {
        while self.choices.len() < trials {
            self.choices.push(Choice::new(&self.people, &self.groups));
        }
    }

    /// What a choice says of a group: a step of its solution, and what is left of the group without the
    /// combination.
    fn tried(&self, choice: &Choice, values: &[(usize, u64)]) -> Tried {
        let mut rest = vec![0; self.people.len()];
        for (place, value) in values {
            put(&mut rest, *place, *value);
        }
        let (solved, factors) = choice.solve(&rest);
        for (factor, group) in factors.iter().zip(&self.groups).filter(|(factor, _)| **factor != 0)
        {
            for (place, value) in group {
                let before = rest.get(*place).copied().unwrap_or_default();
                put(&mut rest, *place, less(before, *factor, *value));
            }
        }
        (solved, rest)
    }

    /// Counts a group among the earlier ones. Choices that were tried with it grow by somebody, others
    /// are made anew when they are needed.
    fn keep(&mut self, values: Vec<(usize, u64)>, tried: Vec<Tried>) {
        let group = self.groups.len();
        for (place, value) in &values {
            if let Some(person) = self.people.get_mut(*place) {
                person.push((group, *value));
            }
        }
        self.groups.push(values);
        self.choices.truncate(tried.len());
        for (choice, (solved, rest)) in self.choices.iter_mut().zip(tried) {
            let left: Vec<usize> =
                rest.iter().enumerate().filter(|(_, v)| **v != 0).map(|(place, _)| place).collect();
            let Some(person) = left.choose(&mut rand::rng()) else { continue };
            choice.grow(&solved);
            choice.take(*person, self.people.get(*person).map_or(&[], Vec::as_slice));
        }
    }
}

/// What a choice says of a group: [`Choice::solve`]'s first, and what is left of the group.
type Tried = (Vec<u64>, Vec<u64>);

fn put(values: &mut [u64], place: usize, value: u64) {
    if let Some(at) = values.get_mut(place) {
        *at = value;
    }
}

/// As many people as there are groups, by whose values a combination is determined: the equations, as a
/// product of two triangles.
#[derive(Debug, Default)]
struct Choice {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    person: usize,
    /// The group that this row determines.
    pivot: usize,
    /// The inverse of its number there.
    inverse: u64,
    /// What was subtracted of each row before.
    lower: Vec<u64>,
    /// What is left, by group.
    upper: Vec<u64>,
}

impl Choice {
    /// Somebody for each group, at random.
    fn new(people: &[Vec<(usize, u64)>], groups: &[Vec<(usize, u64)>]) -> Self {
        let mut rng = rand::rng();
        let mut choice = Self { rows: Vec::with_capacity(groups.len()) };
        let mut open: Vec<usize> = (0..groups.len()).collect();
        open.shuffle(&mut rng);
        // Of the people of a group that is still open, one is most likely to determine it or another.
        let mut failures = 0;
        while let Some(group) = open.last().copied().filter(|_| failures < 64) {
            let one = groups.get(group).and_then(|of| of.choose(&mut rng)).map_or(0, |one| one.0);
            match choice.take_up(
                one,
                people.get(one).map_or(&[], Vec::as_slice),
                groups.len(),
                group,
            ) {
                Some(pivot) => {
                    open.retain(|one| *one != pivot);
                    failures = 0;
                }
                None => failures += 1,
            }
        }
        if !open.is_empty() {
            let mut all: Vec<usize> = (0..people.len()).collect();
            all.shuffle(&mut rng);
            for one in all {
                if choice.rows.len() == groups.len() {
                    break;
                }
                choice.take_up(one, people.get(one).map_or(&[], Vec::as_slice), groups.len(), 0);
            }
        }
        choice
    }

    /// Takes somebody up whose values do not follow from those of the others; says which group they
    /// determine, `first` where they can.
    fn take_up(
        &mut self,
        person: usize,
        values: &[(usize, u64)],
        groups: usize,
        first: usize,
    ) -> Option<usize> {
        let mut upper = vec![0; groups];
        for (group, value) in values {
            put(&mut upper, *group, *value);
        }
        let mut lower = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let of = upper.get(row.pivot).copied().unwrap_or_default();
            let factor = super::field::times(of, row.inverse);
            if factor != 0 {
                for (cell, from) in upper.iter_mut().zip(&row.upper).filter(|(_, from)| **from != 0)
                {
                    *cell = less(*cell, factor, *from);
                }
            }
            lower.push(factor);
        }
        let is_there = |group: usize| upper.get(group).is_some_and(|value| *value != 0);
        let pivot = if is_there(first) { first } else { (0..groups).find(|at| is_there(*at))? };
        let inverse = inverse(upper.get(pivot).copied().unwrap_or_default());
        self.rows.push(Row { person, pivot, inverse, lower, upper });
        Some(pivot)
    }

    /// The values of the chosen people, without what those before determine; and the combination of groups
    /// that has their values.
    fn solve(&self, values: &[u64]) -> (Vec<u64>, Vec<u64>) {
        let mut solved: Vec<u64> = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let value = values.get(row.person).copied().unwrap_or_default();
            let of = row.lower.iter().zip(&solved).filter(|(factor, _)| **factor != 0);
            solved.push(of.fold(value, |value, (factor, before)| less(value, *factor, *before)));
        }
        let mut factors = vec![0; self.rows.len()];
        for (row, value) in self.rows.iter().zip(&solved).rev() {
            // Of its own group there is nothing yet, of those before it has nothing.
            let of = row.upper.iter().zip(&factors).filter(|(_, factor)| **factor != 0);
            let value = of.fold(*value, |value, (cell, factor)| less(value, *cell, *factor));
            put(&mut factors, row.pivot, super::field::times(value, row.inverse));
        }
        (solved, factors)
    }

    /// A further group, of which each row has what [`Choice::solve`] left of its values.
    fn grow(&mut self, solved: &[u64]) {
        for (row, value) in self.rows.iter_mut().zip(solved) {
            row.upper.push(*value);
        }
    }

    /// Takes up whoever determines the last group.
    fn take(&mut self, person: usize, values: &[(usize, u64)]) {
        let groups = self.rows.len() + 1;
        self.take_up(person, values, groups, groups - 1);
    }
}
