//! Cryptographic long-term keys: what can be compared of a person without saying who it is.
//!
//! A record becomes a few Bloom filters, one for each [`View`] and each name, address or number the
//! person has. The normalised fields of [`Person`] are cut into q-grams; each sets bits at positions
//! that a keyed hash gives (Schnell, Bachteler, Reiher 2011, record-level filters), with a key of
//! its own for every field (HKDF). Then the filter is hardened: halves are XORed ("XOR folding",
//! Schnell and Borgs 2016), and every bit is turned over with probability 1/(1+e^ε) ("BLIP",
//! Alaggan, Gambs, Kermarrec 2012). Whoever has the key can try names; whoever has not sees noise.
//!
//! * [`encode`] makes filters, [`noise`] turns bits over, [`compare`] says which filters are alike.
//!
//! Everything here is a function of its arguments: noise comes from a seed.

pub mod compare;
mod encode;
mod noise;

pub use compare::{Bound, Probe};
pub use encode::{Encoder, Hashing, Scheme};
pub use noise::{Epsilon, InvalidEpsilon, Noise};

/// Bits of a filter as it is published.
pub const BITS: usize = 512;
/// The same in words of 64 bits.
pub const WORDS: usize = BITS / 64;
/// Bytes of a filter as it is published.
pub const BYTES: usize = BITS / 8;
/// The most encodings of one record.
pub const MAX_ENCODINGS: usize = 8;

/// A filter, 512 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Filter(pub [u64; WORDS]);

impl Filter {
    /// How many bits are set.
    pub fn ones(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// How many bits are set in both.
    pub fn common(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a & b).count_ones()).sum()
    }

    /// Its bytes, the lowest bits first.
    pub fn to_bytes(&self) -> [u8; BYTES] {
        let mut out = [0; BYTES];
        for (to, word) in out.chunks_exact_mut(8).zip(&self.0) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Reads what [`Filter::to_bytes`] gave; `None` for another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != BYTES {
            return None;
        }
        let mut words = [0; WORDS];
        for (word, from) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(from.try_into().ok()?);
        }
        Some(Self(words))
    }
}

/// Which fields a filter holds. Filters are compared within one view only, so that one wrong or
/// changed field does not hide a person whom the others show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum View {
    /// Family name, given name, birth date.
    Name,
    /// Given name, birth date, and an address or a telephone number: for changed family names.
    Contact,
    /// Family and given name with an address or a telephone number: for wrong birth dates.
    Household,
    /// Birth date and a national number: for names that are nothing alike.
    Number,
}

impl View {
    /// Every view.
    pub const ALL: [Self; 4] = [Self::Name, Self::Contact, Self::Household, Self::Number];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Contact => "contact",
            Self::Household => "household",
            Self::Number => "number",
        }
    }

    /// Its place in [`View::ALL`].
    pub fn index(self) -> usize {
        match self {
            Self::Name => 0,
            Self::Contact => 1,
            Self::Household => 2,
            Self::Number => 3,
        }
    }

    /// How much more alike than in the view of names two filters must be, as a difference of Dice
    /// coefficients.
    pub fn strictness(self) -> f64 {
        match self {
            Self::Name | Self::Contact => 0.0,
            // Families share all but the given name.
            Self::Household | Self::Number => 0.1,
        }
    }
}

/// One filter of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Which fields it holds.
    pub view: View,
    /// The filter.
    pub filter: Filter,
}
