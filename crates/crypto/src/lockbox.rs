//! A node's secrets in one sealed text, and the ways to open it.
//!
//! A random **node key** of 256 bits seals the content. The node key itself is sealed once for every
//! *way* to open the box: under a key stretched from a passphrase with argon2id (RFC 9106), under the
//! bytes of a key file, or by a token that does it without giving its key away (PKCS#11). Adding a
//! way, removing one and changing a passphrase touch only these few bytes. Whoever loses every way
//! has lost the content: there is no other key.
//!
//! Pure: reading files, asking people and talking to tokens is the caller's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::aead::AeadKey;
use crate::{CryptoError, Random};

/// The form of the text that this program writes and reads.
const FORM: u32 = 1;
/// Memory of argon2id in KiB, passes and lanes: the second recommendation of RFC 9106, section 4.
const KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// The most memory that a box may ask for in KiB.
const MOST_KIB: u32 = 1024 * 1024;
/// Characters of the shortest passphrase.
pub const SHORTEST: usize = 12;
const NODE: &[u8] = b"consilium node key";
const CONTENT: &[u8] = b"consilium lockbox";

/// A key that opens a box by a way.
pub type Secret = Zeroizing<[u8; 32]>;

/// A way to open the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Way {
    /// A passphrase that a person knows.
    Passphrase {
        /// Random, base64.
        salt: String,
        /// Memory of argon2id.
        kib: u32,
        /// Its passes.
        passes: u32,
        /// Its lanes.
        lanes: u32,
        /// The node key, sealed.
        sealed: String,
    },
    /// A file with 256 random bits.
    File {
        /// Where it is; below the folder of the box unless absolute.
        path: String,
        /// The node key, sealed.
        sealed: String,
    },
    /// A file that is kept elsewhere, for the day on which the other ways are lost.
    Recovery {
        /// The node key, sealed.
        sealed: String,
    },
    /// A token reached by PKCS#11.
    Token {
        /// The library that speaks to it.
        module: String,
        /// The token's label.
        token: String,
        /// The label of the AES key in it.
        key: String,
        /// The node key, sealed by the token.
        sealed: String,
    },
}

impl Way {
    /// A word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passphrase { .. } => "passphrase",
            Self::File { .. } => "file",
            Self::Recovery { .. } => "recovery",
            Self::Token { .. } => "token",
        }
    }

    /// A new salt and the default cost for a passphrase; the node key is not sealed yet.
    pub fn passphrase(random: &dyn Random) -> Result<Self, CryptoError> {
        let mut salt = [0; 16];
        random.fill(&mut salt)?;
        let (salt, sealed) = (BASE64.encode(salt), String::new());
        Ok(Self::Passphrase { salt, kib: KIB, passes: PASSES, lanes: LANES, sealed })
    }

    /// Stretches a passphrase for this way.
    ///
    /// Errors: [`CryptoError::Sealed`] for another kind of way, or a cost beyond every reason.
    pub fn stretch(&self, passphrase: &str) -> Result<Secret, CryptoError> {
        let Self::Passphrase { salt, kib, passes, lanes, .. } = self else {
            return Err(CryptoError::Sealed);
        };
        let salt = BASE64.decode(salt).map_err(|_| CryptoError::Sealed)?;
        if *kib > MOST_KIB || *passes > 100 {
            return Err(CryptoError::Sealed);
        }
        let params = argon2::Params::new(*kib, *passes, *lanes, Some(32));
        let params = params.map_err(|_| CryptoError::Sealed)?;
        let argon =
            argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let mut out = Zeroizing::new([0; 32]);
        argon
            .hash_password_into(passphrase.as_bytes(), &salt, &mut *out)
            .map_err(|_| CryptoError::Sealed)?;
        Ok(out)
    }

    fn sealed_mut(&mut self) -> &mut String {
        match self {
            Self::Passphrase { sealed, .. }
            | Self::File { sealed, .. }
            | Self::Recovery { sealed }
            | Self::Token { sealed, .. } => sealed,
        }
    }

    /// The node key as it is sealed for this way.
    pub fn sealed(&self) -> Result<Vec<u8>, CryptoError> {
        let (Self::Passphrase { sealed, .. }
        | Self::File { sealed, .. }
        | Self::Recovery { sealed }
        | Self::Token { sealed, .. }) = self;
        BASE64.decode(sealed).map_err(|_| CryptoError::Sealed)
    }
}

/// The box, closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lockbox {
    form: u32,
    /// How often the node key was made anew.
    generation: u32,
    ways: Vec<Way>,
    content: String,
}

/// The box, open: the key that seals its content.
pub struct Opened {
    key: Secret,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened(hidden)")
    }
}

impl Opened {
    /// A new node key.
    pub fn generate(random: &dyn Random) -> Result<Self, CryptoError> {
        let mut key = Zeroizing::new([0; 32]);
        random.fill(&mut *key)?;
        Ok(Self { key })
    }

    /// The node key as the bytes that a token seals.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// Takes the bytes that a token opened.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        let key = <[u8; 32]>::try_from(bytes).map_err(|_| CryptoError::Sealed)?;
        Ok(Self { key: Zeroizing::new(key) })
    }
}

impl Lockbox {
    /// A box with this content, which no way opens yet.
    pub fn new(opened: &Opened, content: &[u8], random: &dyn Random) -> Result<Self, CryptoError> {
        let mut new = Self { form: FORM, generation: 1, ways: Vec::new(), content: String::new() };
        new.fill(opened, content, random)?;
        Ok(new)
    }

    /// Reads the text of a box.
    ///
    /// Errors: [`CryptoError::Sealed`] where it is none, or of a newer form.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let found: Self = serde_json::from_str(text).map_err(|_| CryptoError::Sealed)?;
        if found.form == FORM { Ok(found) } else { Err(CryptoError::Sealed) }
    }

    /// The text of the box.
    pub fn to_text(&self) -> Result<String, CryptoError> {
        serde_json::to_string_pretty(self).map_err(|_| CryptoError::Library)
    }

    /// The ways to open it, in the order in which they were added.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// How often the node key was made anew.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Opens it by a way other than a token.
    ///
    /// Errors: [`CryptoError::Sealed`] where the secret is not the one.
    pub fn open(&self, way: &Way, secret: &Secret) -> Result<Opened, CryptoError> {
        let key = AeadKey::new(secret)?.open(NODE, &way.sealed()?)?;
        Opened::from_bytes(&key)
    }

    /// The content.
    pub fn content(&self, opened: &Opened) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let sealed = BASE64.decode(&self.content).map_err(|_| CryptoError::Sealed)?;
        AeadKey::new(&opened.key)?.open(CONTENT, &sealed)
    }

    /// Replaces the content.
    pub fn fill(
        &mut self,
        opened: &Opened,
        content: &[u8],
        random: &dyn Random,
    ) -> Result<(), CryptoError> {
        let sealed = AeadKey::new(&opened.key)?.seal(CONTENT, content, random)?;
        self.content = BASE64.encode(sealed);
        Ok(())
    }

    /// Adds a way that opens with `secret`, or replaces the one at `place`.
    pub fn add(
        &mut self,
        opened: &Opened,
        way: Way,
        place: Option<usize>,
        secret: &Secret,
        random: &dyn Random,
    ) -> Result<(), CryptoError> {
        let sealed = AeadKey::new(secret)?.seal(NODE, &*opened.key, random)?;
        self.add_sealed(way, place, &sealed);
        Ok(())
    }

    /// The same with the node key as a token sealed it.
    pub fn add_sealed(&mut self, mut way: Way, place: Option<usize>, sealed: &[u8]) {
        *way.sealed_mut() = BASE64.encode(sealed);
        match place.and_then(|place| self.ways.get_mut(place)) {
            Some(there) => *there = way,
            None => self.ways.push(way),
        }
    }

    /// Removes a way; the last one stays. Returns whether it went.
    pub fn remove(&mut self, place: usize) -> bool {
        let removable = self.ways.len() > 1 && place < self.ways.len();
        if removable {
            self.ways.remove(place);
        }
        removable
    }

    /// Says that the node key is another one from now on. The caller seals the content and every way
    /// again.
    pub fn next_generation(&mut self) {
        self.generation = self.generation.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    fn cheap() -> Way {
        match Way::passphrase(&SystemRandom).unwrap() {
            Way::Passphrase { salt, sealed, .. } => {
                Way::Passphrase { salt, sealed, kib: 64, passes: 1, lanes: 1 }
            }
            other => other,
        }
    }

    #[test]
    fn every_way_opens_the_box_and_no_other_does() {
        let random = &SystemRandom;
        let opened = Opened::generate(random).unwrap();
        let mut new = Lockbox::new(&opened, b"content", random).unwrap();
        let way = cheap();
        let secret = way.stretch("correct horse battery").unwrap();
        new.add(&opened, way, None, &secret, random).unwrap();
        let file = Way::File { path: "node.key".into(), sealed: String::new() };
        new.add(&opened, file, None, &Zeroizing::new([3; 32]), random).unwrap();
        let read = Lockbox::parse(&new.to_text().unwrap()).unwrap();
        assert_eq!(read, new);
        let [passphrase, file] = read.ways() else { panic!("two ways") };
        for (way, secret) in [(passphrase, secret), (file, Zeroizing::new([3; 32]))] {
            let opened = read.open(way, &secret).unwrap();
            assert_eq!(read.content(&opened).unwrap().as_slice(), b"content");
        }
        let wrong = passphrase.stretch("correct horse batteri").unwrap();
        assert_eq!(read.open(passphrase, &wrong).unwrap_err(), CryptoError::Sealed);
        assert!(read.open(file, &Zeroizing::new([4; 32])).is_err());
        assert!(file.stretch("x").is_err());
    }

    #[test]
    fn the_last_way_stays_and_newer_forms_are_refused() {
        let random = &SystemRandom;
        let opened = Opened::generate(random).unwrap();
        let mut new = Lockbox::new(&opened, b"", random).unwrap();
        let way = || Way::Recovery { sealed: String::new() };
        new.add(&opened, way(), None, &Zeroizing::new([1; 32]), random).unwrap();
        assert!(!new.remove(0));
        new.add(&opened, way(), None, &Zeroizing::new([2; 32]), random).unwrap();
        assert!(new.remove(0) && !new.remove(0));
        let newer = new.to_text().unwrap().replace("\"form\": 1", "\"form\": 2");
        assert!(Lockbox::parse(&newer).is_err());
    }
}
