//! Comparing two persons field by field. A field that one side lacks is no evidence.

mod contact;
mod date;
mod identifier;
mod name;

use crate::field::Level;
use crate::model::Model;
use crate::person::{Death, MultipleBirth, Person};

/// What a field showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Observation {
    pub(crate) level: Level,
    /// log2 of how common the shared value is, where known; it takes the place of `u`.
    pub(crate) log_share: Option<f64>,
}

impl Observation {
    pub(crate) fn of(level: Level) -> Self {
        Self { level, log_share: None }
    }
}

/// Compares all fields of two persons; at most one observation for each field, in the order of
/// the fields. The result is the same whichever person comes first.
pub(crate) fn observe(a: &Person, b: &Person, model: &Model) -> Vec<Observation> {
    let mut seen = Vec::with_capacity(16);
    name::compare(a, b, model, &mut seen);
    let levels = [
        suffix(a, b),
        both(a.birth_date, b.birth_date).map(|(a, b)| date::compare(a, b)),
        both(a.gender, b.gender)
            .map(|(a, b)| if a == b { Level::GenderExact } else { Level::GenderDifferent }),
        identifier::ssn(&a.ssns, &b.ssns),
        identifier::national(&a.identifiers, &b.identifiers),
        identifier::licence(&a.identifiers, &b.identifiers),
        identifier::passport(&a.identifiers, &b.identifiers),
        identifier::mrn(&a.identifiers, &b.identifiers),
        identifier::other(&a.identifiers, &b.identifiers),
        contact::phones(&a.phones, &b.phones),
        contact::emails(&a.emails, &b.emails),
        contact::addresses(&a.addresses, &b.addresses),
        both(a.mother.as_deref(), b.mother.as_deref()).map(|(a, b)| name::mother(a, b)),
        both(a.multiple_birth, b.multiple_birth).and_then(|(a, b)| multiple_birth(a, b)),
        both(a.death, b.death).and_then(|(a, b)| death(a, b)),
    ];
    seen.extend(levels.into_iter().flatten().map(Observation::of));
    seen
}

fn both<T>(a: Option<T>, b: Option<T>) -> Option<(T, T)> {
    a.zip(b)
}

fn suffix(a: &Person, b: &Person) -> Option<Level> {
    match (a.generation, b.generation) {
        (None, None) => None,
        (Some(a), Some(b)) if a == b => Some(Level::SuffixExact),
        (Some(_), Some(_)) => Some(Level::SuffixDifferent),
        _ => Some(Level::SuffixOneSided),
    }
}

fn multiple_birth(a: MultipleBirth, b: MultipleBirth) -> Option<Level> {
    use MultipleBirth::{Order, Several, Single};
    match (a, b) {
        (Single, Single) => None,
        (Order(a), Order(b)) if a == b => Some(Level::MultipleBirthOrder),
        (Order(_), Order(_)) => Some(Level::MultipleBirthOrderDiffers),
        (Order(_) | Several, Order(_) | Several) => Some(Level::MultipleBirthBoth),
        _ => Some(Level::MultipleBirthOneSided),
    }
}

fn death(a: Death, b: Death) -> Option<Level> {
    use Death::{Alive, Dead, On};
    match (a, b) {
        (Alive, Alive) => None,
        (On(a), On(b)) => Some(match date::compare(a, b) {
            Level::BirthDateSameYear | Level::BirthDateDifferent => Level::DeceasedDateDiffers,
            Level::BirthDateExact | Level::BirthDateDefaultDay => Level::DeceasedDate,
            _ => Level::DeceasedBoth,
        }),
        (On(_) | Dead, On(_) | Dead) => Some(Level::DeceasedBoth),
        _ => Some(Level::DeceasedOneSided),
    }
}
