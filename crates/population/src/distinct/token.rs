//! A name for a person that institutions make alike and that tells nothing without the key.

use crypto::{CryptoError, MacKey, derive};

use super::Cells;

/// What separates the tokens from everything else that a key may be used for.
const DOMAIN: &[u8] = b"consilium population token 1";
const QUESTION: &[u8] = b"consilium population question 1";

/// The key with which the institutions of a network make tokens.
#[derive(Clone, Debug)]
pub struct TokenKey(MacKey);

/// A person, to those who hold the key. Never leaves an institution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; 32]);

/// The key that deals tokens into the cells of one question.
#[derive(Clone, Debug)]
pub struct QuestionKey(MacKey);

impl TokenKey {
    /// From 32 secret bytes that the institutions share.
    pub fn new(key: &[u8; 32]) -> Result<Self, CryptoError> {
        derive(key, &[DOMAIN]).map(|key| Self(MacKey::new(&key)))
    }

    /// HMAC-SHA256 over what identifies a person, each part with its length before it: for instance date of
    /// birth, administrative sex, family and given name, all in the form that the institutions agreed on.
    pub fn token(&self, parts: &[&[u8]]) -> Token {
        let lengths: Vec<[u8; 8]> =
            parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let all: Vec<&[u8]> = lengths
            .iter()
            .zip(parts)
            .flat_map(|(length, part)| [length.as_slice(), *part])
            .collect();
        Token(self.0.sign(&all))
    }
}

impl QuestionKey {
    /// From the shared key and what names the question, so that every question has other cells.
    pub fn new(key: &[u8; 32], question: &[u8]) -> Result<Self, CryptoError> {
        derive(key, &[QUESTION, question]).map(|key| Self(MacKey::new(&key)))
    }

    /// The cell of a token.
    pub(crate) fn cell(&self, token: &Token, cells: Cells) -> usize {
        let mac = self.0.sign(&[&token.0]);
        let number = mac.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        // The number of cells is a power of two.
        (number & (u64::from(cells.count()) - 1)) as usize
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_depend_on_every_part_and_the_key() {
        let key = TokenKey::new(&[1; 32]).unwrap();
        assert_eq!(key.token(&[b"a", b"b"]), key.token(&[b"a", b"b"]));
        assert_ne!(key.token(&[b"a", b"b"]), key.token(&[b"ab"]));
        assert_ne!(key.token(&[b"a", b"b"]), key.token(&[b"ab", b""]));
        assert_ne!(key.token(&[b"a"]), TokenKey::new(&[2; 32]).unwrap().token(&[b"a"]));
        assert_eq!(format!("{:?}", key.token(&[b"a"])), "Token");
    }

    #[test]
    fn every_question_has_other_cells() {
        let cells = Cells::new(1024, 1_000_000).unwrap();
        let tokens = TokenKey::new(&[1; 32]).unwrap();
        let one = QuestionKey::new(&[1; 32], b"one").unwrap();
        let two = QuestionKey::new(&[1; 32], b"two").unwrap();
        let mut same = 0;
        let mut seen = vec![0u32; 1024];
        for person in 0..20_480u32 {
            let token = tokens.token(&[&person.to_be_bytes()]);
            same += u32::from(one.cell(&token, cells) == two.cell(&token, cells));
            seen[one.cell(&token, cells)] += 1;
        }
        assert!(same < 60, "{same} of 20480 in the same of 1024 cells; 20 are expected");
        // Chi-squared with 1023 degrees of freedom: 1023 ± 45.
        let chi: f64 = seen.iter().map(|n| (f64::from(*n) - 20.0).powi(2) / 20.0).sum();
        assert!((800.0..1250.0).contains(&chi), "{chi}");
    }
}
