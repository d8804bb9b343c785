//! Comparing names: every name of one person with every name of the other, straight and with
//! given and family name exchanged; the alignment with the highest weight counts.

use super::Observation;
use crate::field::Level;
use crate::known::is_given_name;
use crate::model::Model;
use crate::name::Name;
use crate::nickname;
use crate::person::{Gender, Person};
use crate::text::{one_edit, similarity};

/// Likeness (Jaro-Winkler) from which names are called similar.
const SIMILAR: f64 = 0.88;
/// Names of up to this many bytes are too short for one letter to be a slip.
const SHORT: usize = 3;

/// One way of laying two names over each other.
#[derive(Clone, Copy, Default)]
struct Alignment {
    family: Option<Observation>,
    given: Option<Observation>,
    order: Option<Observation>,
    middle: Option<Observation>,
}

impl Alignment {
    fn observations(self) -> impl Iterator<Item = Observation> {
        [self.family, self.given, self.order, self.middle].into_iter().flatten()
    }

    fn weight(self, model: &Model) -> f64 {
        self.observations().map(|seen| model.weight(seen)).sum()
    }

    /// A number that orders alignments of equal weight, so that the choice does not depend on
    /// which came first.
    fn rank(self) -> u32 {
        self.observations().fold(0, |rank, seen| rank * 256 + seen.level as u32)
    }
}

/// Adds what the names of two persons show.
pub(crate) fn compare(a: &Person, b: &Person, model: &Model, seen: &mut Vec<Observation>) {
    let mut best: Option<(f64, Alignment)> = None;
    let mut offer = |alignment: Alignment| {
        let weight = alignment.weight(model);
        let better = best.is_none_or(|(highest, held)| {
            weight > highest || (weight == highest && alignment.rank() < held.rank())
        });
        if better {
            best = Some((weight, alignment));
        }
    };
    for x in &a.names {
        for y in &b.names {
            offer(straight(x, y, a, b, model));
            if let Some(alignment) = exchanged(x, y, model) {
                offer(alignment);
            }
        }
    }
    if let Some((_, alignment)) = best {
        seen.extend(alignment.observations());
    }
}

/// The level on which two mothers' maiden names agree.
pub(crate) fn mother(a: &str, b: &str) -> Level {
    if a == b {
        Level::MotherExact
    } else if one_edit(a, b) || similarity(a, b) >= SIMILAR {
        Level::MotherSimilar
    } else {
        Level::MotherDifferent
    }
}

fn straight(x: &Name, y: &Name, a: &Person, b: &Person, model: &Model) -> Alignment {
    let given = given(x, y, model);
    let by_middle = given.is_some_and(|seen| seen.level == Level::GivenMiddle);
    Alignment {
        family: family(x, y, a, b, model),
        given,
        order: None,
        middle: if by_middle { crossed_middle(x, y) } else { middle(x, y) },
    }
}

/// Given name against family name and the other way round; only where both agree.
fn exchanged(x: &Name, y: &Name, model: &Model) -> Option<Alignment> {
    if [&x.family, &x.given, &y.family, &y.given].iter().any(|part| part.is_empty()) {
        return None;
    }
    let near = |a: &str, b: &str| a == b || (a.len() > SHORT && b.len() > SHORT && one_edit(a, b));
    if !near(&x.family, &y.given) || !near(&x.given, &y.family) {
        return None;
    }
    let level = |a: &str, b: &str, exact, slip| if a == b { exact } else { slip };
    let family = level(&x.family, &y.given, Level::FamilyExact, Level::FamilyOneEdit);
    let given = level(&x.given, &y.family, Level::GivenExact, Level::GivenOneEdit);
    // Which of the two is the family name stays open, so the better agreement is booked as it.
    let swap = family == Level::FamilyOneEdit && given == Level::GivenExact;
    let (family, given) =
        if swap { (Level::FamilyExact, Level::GivenOneEdit) } else { (family, given) };
    let share = exchanged_share(x, y, model);
    let observed = |level: Level, exact: Level| Observation {
        level,
        log_share: (level == exact).then_some(share),
    };
    Some(Alignment {
        family: Some(observed(family, Level::FamilyExact)),
        given: Some(observed(given, Level::GivenExact)),
        order: Some(Observation::of(Level::NameOrderExchanged)),
        middle: None,
    })
}

/// log2 of the share that stands for `u` of either name, so that both together with the level
/// `exchanged` (rate r) weigh r (t + s) / ((t + r s) (s + r t)), where t and s are the shares of
/// the name read one way and the other: a record shows a name because it is right or because it
/// was exchanged.
fn exchanged_share(x: &Name, y: &Name, model: &Model) -> f64 {
    let rate = model.entry(Level::NameOrderExchanged).log_m.exp2();
    let share =
        |name: &Name| model.frequencies.family(&name.family) * model.frequencies.given(&name.given);
    let (t, s) = (share(x), share(y));
    let both = (t + rate * s) * (s + rate * t) / (t + s);
    both.log2() / 2.0
}

fn family(x: &Name, y: &Name, a: &Person, b: &Person, model: &Model) -> Option<Observation> {
    let (f, g) = (x.family.as_str(), y.family.as_str());
    if f.is_empty() || g.is_empty() {
        return None;
    }
    if f == g {
        let log_share = Some(model.frequencies.family(f).log2());
        return Some(Observation { level: Level::FamilyExact, log_share });
    }
    let level = if shares_part(f, &x.family_parts, g, &y.family_parts) {
        Level::FamilyPart
    } else if f.len().min(g.len()) > SHORT && one_edit(f, g) {
        Level::FamilyOneEdit
    } else if similarity(f, g) >= SIMILAR {
        Level::FamilySimilar
    } else if a.gender == Some(Gender::Female) && b.gender == Some(Gender::Female) {
        Level::FamilyDifferentWomen
    } else {
        Level::FamilyDifferent
    };
    Some(Observation::of(level))
}

fn given(x: &Name, y: &Name, model: &Model) -> Option<Observation> {
    let (f, g) = (x.given.as_str(), y.given.as_str());
    if f.is_empty() || g.is_empty() {
        return None;
    }
    let share = || f64::max(model.frequencies.given(f), model.frequencies.given(g)).log2();
    if f == g && !is_initial(f) {
        return Some(Observation { level: Level::GivenExact, log_share: Some(share()) });
    }
    let level = given_level(x, y, model);
    // A short form or a slip of a rare name is as rare as the name: the pair occurs by chance
    // with the share of the name times the rate of such forms. One bit is kept back for forms
    // that belong to several names.
    let log_share = matches!(level, Level::GivenNickname | Level::GivenSlip | Level::GivenOneEdit)
        .then(|| share() + model.entry(level).log_m + 1.0);
    Some(Observation { level, log_share })
}

fn given_level(x: &Name, y: &Name, model: &Model) -> Level {
    let (f, g) = (x.given.as_str(), y.given.as_str());
    if is_initial(f) || is_initial(g) {
        let fits = f.chars().next() == g.chars().next();
        return if fits { Level::GivenInitial } else { Level::GivenDifferent };
    }
    let joined = |name: &Name, other: &str| {
        // `Mary Ann` against `Maryann`.
        name.middle.first().is_some_and(|second| {
            other.strip_prefix(name.given.as_str()).is_some_and(|rest| rest == second)
        })
    };
    if nickname::related(f, g) {
        let formal = nickname::is_formal(f) && nickname::is_formal(g);
        return if formal { Level::GivenVariant } else { Level::GivenNickname };
    }
    if joined(x, g) || joined(y, f) || shares_part(f, &x.given_parts, g, &y.given_parts) {
        return Level::GivenPart;
    }
    let near = one_edit(f, g);
    if (near || similarity(f, g) >= SIMILAR) && !crosses(x, y) {
        return look_alike(f, g, near, model);
    }
    if crosses(x, y) { Level::GivenMiddle } else { Level::GivenDifferent }
}

/// Names that look alike are one name misspelt, or two names that look alike.
fn look_alike(f: &str, g: &str, near: bool, model: &Model) -> Level {
    let known = |name| is_given_name(name) || model.frequencies.is_common_given(name);
    match (known(f), known(g)) {
        (true, true) => Level::GivenDistinct,
        (false, false) if near && f.len().min(g.len()) > SHORT => Level::GivenOneEdit,
        (true, false) | (false, true) if near => Level::GivenSlip,
        _ => Level::GivenSimilar,
    }
}

/// Whether the given name of one is a further given name of the other.
fn crosses(x: &Name, y: &Name) -> bool {
    holds(&x.middle, &y.given) || holds(&y.middle, &x.given)
}

fn middle(x: &Name, y: &Name) -> Option<Observation> {
    middle_level(x.middle.first()?, y.middle.first()?).map(Observation::of)
}

/// The other half of two given names that stand in each other's place: `Emma Betty` against
/// `Betty E`. Nothing when only one side has a second given name.
fn crossed_middle(x: &Name, y: &Name) -> Option<Observation> {
    let (f, g) = (x.middle.first()?, y.middle.first()?);
    let (one, other) = (middle_level(f, &y.given)?, middle_level(g, &x.given)?);
    Some(Observation::of(one.max(other)))
}

fn middle_level(f: &str, g: &str) -> Option<Level> {
    let fits = f.chars().next()? == g.chars().next()?;
    Some(if is_initial(f) || is_initial(g) {
        if fits { Level::MiddleInitial } else { Level::MiddleDifferent }
    } else if f == g {
        Level::MiddleExact
    } else if nickname::related(f, g) || one_edit(f, g) || similarity(f, g) >= SIMILAR {
        Level::MiddleSimilar
    } else {
        Level::MiddleDifferent
    })
}

fn is_initial(name: &str) -> bool {
    name.chars().nth(1).is_none()
}

fn holds(names: &[String], name: &str) -> bool {
    let slip = |other: &str| {
        other.len() > SHORT && one_edit(other, name) && is_given_name(other) != is_given_name(name)
    };
    !is_initial(name) && names.iter().any(|other| other == name || slip(other))
}

/// Whether a part of one name is the whole or a part of the other.
fn shares_part(f: &str, f_parts: &[String], g: &str, g_parts: &[String]) -> bool {
    let is_part = |name: &str, parts: &[String]| parts.iter().any(|part| part == name);
    is_part(g, f_parts) || is_part(f, g_parts) || f_parts.iter().any(|part| is_part(part, g_parts))
}
