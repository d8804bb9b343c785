//! A round of a program as everybody who takes part sees it, and the vector that a site gives for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use statistics::{Entry, Layout, Round};

use crate::limits::{GREATEST_EXPONENT, MOST_ENTRIES, MOST_NAME, MOST_NUMBERS, MOST_STATE};
use crate::program::is_word;
use crate::refused::Refused;
use crate::terms::Terms;
use crate::world::RawRound;

/// The entry that the host puts before those of the program: how many rows the site has. No program
/// can say otherwise, so the least number of rows of a project holds whatever the program does.
pub(crate) const ROWS: &str = "rows";
/// The greatest count of one site.
const GREATEST_COUNT: f64 = 4_294_967_295.0;

/// A round of a program, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// The program's own state.
    pub state: Vec<u8>,
    /// The vector of one call.
    pub entries: Vec<Entry>,
}

/// It as it stands in [`Round::state`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Base64url without padding.
    state: String,
    entries: Vec<Entry>,
}

impl Asked {
    /// Checks what a program asks for.
    pub fn check(raw: RawRound) -> Result<Self, Refused> {
        let mut entries = Vec::with_capacity(raw.layout.len().min(MOST_ENTRIES));
        for entry in raw.layout {
            let length = usize::try_from(entry.length).map_err(|_| Refused::Layout)?;
            let entry =
                Entry { name: entry.name, length, is_count: entry.is_count, bound: entry.bound };
            entries.push(entry);
        }
        let asked = Self { state: raw.state, entries };
        if asked.is_permitted() { Ok(asked) } else { Err(Refused::Layout) }
    }

    /// Reads the state of a round. A site that has run `next` itself compares the whole round; this
    /// keeps what it is given within the limits in any case.
    pub fn read(round: &Round) -> Result<Self, Refused> {
        let written = Written::deserialize(&round.state).map_err(|_| Refused::Round)?;
        let state = URL_SAFE_NO_PAD.decode(&written.state).map_err(|_| Refused::Round)?;
        let asked = Self { state, entries: written.entries };
        if asked.is_permitted() { Ok(asked) } else { Err(Refused::Round) }
    }

    /// The round as it is asked.
    pub fn round(&self, number: u32, terms: &Terms) -> Result<Round, Refused> {
        let state = URL_SAFE_NO_PAD.encode(&self.state);
        let written = Written { state, entries: self.entries.clone() };
        let state = serde_json::to_value(&written).map_err(|_| Refused::Layout)?;
        Ok(Round { number, state, layout: self.layout(terms)? })
    }

    /// The vector of a site: its rows, and what its calls give together.
    pub fn layout(&self, terms: &Terms) -> Result<Layout, Refused> {
        let calls = f64::from(terms.most_calls());
        let mut layout = Layout::default().and_counts(ROWS, 1, terms.most_rows);
        for entry in &self.entries {
            let bound = entry.bound * calls;
            if !terms.declares(entry, bound) {
                return Err(Refused::Undeclared);
            }
            if entry.is_count {
                if bound > GREATEST_COUNT {
                    return Err(Refused::Layout);
                }
                layout.entries.push(Entry { bound, ..entry.clone() });
            } else {
                layout = layout.and(entry.name.clone(), entry.length, bound);
            }
        }
        Ok(layout)
    }

    /// How many numbers one call gives.
    pub fn numbers(&self) -> usize {
        self.entries.iter().map(|entry| entry.length).sum()
    }

    /// Checks the vector of one call.
    ///
    /// # Errors
    /// [`Refused::Length`], [`Refused::Bounds`]. Nothing is clipped: a number beyond its bound is a
    /// fault of the program, and a clipped one would be an answer to another question.
    pub fn check_vector(&self, values: &[f64]) -> Result<(), Refused> {
        if values.len() != self.numbers() {
            return Err(Refused::Length);
        }
        let mut rest = values.iter();
        for entry in &self.entries {
            let fits = |value: &f64| {
                let is_count = value.fract() == 0.0 && *value >= 0.0;
                // NaN is not within any bound.
                value.abs() <= entry.bound && (is_count || !entry.is_count)
            };
            if !rest.by_ref().take(entry.length).all(fits) {
                return Err(Refused::Bounds);
            }
        }
        Ok(())
    }

    fn is_permitted(&self) -> bool {
        let numbers = self.entries.iter().try_fold(0_usize, |sum, one| sum.checked_add(one.length));
        let greatest = 2_f64.powi(GREATEST_EXPONENT);
        let is_fine = |entry: &Entry| {
            is_word(&entry.name, MOST_NAME)
                && entry.name != ROWS
                && entry.length > 0
                && (1.0 / greatest..=greatest).contains(&entry.bound)
                && (!entry.is_count
                    || (entry.bound.fract() == 0.0
                        && (1.0..=GREATEST_COUNT).contains(&entry.bound)))
        };
        self.state.len() <= MOST_STATE
            && (1..=MOST_ENTRIES).contains(&self.entries.len())
            && numbers.is_some_and(|numbers| numbers <= MOST_NUMBERS)
            && self.entries.iter().all(is_fine)
    }
}

/// How much the vector of a site can change when one of its rows is another, for each number of the
/// round's vector: twice the bound of one call, or the bound of a count; nothing for the number of
/// rows. That holds for every program, as one row goes to one call and every call's vector is checked;
/// noise that is to hide a row is measured by it. Without blocks one call sees all rows, and the
/// figure is as large as the sum itself.
///
/// # Errors
/// [`Refused::Round`] if the round is none of a program.
pub fn sensitivity(round: &Round) -> Result<Vec<f64>, Refused> {
    let asked = Asked::read(round)?;
    let mut out = vec![0.0];
    for entry in &asked.entries {
        let most = if entry.is_count { entry.bound } else { 2.0 * entry.bound };
        out.extend(std::iter::repeat_n(most, entry.length));
    }
    Ok(out)
}
