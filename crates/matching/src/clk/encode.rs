//! From a person to filters, and their folding.

use crypto::{CryptoError, MacKey, derive};

use super::{Encoding, Filter, MAX_ENCODINGS, View, WORDS};
use crate::name::Name;
use crate::nickname;
use crate::person::Person;

/// Bits of a filter before it is folded.
const UNFOLDED: usize = 2 * super::BITS;
/// Positions that a name's q-gram sets.
const PER_GRAM: usize = 10;
/// Positions that a digit of a date or number sets.
const PER_DIGIT: usize = 14;
/// The most names, addresses and numbers of each kind that are encoded.
const NAMES: usize = 3;
const CONTACTS: usize = 2;

/// How positions follow from a q-gram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    /// `h1 + i·h2` (Kirsch and Mitzenmacher 2006). The positions of one q-gram form a progression,
    /// which pattern mining exploits; kept to show that.
    Double,
    /// Every position from bytes of its own of the keyed hash ("random hashing", Niedermeyer et al.
    /// 2014).
    Independent,
}

/// How a filter is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// How positions follow from a q-gram.
    pub hashing: Hashing,
    /// Whether halves are XORed; otherwise positions are taken modulo the published length.
    pub fold: bool,
}

impl Scheme {
    /// What nodes publish.
    pub const HARDENED: Self = Self { hashing: Hashing::Independent, fold: true };
    /// As attacks on it are described in the literature.
    pub const PLAIN: Self = Self { hashing: Hashing::Double, fold: false };
}

/// Makes filters under one key.
#[derive(Clone, Debug)]
pub struct Encoder {
    scheme: Scheme,
    family: MacKey,
    given: MacKey,
    date: MacKey,
    place: MacKey,
    phone: MacKey,
    number: MacKey,
}

impl Encoder {
    /// The encoder under `key` (32 bytes of full strength), with a key of its own for every field.
    pub fn new(key: &[u8; 32], scheme: Scheme) -> Result<Self, CryptoError> {
        let field = |name: &str| -> Result<MacKey, CryptoError> {
            Ok(MacKey::new(&derive(key, &[b"consilium clk version 1", name.as_bytes()])?))
        };
        Ok(Self {
            scheme,
            family: field("family")?,
            given: field("given")?,
            date: field("birth date")?,
            place: field("place")?,
            phone: field("phone")?,
            number: field("number")?,
        })
    }

    /// The filters of a person, without noise: at most [`MAX_ENCODINGS`], none of somebody of whom
    /// too little is known. Former names, further addresses and numbers have filters of their own.
    pub fn encode(&self, person: &Person) -> Vec<Encoding> {
        let mut out: Vec<Encoding> = Vec::new();
        let mut add = |view, bits: Option<Bits>| {
            let Some(bits) = bits else { return };
            let encoding = Encoding { view, filter: bits.finish(self.scheme) };
            if out.len() < MAX_ENCODINGS && !out.contains(&encoding) {
                out.push(encoding);
            }
        };
        for name in person.names.iter().take(NAMES) {
            add(View::Name, self.by_name(name, person));
        }
        add(View::Number, self.by_number(person));
        let Some(name) = person.names.first() else { return out };
        for contact in self.contacts(person) {
            add(View::Contact, self.by_contact(name, person, &contact));
        }
        for contact in self.contacts(person) {
            add(View::Household, self.by_household(name, &contact));
        }
        out
    }

    /// The filter of the family names alone: what an attack on single fields sees.
    pub fn family_only(&self, person: &Person) -> Option<Filter> {
        let name = person.names.first().filter(|name| !name.family.is_empty())?;
        let mut bits = Bits::default();
        self.grams(&mut bits, &self.family, &name.family);
        Some(bits.finish(self.scheme))
    }

    fn by_name(&self, name: &Name, person: &Person) -> Option<Bits> {
        if name.family.is_empty() && name.given.is_empty() {
            return None;
        }
        let mut bits = Bits::default();
        self.grams(&mut bits, &self.family, &name.family);
        self.grams(&mut bits, &self.given, formal(&name.given));
        self.date(&mut bits, person);
        Some(bits)
    }

    fn by_contact(&self, name: &Name, person: &Person, contact: &Contact) -> Option<Bits> {
        person.birth_date?;
        if name.given.is_empty() {
            return None;
        }
        let mut bits = Bits::default();
        self.grams(&mut bits, &self.given, formal(&name.given));
        self.date(&mut bits, person);
        self.contact(&mut bits, contact);
        Some(bits)
    }

    fn by_household(&self, name: &Name, contact: &Contact) -> Option<Bits> {
        if name.family.is_empty() || name.given.is_empty() {
            return None;
        }
        let mut bits = Bits::default();
        self.grams(&mut bits, &self.family, &name.family);
        self.grams(&mut bits, &self.given, formal(&name.given));
        self.contact(&mut bits, contact);
        Some(bits)
    }

    fn by_number(&self, person: &Person) -> Option<Bits> {
        let ssn = person.ssns.iter().find_map(|ssn| match ssn {
            crate::identifier::Ssn::Full(number) => Some(number),
            crate::identifier::Ssn::LastFour(_) => None,
        })?;
        person.birth_date?;
        let mut bits = Bits::default();
        self.digits(&mut bits, &self.number, ssn.as_bytes());
        self.date(&mut bits, person);
        Some(bits)
    }

    fn contacts(&self, person: &Person) -> Vec<Contact> {
        let places = person.addresses.iter().filter(|a| a.postal_code.len() == 5);
        let places = places.map(|a| Contact::Place(a.postal_code.clone(), a.number().to_owned()));
        let phones = person.phones.iter().map(|phone| Contact::Phone(phone.clone()));
        phones.take(CONTACTS).chain(places.take(CONTACTS)).collect()
    }

    fn contact(&self, bits: &mut Bits, contact: &Contact) {
        match contact {
            Contact::Phone(phone) => {
                let tail = phone.get(phone.len().saturating_sub(7)..).unwrap_or_default();
                self.digits(bits, &self.phone, tail.as_bytes());
            }
            Contact::Place(code, number) => {
                self.digits(bits, &self.place, code.as_bytes());
                bits.set(
                    self.scheme,
                    &self.place.sign(&[b"number ", number.as_bytes()]),
                    2 * PER_DIGIT,
                );
            }
        }
    }

    /// Pairs of letters of a name, with a gap before and behind it.
    fn grams(&self, bits: &mut Bits, key: &MacKey, word: &str) {
        let mut before = ' ';
        for letter in word.chars().chain([' ']).filter(|_| !word.is_empty()) {
            let gram = [before, letter].iter().collect::<String>();
            bits.set(self.scheme, &key.sign(&[gram.as_bytes()]), PER_GRAM);
            before = letter;
        }
    }

    /// The digits of a birth date, each with its place.
    fn date(&self, bits: &mut Bits, person: &Person) {
        let Some(date) = person.birth_date else { return };
        let written = date.digits().map(|digit| digit + b'0');
        // Month and day as wholes weigh more than their digits: they do not come one without the
        // other.
        self.digits(bits, &self.date, &written);
        let (year, rest) = written.split_at(4);
        let (month, day) = rest.split_at(2);
        let mut ordered = [month, day];
        ordered.sort_unstable();
        bits.set(self.scheme, &self.date.sign(&[b"year ", year]), PER_DIGIT);
        // In this order day and month may be exchanged.
        bits.set(self.scheme, &self.date.sign(&[b"rest ", ordered[0], ordered[1]]), PER_DIGIT);
    }

    fn digits(&self, bits: &mut Bits, key: &MacKey, digits: &[u8]) {
        for (at, digit) in (0u8..).zip(digits) {
            bits.set(self.scheme, &key.sign(&[&[at, *digit]]), PER_DIGIT);
        }
    }
}

enum Contact {
    Phone(String),
    Place(String, String),
}

/// The formal name of a familiar one, so that `bob` and `robert` meet; others as they are.
fn formal(given: &str) -> &str {
    match nickname::is_formal(given) {
        true => given,
        false => {
            nickname::forms(given).into_iter().find(|f| nickname::is_formal(f)).unwrap_or(given)
        }
    }
}

/// A filter in the making.
#[derive(Default)]
struct Bits([u64; 2 * WORDS]);

impl Bits {
    /// Sets `count` positions, at most 32, that follow from a keyed hash.
    fn set(&mut self, scheme: Scheme, hash: &[u8; 32], count: usize) {
        let numbers = |at: usize| {
            let pair = [at, at + 1].map(|at| hash.get(at % 32).copied().unwrap_or_default());
            usize::from(u16::from_le_bytes(pair))
        };
        for i in 0..count {
            let position = match scheme.hashing {
                // Beyond 16 positions the bytes are read once more, one further on.
                Hashing::Independent => numbers(2 * i + i / 16),
                Hashing::Double => numbers(0) + i * (numbers(2) | 1),
            };
            let position = position % if scheme.fold { UNFOLDED } else { UNFOLDED / 2 };
            if let Some(word) = self.0.get_mut(position / 64) {
                *word |= 1 << (position % 64);
            }
        }
    }

    fn finish(self, scheme: Scheme) -> Filter {
        let (low, high) = self.0.split_at(WORDS);
        let mut words = [0; WORDS];
        for ((to, low), high) in words.iter_mut().zip(low).zip(high) {
            *to = if scheme.fold { low ^ high } else { *low };
        }
        Filter(words)
    }
}
