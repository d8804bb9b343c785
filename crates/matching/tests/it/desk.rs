//! Registration desks: faulty copies of who somebody really is, as FHIR Patients.

use super::population::{STREET_KINDS, Truth};
use fhir::json::quote;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

/// Share of copies, 0 to 1, in which each fault occurs.
#[derive(Clone, Copy)]
pub struct Rates {
    pub family_typo: f64,
    pub given_typo: f64,
    pub nickname: f64,
    pub names_exchanged: f64,
    pub middle_missing: f64,
    pub middle_initial: f64,
    pub goes_by_middle: f64,
    pub maiden_name_only: f64,
    pub maiden_name_added: f64,
    pub date_exchanged: f64,
    pub date_digit: f64,
    pub date_year_only: f64,
    pub date_missing: f64,
    pub gender_missing: f64,
    pub gender_wrong: f64,
    pub ssn_missing: f64,
    pub ssn_mistyped: f64,
    pub ssn_last_four: f64,
    pub ssn_of_relative: f64,
    pub phone_missing: f64,
    pub phone_old: f64,
    pub phone_digit: f64,
    pub address_missing: f64,
    pub address_old: f64,
    pub address_typo: f64,
    pub postal_code_missing: f64,
    pub email_missing: f64,
    pub email_typo: f64,
    pub mother_missing: f64,
    pub suffix_missing: f64,
    pub birth_order_missing: f64,
}

impl Rates {
    /// Faults as often as registries report them, on the high side.
    pub fn realistic() -> Self {
        Self {
            family_typo: 0.03,
            given_typo: 0.03,
            nickname: 0.08,
            names_exchanged: 0.01,
            middle_missing: 0.4,
            middle_initial: 0.3,
            goes_by_middle: 0.01,
            maiden_name_only: 0.05,
            maiden_name_added: 0.3,
            date_exchanged: 0.01,
            date_digit: 0.015,
            date_year_only: 0.002,
            date_missing: 0.003,
            gender_missing: 0.02,
            gender_wrong: 0.003,
            ssn_missing: 0.3,
            ssn_mistyped: 0.05,
            ssn_last_four: 0.03,
            ssn_of_relative: 0.005,
            phone_missing: 0.08,
            phone_old: 0.25,
            phone_digit: 0.03,
            address_missing: 0.04,
            address_old: 0.2,
            address_typo: 0.08,
            postal_code_missing: 0.08,
            email_missing: 0.6,
            email_typo: 0.02,
            mother_missing: 0.6,
            suffix_missing: 0.5,
            birth_order_missing: 0.5,
        }
    }

    /// Twice the faults of names, dates, telephones and addresses; no social security numbers.
    pub fn harsh() -> Self {
        let r = Self::realistic();
        Self {
            family_typo: 2.0 * r.family_typo,
            given_typo: 2.0 * r.given_typo,
            names_exchanged: 2.0 * r.names_exchanged,
            date_exchanged: 2.0 * r.date_exchanged,
            date_digit: 2.0 * r.date_digit,
            phone_digit: 2.0 * r.phone_digit,
            phone_missing: 2.0 * r.phone_missing,
            address_typo: 2.0 * r.address_typo,
            address_missing: 2.0 * r.address_missing,
            ssn_missing: 1.0,
            ..r
        }
    }

    pub fn without_ssn(self) -> Self {
        Self { ssn_missing: 1.0, ..self }
    }
}

const SHORT_FORMS: &[(&str, &str)] = &[
    ("James", "Jim"),
    ("Robert", "Bob"),
    ("John", "Jack"),
    ("Michael", "Mike"),
    ("David", "Dave"),
    ("William", "Bill"),
    ("Richard", "Rick"),
    ("Joseph", "Joe"),
    ("Thomas", "Tom"),
    ("Charles", "Chuck"),
    ("Christopher", "Chris"),
    ("Daniel", "Dan"),
    ("Matthew", "Matt"),
    ("Anthony", "Tony"),
    ("Steven", "Steve"),
    ("Edward", "Ted"),
    ("Benjamin", "Ben"),
    ("Samuel", "Sam"),
    ("Gregory", "Greg"),
    ("Patricia", "Pat"),
    ("Jennifer", "Jen"),
    ("Elizabeth", "Liz"),
    ("Barbara", "Barb"),
    ("Susan", "Sue"),
    ("Jessica", "Jess"),
    ("Sarah", "Sally"),
    ("Margaret", "Peggy"),
    ("Kimberly", "Kim"),
    ("Deborah", "Debbie"),
    ("Rebecca", "Becky"),
    ("Samantha", "Sam"),
    ("Katherine", "Kate"),
    ("Victoria", "Vicky"),
    ("Catherine", "Cathy"),
];

/// Copies of people at `sites`: each person is known to one to all of them.
pub fn copies(
    people: &[Truth],
    sites: &[&str],
    rates: Rates,
    seed: u64,
) -> Vec<(String, String, String)> {
    let mut desk = Desk { rng: ChaCha8Rng::seed_from_u64(seed), rates };
    let mut out = Vec::new();
    for person in people {
        let known_to = desk.rng.random_range(1..=sites.len());
        let from = desk.rng.random_range(0..sites.len());
        for at in 0..known_to {
            let site = sites[(from + at) % sites.len()];
            let patient = desk.patient(person, site, out.len());
            out.push((person.id.clone(), site.to_owned(), patient));
        }
    }
    out
}

/// A registration desk.
pub struct Desk {
    pub rng: ChaCha8Rng,
    pub rates: Rates,
}

impl Desk {
    fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    /// The Patient JSON that `site` holds of `person`.
    pub fn patient(&mut self, person: &Truth, site: &str, number: usize) -> String {
        let mut out = format!(
            r#"{{"resourceType":"Patient","identifier":[{{"type":{{"coding":[{{"code":"MR"}}]}},"system":"urn:site:{site}","value":"{}"}}"#,
            100_000 + number
        );
        if let Some(ssn) = self.ssn(person) {
            let system = "http://hl7.org/fhir/sid/us-ssn";
            let _ = write!(out, r#",{{"system":"{system}","value":"{ssn}"}}"#);
        }
        let _ = write!(out, r#"],"name":[{}]"#, self.names(person));
        if let Some(date) = self.birth_date(person) {
            let _ = write!(out, r#","birthDate":"{date}""#);
        }
        if !self.chance(self.rates.gender_missing) {
            let female = person.female != self.chance(self.rates.gender_wrong);
            let gender = if female { "female" } else { "male" };
            let _ = write!(out, r#","gender":"{gender}""#);
        }
        let _ = write!(out, r#","telecom":[{}]"#, self.telecom(person).join(","));
        if let Some(address) = self.address(person) {
            let _ = write!(out, r#","address":[{address}]"#);
        }
        if !self.chance(self.rates.mother_missing) {
            let url = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName";
            let mother = self.mistyped(&person.mother, 0.04);
            let _ =
                write!(out, r#","extension":[{{"url":"{url}","valueString":{}}}]"#, quote(&mother));
        }
        match person.birth_order {
            Some(order) if !self.chance(self.rates.birth_order_missing) => {
                let _ = write!(out, r#","multipleBirthInteger":{order}"#);
            }
            None if self.chance(0.3) => out.push_str(r#","multipleBirthBoolean":false"#),
            _ => {}
        }
        match &person.died {
            Some(date) if self.chance(0.6) => {
                let _ = write!(out, r#","deceasedDateTime":"{date}""#);
            }
            None if self.chance(0.3) => out.push_str(r#","deceasedBoolean":false"#),
            _ => {}
        }
        out.push('}');
        out
    }

    fn ssn(&mut self, person: &Truth) -> Option<String> {
        if self.chance(self.rates.ssn_missing) {
            return None;
        }
        let number = &person.ssn;
        if self.chance(self.rates.ssn_of_relative) {
            return Some(dashed(&person.relative_ssn));
        }
        if self.chance(self.rates.ssn_last_four) {
            return number.get(5..).map(str::to_owned);
        }
        if self.chance(self.rates.ssn_mistyped) {
            return Some(dashed(&self.slip(number)));
        }
        Some(if self.chance(0.5) { dashed(number) } else { number.clone() })
    }

    fn names(&mut self, person: &Truth) -> String {
        let mut given = person.given.clone();
        let mut middle = Some(person.middle.clone());
        if self.chance(self.rates.middle_missing) {
            middle = None;
        } else if self.chance(self.rates.middle_initial) {
            middle = person.middle.chars().next().map(String::from);
        }
        if self.chance(self.rates.goes_by_middle) {
            (given, middle) = (person.middle.clone(), Some(person.given.clone()));
        } else if self.chance(self.rates.nickname)
            && let Some((_, short)) = SHORT_FORMS.iter().find(|(long, _)| *long == given)
        {
            given = (*short).to_owned();
        }
        let mut family = person.family.clone();
        let maiden_only = person.maiden.is_some() && self.chance(self.rates.maiden_name_only);
        if let (true, Some(maiden)) = (maiden_only, &person.maiden) {
            family.clone_from(maiden);
        }
        family = self.mistyped(&family, self.rates.family_typo);
        given = self.mistyped(&given, self.rates.given_typo);
        if self.chance(self.rates.names_exchanged) {
            std::mem::swap(&mut family, &mut given);
        }
        if self.chance(0.2) {
            (family, given) = (family.to_uppercase(), given.to_uppercase());
        }
        let middle = middle.map(|m| format!(",{}", quote(&m))).unwrap_or_default();
        let suffix = person.generation.filter(|_| !self.chance(self.rates.suffix_missing));
        let suffix = suffix.map(|s| format!(r#","suffix":["{s}"]"#)).unwrap_or_default();
        let (family, given) = (quote(&family), quote(&given));
        let mut names = format!(r#"{{"family":{family},"given":[{given}{middle}]{suffix}}}"#);
        if let Some(maiden) = &person.maiden
            && self.chance(self.rates.maiden_name_added)
        {
            let _ = write!(names, r#",{{"use":"maiden","family":{}}}"#, quote(maiden));
        }
        names
    }

    fn birth_date(&mut self, person: &Truth) -> Option<String> {
        let (mut year, mut month, mut day) = person.birth;
        if self.chance(self.rates.date_missing) {
            return None;
        }
        if self.chance(self.rates.date_year_only) {
            return Some(year.to_string());
        }
        if self.chance(self.rates.date_exchanged) && day <= 12 {
            (month, day) = (day, month);
        }
        if self.chance(self.rates.date_digit) {
            match self.rng.random_range(0..4) {
                0 => year = year.saturating_sub(1),
                1 => {
                    year = if year.is_multiple_of(100) {
                        year + 10
                    } else {
                        year - year % 10 + (year + 3) % 10
                    }
                }
                2 => month = (month % 9) + 1,
                _ => day = if day % 10 < 8 { day + 1 } else { day - 3 },
            }
        }
        Some(format!("{year:04}-{month:02}-{day:02}"))
    }

    fn telecom(&mut self, person: &Truth) -> Vec<String> {
        let mut out = Vec::new();
        if !self.chance(self.rates.phone_missing) {
            let old = self.chance(self.rates.phone_old);
            let mut number = if old { &person.old_phone } else { &person.phone }.clone();
            if self.chance(self.rates.phone_digit) {
                number = self.slip(&number);
            }
            let (a, b, c) = (&number[..3], &number[3..6], &number[6..]);
            let number = match self.rng.random_range(0..10) {
                0 => format!("({a}) {b}-{c}"),
                1 => format!("+1 {a} {b} {c}"),
                2 => format!("{b}-{c}"),
                _ => format!("{a}-{b}-{c}"),
            };
            out.push(format!(r#"{{"system":"phone","value":"{number}"}}"#));
        }
        if !self.chance(self.rates.email_missing) {
            let email = self.mistyped(&person.email, self.rates.email_typo);
            out.push(format!(r#"{{"system":"email","value":{}}}"#, quote(&email)));
        }
        out
    }

    fn address(&mut self, person: &Truth) -> Option<String> {
        if self.chance(self.rates.address_missing) {
            return None;
        }
        let old = self.chance(self.rates.address_old);
        let place = if old { &person.old_place } else { &person.place }.clone();
        let mut line = self.mistyped(&place.line, self.rates.address_typo);
        if self.chance(0.4) {
            for (long, short) in STREET_KINDS {
                line = line.replace(long, short);
            }
        }
        if let Some(unit) = place.unit
            && !self.chance(0.2)
        {
            let _ = write!(line, " Apt {unit}");
        }
        let code = if self.chance(self.rates.postal_code_missing) {
            String::new()
        } else {
            format!(r#","postalCode":"{}""#, place.postal_code)
        };
        let (line, city, state) = (quote(&line), quote(&place.city), quote(&place.state));
        Some(format!(r#"{{"line":[{line}],"city":{city},"state":{state}{code}}}"#))
    }

    fn mistyped(&mut self, text: &str, share: f64) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        if chars.len() < 3 || !self.chance(share) {
            return text.to_owned();
        }
        let at = self.rng.random_range(1..chars.len() - 1);
        let letter = (b'a' + self.rng.random_range(0..26)) as char;
        match self.rng.random_range(0..4) {
            0 => chars[at] = letter,
            1 => chars.insert(at, letter),
            2 => _ = chars.remove(at),
            _ => chars.swap(at, at + 1),
        }
        chars.into_iter().collect()
    }

    /// One digit replaced or two neighbours exchanged.
    fn slip(&mut self, number: &str) -> String {
        let mut bytes = number.as_bytes().to_vec();
        let at = self.rng.random_range(0..bytes.len() - 1);
        if self.chance(0.5) && bytes[at] != bytes[at + 1] {
            bytes.swap(at, at + 1);
        } else {
            bytes[at] = b'0' + (bytes[at] - b'0' + self.rng.random_range(1..10)) % 10;
        }
        String::from_utf8(bytes).unwrap_or_default()
    }
}

fn dashed(number: &str) -> String {
    format!("{}-{}-{}", &number[..3], &number[3..5], &number[5..])
}
