//! Households: people with true demographics, and the relatives that are easily mistaken for each
//! other (twins, a father and son of one name, namesakes, spouses, siblings).

use std::collections::BTreeSet;

use crate::calendar::{DAY_MS, YEAR_MS, age, date, start_of};
use crate::chance::Chance;
use crate::demographics::{Address, Demographics};
use crate::names::{FAMILIES, MEN_NEW, MEN_OLD, TOWNS, WOMEN_NEW, WOMEN_OLD};
use crate::noise::{self, invented_address};

/// A person before any hospital knows of them.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) truth: Demographics,
    pub(crate) female: bool,
    pub(crate) birth_ms: i64,
    pub(crate) household: usize,
    /// Code and display of v3-MaritalStatus.
    pub(crate) marital: (&'static str, &'static str),
    /// Rank at birth of a twin.
    pub(crate) twin: Option<u8>,
    /// Has a relative or namesake who is easily mistaken for them.
    pub(crate) confusable: bool,
}

const SINGLE: (&str, &str) = ("S", "Never Married");
const MARRIED: (&str, &str) = ("M", "Married");
const WIDOWED: (&str, &str) = ("W", "Widowed");

struct Registry<'a> {
    chance: Chance,
    seed: u64,
    now_ms: i64,
    numbers: BTreeSet<String>,
    people: BTreeSet<(String, String, String)>,
    drafts: Vec<Draft>,
    household: usize,
    /// Names that are kept for somebody else.
    reserved: &'a [&'a str],
}

/// `count` people. No two share a Social Security number, or a name and birth date.
pub(crate) fn people(seed: u64, count: usize, now_ms: i64, reserved: &[&str]) -> Vec<Draft> {
    let mut registry = Registry {
        chance: Chance::new(seed, &["people"]),
        seed,
        now_ms,
        numbers: BTreeSet::new(),
        people: BTreeSet::new(),
        drafts: Vec::new(),
        household: 0,
        reserved,
    };
    registry.twins(9.4);
    registry.same_name();
    registry.namesakes();
    registry.twins(43.7);
    while registry.drafts.len() < count {
        match registry.chance.below(20) {
            0..12 => {
                let age = registry.adult_age();
                registry.single(age);
            }
            12..15 => registry.couple(0),
            15..18 => registry.couple(1),
            18 => registry.couple(2),
            _ => registry.siblings(),
        }
    }
    registry.drafts.truncate(count);
    registry.drafts
}

impl Registry<'_> {
    fn adult_age(&mut self) -> f64 {
        match self.chance.below(100) {
            0..20 => self.chance.real(18.5, 34.0),
            20..42 => self.chance.real(34.0, 50.0),
            42..69 => self.chance.real(50.0, 65.0),
            69..91 => self.chance.real(65.0, 80.0),
            _ => self.chance.real(80.0, 93.0),
        }
    }

    fn number(&mut self) -> String {
        loop {
            let (area, group) = (self.chance.between(900, 999), self.chance.between(1, 99));
            let number = format!("{area}-{group:02}-{:04}", self.chance.between(1, 9998));
            if self.numbers.insert(number.clone()) {
                return number;
            }
        }
    }

    fn given(&mut self, female: bool, age: f64) -> String {
        let list = match (female, age > 48.0) {
            (true, true) => WOMEN_OLD,
            (true, false) => WOMEN_NEW,
            (false, true) => MEN_OLD,
            (false, false) => MEN_NEW,
        };
        self.chance.pick(list).to_owned()
    }

    fn family(&mut self) -> String {
        loop {
            let name = self.chance.pick(FAMILIES);
            if !self.reserved.contains(&name) {
                return name.to_owned();
            }
        }
    }

    fn phone(&mut self, city: &str) -> String {
        let area = TOWNS.iter().find(|town| town.0 == city).map_or("508", |town| town.2);
        format!("{area}-555-{:04}", self.chance.between(1000, 9999))
    }

    fn email(&mut self, given: &str, family: &str) -> String {
        let letters = |text: &str| {
            text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase()
        };
        format!("{}.{}{}@example.org", letters(given), letters(family), self.chance.between(1, 99))
    }

    /// Gives a person other given names, and an e-mail address that goes with them.
    fn rename(&mut self, draft: &mut Draft, given: &[&str]) {
        draft.truth.given = given.iter().map(|name| (*name).to_owned()).collect();
        if draft.truth.email.is_some() {
            let family = draft.truth.family.clone();
            draft.truth.email = given.first().map(|first| self.email(first, &family));
        }
    }

    /// A person with everything invented, not yet in the register.
    fn invent(&mut self, female: bool, years: f64, family: &str, home: &Address) -> Draft {
        let birth = start_of(&date(self.now_ms - (years * YEAR_MS as f64) as i64));
        let mut given = vec![self.given(female, years)];
        if self.chance.yes(0.75) {
            let middle = self.given(female, years);
            given.extend((middle != given[0]).then_some(middle));
        }
        let email = (years > 16.0 && self.chance.yes(0.8)).then(|| self.email(&given[0], family));
        let prefix = (years >= 18.0).then(|| if female { "Ms." } else { "Mr." }.to_owned());
        let truth = Demographics {
            prefix,
            given,
            family: family.to_owned(),
            gender: if female { "female" } else { "male" }.into(),
            birth_date: date(birth),
            phone: Some(self.phone(&home.city)),
            address: Some(home.clone()),
            email,
            ssn: Some(self.number()),
            ..Demographics::default()
        };
        let marital = if years > 68.0 && self.chance.yes(0.3) { WIDOWED } else { SINGLE };
        Draft {
            truth,
            female,
            birth_ms: birth,
            household: self.household,
            marital,
            twin: None,
            confusable: false,
        }
    }

    /// Registers a person, with another given name while name and birth date are taken.
    fn add(&mut self, mut draft: Draft) {
        let key = |draft: &Draft| {
            (
                draft.truth.first_given().to_owned(),
                draft.truth.family.clone(),
                draft.truth.birth_date.clone(),
            )
        };
        while !self.people.insert(key(&draft)) {
            let other = self.given(draft.female, age(draft.birth_ms, self.now_ms));
            self.rename(&mut draft, &[&other]);
        }
        let label = format!("household-{}", draft.household);
        // Relatives moved house together.
        let own_phone = draft.truth.former_phone.take();
        noise::invent_past(&mut draft.truth, self.seed, &label);
        draft.truth.former_phone = own_phone.or(draft.truth.former_phone);
        self.drafts.push(draft);
    }

    fn home(&mut self) -> Address {
        self.household += 1;
        invented_address(&mut self.chance)
    }

    fn single(&mut self, years: f64) {
        let (female, family, home) = (self.chance.yes(0.52), self.family(), self.home());
        let draft = self.invent(female, years, &family, &home);
        self.add(draft);
    }

    /// Spouses with `children`.
    fn couple(&mut self, children: usize) {
        let years =
            if children > 0 { self.chance.real(30.0, 47.0) } else { self.adult_age().max(26.0) };
        let (family, home) = (self.family(), self.home());
        let mut husband = self.invent(false, years, &family, &home);
        let younger = self.chance.real(-3.0, 6.0);
        let mut wife = self.invent(true, (years - younger).max(21.0), &family, &home);
        (husband.marital, wife.marital) = (MARRIED, MARRIED);
        wife.truth.prefix = Some("Mrs.".into());
        wife.truth.former_family = Some(self.family()).filter(|former| *former != family);
        if self.chance.yes(0.5) {
            // Many couples give the number of one telephone.
            wife.truth.phone.clone_from(&husband.truth.phone);
        }
        let phone = wife.truth.phone.clone();
        self.add(husband);
        self.add(wife);
        for _ in 0..children {
            let (female, years) = (self.chance.yes(0.5), self.chance.real(0.7, 16.0));
            let mut child = self.invent(female, years, &family, &home);
            child.truth.phone.clone_from(&phone);
            self.add(child);
        }
    }

    fn siblings(&mut self) {
        let (years, family, home) = (self.chance.real(24.0, 70.0), self.family(), self.home());
        for _ in 0..2 {
            let female = self.chance.yes(0.5);
            let years = years + self.chance.real(0.0, 4.0);
            let draft = self.invent(female, years, &family, &home);
            self.add(draft);
        }
    }

    /// Twins of one sex: the same birth date, address and telephone, and neighbouring Social
    /// Security numbers, as they are given out to twins.
    fn twins(&mut self, years: f64) {
        let (female, family, home) = (self.chance.yes(0.5), self.family(), self.home());
        let mut first = self.invent(female, years, &family, &home);
        let mut second = self.invent(female, years, &family, &home);
        let names = if female { ["Camila", "Sofia"] } else { ["Nathan", "Lucas"] };
        for (draft, name) in [&mut first, &mut second].into_iter().zip(names) {
            draft.truth.given = vec![name.to_owned()];
            draft.truth.email = None;
            draft.confusable = true;
        }
        (first.twin, second.twin) = (Some(1), Some(2));
        second.truth.phone.clone_from(&first.truth.phone);
        let next = first.truth.ssn.as_deref().and_then(|number| {
            let (head, serial) = number.rsplit_once('-')?;
            Some(format!("{head}-{:04}", serial.parse::<u32>().ok()? + 1))
        });
        if let Some(next) = next.filter(|next| self.numbers.insert(next.clone())) {
            second.truth.ssn = Some(next);
        }
        self.add(first);
        self.add(second);
    }

    /// Father and son of one name at one address.
    fn same_name(&mut self) {
        let (family, home) = (self.family(), self.home());
        let years = self.chance.real(58.0, 70.0);
        let mut father = self.invent(false, years, &family, &home);
        let younger = self.chance.real(24.0, 31.0);
        let mut son = self.invent(false, years - younger, &family, &home);
        self.rename(&mut father, &["Robert", "James"]);
        self.rename(&mut son, &["Robert", "James"]);
        (father.truth.suffix, son.truth.suffix) = (Some("Sr.".into()), Some("Jr.".into()));
        son.truth.phone.clone_from(&father.truth.phone);
        (father.confusable, son.confusable) = (true, true);
        self.add(father);
        self.add(son);
    }

    /// Two strangers of one name, born in one year.
    fn namesakes(&mut self) {
        for days in [0, 131] {
            let home = self.home();
            let mut draft = self.invent(true, 56.2, "Ramirez", &home);
            self.rename(&mut draft, &["Patricia"]);
            draft.birth_ms -= days * DAY_MS;
            draft.truth.birth_date = date(draft.birth_ms);
            draft.confusable = true;
            self.add(draft);
        }
    }
}
