//! How demographics go wrong: each hospital keeps its own imperfect copy.
//!
//! A person is registered at a hospital once, by someone in a hurry, from what the person says and
//! shows. [`register`] models that: names are mistyped or shortened, numbers are missing or
//! mistyped, addresses and telephone numbers are out of date, and every hospital writes them in its
//! own way. Most fields of most copies agree. The rates are of the order that studies of duplicate
//! records and of identity-proofing report for American hospitals; see [`Rates`].
//!
//! An error never turns one real person into another: a copy that would carry the Social Security
//! number, or the name and birth date, of somebody else in the [`Population`] is drawn anew.

mod rates;

use std::collections::BTreeSet;

use crate::chance::Chance;
use crate::demographics::{Address, Demographics};
use crate::mistype::{digit_typo, swapped, word_typo};
use crate::names::{NICKNAMES, STREET_KINDS, STREETS, TOWNS};

pub use rates::Rates;

/// Everyone who is real, so that an error cannot turn one into another.
#[derive(Clone, Debug, Default)]
pub struct Population {
    numbers: BTreeSet<String>,
    people: BTreeSet<(String, String, String)>,
}

impl Population {
    /// Adds a person.
    pub fn add(&mut self, truth: &Demographics) {
        self.numbers.extend(truth.ssn.as_deref().map(digits));
        self.people.insert(key(truth));
        if let Some(former) = &truth.former_family {
            self.people.insert(key(&Demographics { family: former.clone(), ..truth.clone() }));
        }
    }

    /// Whether `copy` of `truth` carries what identifies somebody else.
    pub fn is_somebody_else(&self, copy: &Demographics, truth: &Demographics) -> bool {
        let (number, own) = (copy.ssn.as_deref().map(digits), truth.ssn.as_deref().map(digits));
        let number = number
            .is_some_and(|number| own.as_ref() != Some(&number) && self.numbers.contains(&number));
        let person = key(copy);
        number || (person != key(truth) && !is_former(copy, truth) && self.people.contains(&person))
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn is_former(copy: &Demographics, truth: &Demographics) -> bool {
    truth.former_family.as_ref().is_some_and(|former| {
        key(copy) == key(&Demographics { family: former.clone(), ..truth.clone() })
    })
}

fn key(person: &Demographics) -> (String, String, String) {
    let plain = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    (plain(person.first_given()), plain(&person.family), person.birth_date.clone())
}

/// Gives a person a former address and a former telephone number where there is a present one but
/// none before. They depend only on `seed` and `label`, so every hospital that is out of date is
/// out of date in the same way.
pub fn invent_past(truth: &mut Demographics, seed: u64, label: &str) {
    let mut chance = Chance::new(seed, &["past", label]);
    if let (None, Some(now)) = (&truth.former_address, &truth.address) {
        let mut before = invented_address(&mut chance);
        before.state = now.state.clone();
        truth.former_address = Some(before);
    }
    if let (None, Some(now)) = (&truth.former_phone, &truth.phone) {
        let digits = digits(now);
        let area = digits.get(..3).unwrap_or("508");
        truth.former_phone = Some(format!("{area}-555-{:04}", chance.between(1000, 9999)));
    }
}

/// An invented address in one of the invented towns.
pub(crate) fn invented_address(chance: &mut Chance) -> Address {
    let (city, zip, _) = chance.pick(TOWNS);
    let (kind, _) = chance.pick(STREET_KINDS);
    let line = format!("{} {} {kind}", chance.between(2, 980), chance.pick(STREETS));
    let unit = chance.yes(0.25).then(|| format!("Apt {}", chance.between(1, 48)));
    Address { line, unit, city: city.into(), state: "MA".into(), zip: zip.into() }
}

/// The copy of `truth` that hospital `org` keeps. `label` names the person within `seed`; the same
/// arguments give the same copy.
pub fn register(
    truth: &Demographics,
    rates: &Rates,
    population: &Population,
    org: &str,
    label: &str,
    seed: u64,
) -> Demographics {
    for attempt in 0..16 {
        let mut chance = Chance::new(seed, &["noise", org, label, &attempt.to_string()]);
        let copy = attempted(truth, rates, org, &mut chance);
        if !population.is_somebody_else(&copy, truth) {
            return copy;
        }
    }
    truth.clone()
}

fn attempted(truth: &Demographics, rates: &Rates, org: &str, chance: &mut Chance) -> Demographics {
    let style = Style::of(org);
    let mut copy = Demographics { former_address: None, former_phone: None, ..truth.clone() };
    names(&mut copy, rates, chance);
    birth(&mut copy, rates, chance);
    if chance.yes(rates.gender_wrong) {
        copy.gender = if copy.gender == "male" { "female".into() } else { "male".into() };
    }
    address(&mut copy, truth, rates, &style, chance);
    phone(&mut copy, truth, rates, &style, chance);
    if chance.yes(rates.email_missing) {
        copy.email = None;
    }
    if chance.yes(rates.ssn_missing) {
        copy.ssn = None;
    } else if chance.yes(rates.ssn_typo) {
        copy.ssn = copy.ssn.map(|ssn| digit_typo(&ssn, chance));
    }
    if !style.dashes {
        copy.ssn = copy.ssn.map(|ssn| ssn.replace('-', ""));
    }
    if style.capitals || chance.yes(rates.capitals) {
        copy.given.iter_mut().for_each(|name| *name = name.to_uppercase());
        copy.family = copy.family.to_uppercase();
        copy.former_family = copy.former_family.map(|name| name.to_uppercase());
    }
    copy
}

fn names(copy: &mut Demographics, rates: &Rates, chance: &mut Chance) {
    let former = copy.former_family.clone();
    if former.is_some() && chance.yes(rates.former_name) {
        copy.family = former.unwrap_or_default();
        copy.former_family = None;
    } else if !chance.yes(rates.former_name_known) {
        copy.former_family = None;
    }
    if let Some(first) = copy.given.first_mut() {
        let short = nickname(first, chance);
        if chance.yes(rates.nickname)
            && let Some(short) = short
        {
            *first = short;
        } else if chance.yes(rates.given_typo) {
            *first = word_typo(first, chance);
        }
    }
    if chance.yes(rates.family_typo) {
        copy.family = word_typo(&copy.family, chance);
    }
    if chance.yes(rates.middle_missing) {
        copy.given.truncate(1);
    } else if chance.yes(rates.middle_initial) {
        for name in copy.given.iter_mut().skip(1) {
            *name = name.chars().take(1).collect();
        }
    }
    if chance.yes(rates.suffix_missing) {
        copy.suffix = None;
    }
    if chance.yes(0.5) {
        copy.prefix = None;
    }
}

/// A usual short form; digits that follow the name, as Synthea writes them, stay.
fn nickname(name: &str, chance: &mut Chance) -> Option<String> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let (_, short) = NICKNAMES.iter().find(|(formal, _)| formal.eq_ignore_ascii_case(stem))?;
    Some(format!("{}{}", chance.pick(short), name.get(stem.len()..).unwrap_or_default()))
}

fn birth(copy: &mut Demographics, rates: &Rates, chance: &mut Chance) {
    let parts: Vec<String> = copy.birth_date.split('-').map(str::to_owned).collect();
    let [year, month, day] = parts.as_slice() else { return };
    let changed = if chance.yes(rates.birth_swap) {
        format!("{year}-{day}-{month}")
    } else if chance.yes(rates.birth_typo) {
        let wrong = |text: &str, chance: &mut Chance| {
            let number: i64 = text.parse().unwrap_or(1);
            (number + if chance.yes(0.5) { 1 } else { -1 }).to_string()
        };
        match chance.below(3) {
            0 => format!("{}-{month}-{day}", wrong(year, chance)),
            1 => format!("{year}-{:0>2}-{day}", wrong(month, chance)),
            _ => format!("{year}-{month}-{:0>2}", wrong(day, chance)),
        }
    } else {
        return;
    };
    if fhir::time::parse(&changed).is_some() {
        copy.birth_date = changed;
    }
}

fn address(
    copy: &mut Demographics,
    truth: &Demographics,
    rates: &Rates,
    style: &Style,
    chance: &mut Chance,
) {
    if chance.yes(rates.old_address) && truth.former_address.is_some() {
        copy.address.clone_from(&truth.former_address);
    }
    let Some(address) = &mut copy.address else { return };
    if chance.yes(rates.street_typo) {
        address.line = word_typo(&address.line, chance);
    }
    if style.abbreviates {
        for (long, short) in STREET_KINDS {
            if let Some(rest) = address.line.strip_suffix(long) {
                address.line = format!("{rest}{short}");
                break;
            }
        }
        address.unit = address.unit.as_ref().map(|unit| unit.replace("Apt ", "#"));
    }
    if style.capitals {
        address.line = address.line.to_uppercase();
        address.city = address.city.to_uppercase();
    }
    let longer = (1000 + chance.below(8999)).to_string();
    if chance.yes(rates.zip_plus_four) && address.zip.len() == 5 {
        address.zip = format!("{}-{longer}", address.zip);
    }
}

fn phone(
    copy: &mut Demographics,
    truth: &Demographics,
    rates: &Rates,
    style: &Style,
    chance: &mut Chance,
) {
    if chance.yes(rates.old_phone) && truth.former_phone.is_some() {
        copy.phone.clone_from(&truth.former_phone);
    }
    if chance.yes(rates.phone_missing) {
        copy.phone = None;
    }
    let Some(phone) = &copy.phone else { return };
    let mut digits = digits(phone);
    if chance.yes(rates.phone_typo) {
        digits = swapped(&digits, chance);
    }
    if let (Some(area), Some(exchange), Some(line)) =
        (digits.get(..3), digits.get(3..6), digits.get(6..))
    {
        copy.phone = Some(match style.phone {
            0 => format!("({area}) {exchange}-{line}"),
            1 => format!("{area}-{exchange}-{line}"),
            2 => format!("{area}.{exchange}.{line}"),
            3 => digits.clone(),
            _ => format!("+1 {area} {exchange} {line}"),
        });
    }
}

/// How a hospital's registration software writes things; the same for all its patients.
struct Style {
    phone: usize,
    capitals: bool,
    abbreviates: bool,
    dashes: bool,
}

impl Style {
    fn of(org: &str) -> Self {
        let mut chance = Chance::new(0, &["style", org]);
        Self {
            phone: chance.below(5),
            capitals: chance.yes(0.2),
            abbreviates: chance.yes(0.5),
            dashes: chance.yes(0.75),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Demographics {
        let mut truth = Demographics {
            given: vec!["Katherine".into(), "Anne".into()],
            family: "Thornbury".into(),
            former_family: Some("Larkin".into()),
            gender: "female".into(),
            birth_date: "1971-04-09".into(),
            address: Some(Address {
                line: "12 Linden Street".into(),
                city: "Dunmere".into(),
                state: "MA".into(),
                zip: "01304".into(),
                ..Address::default()
            }),
            phone: Some("978-555-2210".into()),
            email: Some("k.thornbury@example.org".into()),
            ssn: Some("912-44-1023".into()),
            ..Demographics::default()
        };
        invent_past(&mut truth, 1, "p");
        truth
    }

    fn share(test: impl Fn(&Demographics) -> bool) -> f64 {
        let (truth, population) = (person(), Population::default());
        let copies = 4000;
        let hits = (0..copies)
            .filter(|n| {
                let label = n.to_string();
                // `harbor` is a hospital that writes dashes and small letters.
                test(&register(&truth, &Rates::default(), &population, "harbor", &label, 5))
            })
            .count();
        hits as f64 / f64::from(copies)
    }

    #[test]
    fn errors_come_at_their_rates() {
        let near = |name: &str, found: f64, wanted: f64| {
            assert!((found - wanted).abs() < 0.03, "{name}: {found} instead of {wanted}");
        };
        near("no number", share(|c| c.ssn.is_none()), 0.30);
        near(
            "wrong number",
            share(|c| c.ssn.as_ref().is_some_and(|s| digits(s) != "912441023")),
            0.021,
        );
        near("no phone", share(|c| c.phone.is_none()), 0.08);
        near(
            "old address",
            share(|c| !c.address.as_ref().unwrap().line.to_uppercase().starts_with("12 L")),
            0.20,
        );
        near("birth date", share(|c| c.birth_date != "1971-04-09"), 0.01);
        near("no middle name", share(|c| c.given.len() == 1), 0.35);
        near("name before marriage", share(|c| c.family.to_uppercase() == "LARKIN"), 0.06);
        let short = ["KATE", "KATHY", "KATIE"];
        near("nickname", share(|c| short.contains(&&*c.given[0].to_uppercase())), 0.07);
        let whole = |c: &Demographics| {
            c.given[0].to_uppercase() == "KATHERINE" && c.birth_date == "1971-04-09"
        };
        assert!(share(whole) > 0.85);
    }

    #[test]
    fn without_errors_only_the_writing_differs() {
        let (truth, population) = (person(), Population::default());
        for org in crate::sites(20) {
            let copy = register(&truth, &Rates::none(), &population, &org.org, "p", 3);
            assert_eq!(key(&copy), key(&truth));
            assert_eq!(copy.ssn.unwrap().replace('-', ""), "912441023");
        }
    }

    #[test]
    fn nobody_becomes_somebody_else() {
        let truth = person();
        let mut population = Population::default();
        population.add(&truth);
        // Everybody within one digit of the person's number, and everybody with a short first name.
        for at in [4, 5, 7, 8, 9, 10] {
            for digit in '0'..='9' {
                let mut number: Vec<char> = "912-44-1023".chars().collect();
                number[at] = digit;
                let ssn: String = number.into_iter().collect();
                if ssn != "912-44-1023" {
                    let family = format!("Other{at}{digit}");
                    population.add(&Demographics { ssn: Some(ssn), family, ..person() });
                }
            }
        }
        for first in ["Kate", "Kathy", "Katie"] {
            population.add(&Demographics { given: vec![first.into()], ssn: None, ..person() });
        }
        for n in 0..3000 {
            let copy =
                register(&truth, &Rates::default(), &population, "harbor", &n.to_string(), 9);
            assert!(!population.is_somebody_else(&copy, &truth), "{n}");
        }
    }
}
