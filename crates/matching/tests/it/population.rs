//! A population made to be hard for a matcher: households hold spouses, siblings, twins with
//! like-sounding names, fathers and sons of one name, grown children who moved out.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(Clone, Debug, Default)]
pub struct Place {
    pub line: String,
    pub unit: Option<u32>,
    pub city: String,
    pub state: String,
    pub postal_code: String,
}

/// Who somebody really is.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub id: String,
    pub female: bool,
    pub given: String,
    pub middle: String,
    pub family: String,
    pub maiden: Option<String>,
    pub generation: Option<&'static str>,
    pub birth: (u16, u8, u8),
    pub ssn: String,
    /// The number of a relative, which a desk may write by mistake.
    pub relative_ssn: String,
    pub phone: String,
    pub old_phone: String,
    pub email: String,
    pub place: Place,
    pub old_place: Place,
    pub mother: String,
    pub birth_order: Option<u8>,
    pub died: Option<String>,
}

/// How two persons are related, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kin {
    Twin,
    Sibling,
    Spouse,
    Parent,
    Namesake,
}

/// People and who is related to whom, by place.
pub struct Population {
    pub people: Vec<Truth>,
    pub kin: Vec<(usize, usize, Kin)>,
}

const FAMILIES: &str = "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez \
Hernandez Lopez Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson \
White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres \
Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Patel \
O'Brien McDonald Kowalski Schmidt Müller Fernández Okafor Haddad Rossi Johansson Kim Chen Wong \
Abbott Barnes Calloway Dempsey Ellison Fairchild Gallagher Holloway Ingram Jennings Kendrick \
Lockhart Mercer Norwood Osborne Pemberton Quigley Rutherford Stanton Thornton Underwood Vickers \
Whitaker Yates Zimmerman";
const MEN: &str = "James Robert John Michael David William Richard Joseph Thomas Charles \
Christopher Daniel Matthew Anthony Mark Donald Steven Andrew Kenneth Joshua Kevin Brian George \
Timothy Ronald Jason Edward Jeffrey Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin \
Scott Brandon Benjamin Samuel Gregory Alexander Patrick Frank Raymond Jack Dennis Tyler Aaron \
José Ethan Jayden Hayden Brayden Kayden Liam Noah Mason Lucas Logan Marc Jon Juan Carlos Omar \
Malik Dmitri Hiroshi Rajesh Kwame";
const WOMEN: &str = "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen \
Lisa Nancy Betty Sandra Margaret Ashley Kimberly Emily Donna Michelle Carol Amanda Melissa \
Deborah Stephanie Rebecca Laura Sharon Cynthia Dorothy Amy Kathleen Angela Shirley Emma Brenda \
Pamela Nicole Anna Samantha Katherine Christine Helen Debra Rachel Carolyn Janet Maria Catherine \
Heather Diane Olivia Julie Joyce Victoria Ella Mia Mya Ava Eva Isabella Isabel Lily Lila Marie \
Anne-Marie Ana Fatima Mei Priya Ngozi Ingrid";
const SYLLABLES: &[&str] = &[
    "ba", "den", "kor", "mal", "ri", "son", "ta", "vel", "win", "zo", "har", "lin", "mer", "no",
    "pel", "qui", "ros", "shaw", "tem", "ul", "bran", "cor", "dil", "fen", "gar", "hol", "jes",
    "kin", "low", "mar",
];
const STREETS: &str = "Oak Elm Maple Cedar Pine Washington Lake Hill Walnut Spring North Ridge \
Church Willow Mill Sunset Railroad Jackson Chestnut Dogwood Hickory Franklin Highland Meadow";
pub const STREET_KINDS: &[(&str, &str)] = &[
    ("Street", "St"),
    ("Avenue", "Ave"),
    ("Road", "Rd."),
    ("Drive", "Dr"),
    ("Lane", "Ln"),
    ("Court", "Ct"),
];

/// Makes at least `size` people.
pub fn people(size: usize, seed: u64) -> Population {
    let mut maker = Maker {
        rng: ChaCha8Rng::seed_from_u64(seed),
        population: Population { people: Vec::new(), kin: Vec::new() },
    };
    while maker.population.people.len() < size {
        maker.household();
    }
    maker.population
}

struct Maker {
    rng: ChaCha8Rng,
    population: Population,
}

impl Maker {
    fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    fn household(&mut self) {
        let family = family_name(&mut self.rng);
        let place = place(&mut self.rng);
        let phone = phone(&mut self.rng);
        let year = self.rng.random_range(1930..1995);
        let female = self.chance(0.5);
        let first = self.person(female, &family, year, &place, &phone);
        if self.chance(0.35) {
            return;
        }
        let near = year + self.rng.random_range(0..6);
        let second = self.person(!female, &family, near, &place, &phone);
        self.kin(first, second, Kin::Spouse);
        let (mother, father) = if female { (first, second) } else { (second, first) };
        let maiden = family_name(&mut self.rng);
        self.population.people[mother].maiden = Some(maiden.clone());
        let number = self.population.people[father].ssn.clone();
        self.population.people[mother].relative_ssn = number;
        if self.chance(0.35) {
            return;
        }
        let children = self.rng.random_range(1..=4);
        self.children(mother, father, children, &place, &phone, &maiden);
    }

    fn children(
        &mut self,
        mother: usize,
        father: usize,
        number: usize,
        place: &Place,
        phone: &str,
        maiden: &str,
    ) {
        let family = self.population.people[father].family.clone();
        let mut children: Vec<usize> = Vec::new();
        let mut year = self.population.people[mother].birth.0 + self.rng.random_range(20..30);
        for at in 0..number {
            let female = self.chance(0.5);
            let child = self.person(female, &family, year.min(2024), place, phone);
            year += self.rng.random_range(1..5);
            self.population.people[child].mother = maiden.to_owned();
            self.population.people[child].relative_ssn = self.population.people[father].ssn.clone();
            if at > 0 && self.chance(0.12) {
                self.make_twins(children[at - 1], child);
            } else if !female && at == 0 && self.chance(0.12) {
                let given = self.population.people[father].given.clone();
                self.population.people[child].given = given;
                self.population.people[child].generation = Some("Jr.");
                self.population.people[father].generation = Some("Sr.");
            }
            self.relate(child, mother, father, &children);
            children.push(child);
        }
        for child in children {
            if self.population.people[child].birth.0 < 2002 && self.chance(0.6) {
                self.move_out(child);
            }
        }
    }

    fn relate(&mut self, child: usize, mother: usize, father: usize, siblings: &[usize]) {
        let namesake = self.population.people[child].generation.is_some();
        self.kin(child, mother, Kin::Parent);
        self.kin(child, father, if namesake { Kin::Namesake } else { Kin::Parent });
        for &sibling in siblings {
            let twins = self.population.people[child].birth_order.is_some()
                && self.population.people[child].birth == self.population.people[sibling].birth;
            self.kin(child, sibling, if twins { Kin::Twin } else { Kin::Sibling });
        }
    }

    /// Makes `second` the twin of `first`: same day, often numbers in a row and like names.
    fn make_twins(&mut self, first: usize, second: usize) {
        let older = self.population.people[first].clone();
        let like = self.chance(0.3);
        let consecutive = self.chance(0.6);
        let names = if self.population.people[second].female { WOMEN } else { MEN };
        let initial = older.given.chars().next();
        let same_initial: Vec<&str> = names
            .split_whitespace()
            .filter(|name| name.chars().next() == initial && *name != older.given)
            .collect();
        let choice = same_initial.choose(&mut self.rng).filter(|_| like).map(|n| (*n).to_owned());
        let place = older.birth_order.unwrap_or(1);
        let person = &mut self.population.people[second];
        person.birth = older.birth;
        person.birth_order = Some(place + 1);
        if let Some(given) = choice {
            person.given = given;
        }
        if person.given == older.given {
            person.given = format!("{}el", older.given);
        }
        if consecutive {
            person.ssn = next_number(&older.ssn);
        }
        self.population.people[first].birth_order = Some(place);
        self.population.people[first].relative_ssn = self.population.people[second].ssn.clone();
        self.population.people[second].relative_ssn = older.ssn;
    }

    fn move_out(&mut self, at: usize) {
        let (place, phone) = (place(&mut self.rng), phone(&mut self.rng));
        let person = &mut self.population.people[at];
        person.old_place = std::mem::replace(&mut person.place, place);
        person.old_phone = std::mem::replace(&mut person.phone, phone);
        if person.female && self.rng.random_bool(0.5) {
            let family = family_name(&mut self.rng);
            person.maiden = Some(std::mem::replace(&mut person.family, family));
        }
    }

    fn person(
        &mut self,
        female: bool,
        family: &str,
        year: u16,
        shared_place: &Place,
        shared_phone: &str,
    ) -> usize {
        let rng = &mut self.rng;
        let given = given_name(rng, female);
        let (month, day) = (rng.random_range(1..=12), rng.random_range(1..=28));
        let own_phone = rng.random_bool(0.5);
        let at = self.population.people.len();
        let middle = given_name(rng, female);
        let person = Truth {
            id: format!("p{at}"),
            female,
            email: format!("{}.{}{}@example.org", given, family, rng.random_range(1..99))
                .to_lowercase(),
            given,
            middle,
            family: family.to_owned(),
            birth: (year, month, day),
            ssn: ssn(rng),
            relative_ssn: ssn(rng),
            phone: if own_phone { phone(rng) } else { shared_phone.to_owned() },
            old_phone: phone(rng),
            place: shared_place.clone(),
            old_place: place(rng),
            mother: family_name(rng),
            died: rng.random_bool(0.05).then(|| format!("{}-03-14", year.max(1960) + 30)),
            ..Truth::default()
        };
        self.population.people.push(person);
        at
    }

    fn kin(&mut self, a: usize, b: usize, kin: Kin) {
        self.population.kin.push((a, b, kin));
    }
}

fn pick<'a>(rng: &mut ChaCha8Rng, words: &'a str) -> &'a str {
    let words: Vec<&str> = words.split_whitespace().collect();
    words.choose(rng).copied().unwrap_or_default()
}

fn invented(rng: &mut ChaCha8Rng, syllables: usize) -> String {
    let word: String =
        (0..syllables).filter_map(|_| SYLLABLES.choose(rng)).copied().collect::<String>();
    let mut chars = word.chars();
    chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

fn family_name(rng: &mut ChaCha8Rng) -> String {
    match rng.random_range(0..100) {
        0..45 => {
            // Squaring makes the head of the list the most common.
            let words: Vec<&str> = FAMILIES.split_whitespace().collect();
            let at: f64 = rng.random_range(0.0..1.0);
            words[(at * at * words.len() as f64) as usize].to_owned()
        }
        45..50 => format!("{}-{}", pick(rng, FAMILIES), pick(rng, FAMILIES)),
        _ => {
            let syllables = rng.random_range(2..=3);
            invented(rng, syllables)
        }
    }
}

fn given_name(rng: &mut ChaCha8Rng, female: bool) -> String {
    if rng.random_bool(0.85) {
        pick(rng, if female { WOMEN } else { MEN }).to_owned()
    } else {
        let name = invented(rng, 2);
        if female { format!("{name}a") } else { name }
    }
}

fn phone(rng: &mut ChaCha8Rng) -> String {
    let area = ["617", "508", "413", "978"].choose(rng).copied().unwrap_or_default();
    format!("{area}{:07}", rng.random_range(2_000_000..9_999_999))
}

fn ssn(rng: &mut ChaCha8Rng) -> String {
    let area = rng.random_range(1..660);
    format!("{area:03}{:02}{:04}", rng.random_range(1..99), rng.random_range(1..9999))
}

fn next_number(number: &str) -> String {
    let next = number.parse::<u32>().unwrap_or_default() + 1;
    format!("{next:09}")
}

fn place(rng: &mut ChaCha8Rng) -> Place {
    let (street, kind) = (pick(rng, STREETS), STREET_KINDS.choose(rng).copied());
    let town = rng.random_range(0..60u32);
    Place {
        line: format!("{} {street} {}", rng.random_range(1..2500), kind.unwrap_or_default().0),
        unit: rng.random_bool(0.3).then(|| rng.random_range(1..40)),
        city: format!("{}ton", invented_town(town)),
        state: "MA".into(),
        postal_code: format!("{:05}", 1001 + town * 17 + rng.random_range(0..3)),
    }
}

fn invented_town(number: u32) -> String {
    let (a, b) = (number as usize % SYLLABLES.len(), number as usize / SYLLABLES.len() + 7);
    format!("{}{}", SYLLABLES[a], SYLLABLES[b % SYLLABLES.len()])
}
