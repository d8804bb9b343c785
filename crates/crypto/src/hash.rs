//! SHA-2, hexadecimal text, and SHA-1 where a standard prescribes it.

use aws_lc_rs::digest::{SHA384, SHA512, digest};

/// SHA-256 (FIPS 180-4) of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256_of_parts(&[bytes])
}

/// SHA-384.
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    let mut out = [0; 48];
    out.copy_from_slice(digest(&SHA384, bytes).as_ref());
    out
}

/// SHA-512.
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(digest(&SHA512, bytes).as_ref());
    out
}

/// What is hashed at once in one piece: making a context costs as much as a block.
const AT_ONCE: usize = 448;

/// SHA-256 of the parts one after the other.
pub fn sha256_of_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut whole = [0; AT_ONCE];
    let mut free = whole.as_mut_slice();
    let mut fits = true;
    for part in parts {
        let Some((here, behind)) = std::mem::take(&mut free).split_at_mut_checked(part.len())
        else {
            fits = false;
            break;
        };
        here.copy_from_slice(part);
        free = behind;
    }
    if fits {
        let size = AT_ONCE - free.len();
        let whole = whole.get(..size).unwrap_or_default();
        out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, whole).as_ref());
        return out;
    }
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// SHA-256 of what comes piece by piece.
pub struct Sha256(aws_lc_rs::digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }

    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

/// SHA-1 (FIPS 180-4) of `bytes`, which FHIR R4 prescribes for `Attachment.hash`. It finds what was
/// damaged on the way and proves nothing against somebody who forges: give a [`sha256`] beside it.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    let algorithm = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
    let mut out = [0; 20];
    out.copy_from_slice(aws_lc_rs::digest::digest(algorithm, bytes).as_ref());
    out
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Reads exactly 64 hexadecimal digits; `None` for anything else.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_published_examples() {
        // FIPS 180-4 examples for the empty message and "abc".
        for (text, expected) in [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            assert_eq!(hex(&sha256(text.as_bytes())), expected);
        }
        assert_eq!(sha256_of_parts(&[b"a", b"", b"bc"]), sha256(b"abc"));
        // On both sides of what is hashed in one piece.
        for size in [AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE] {
            let bytes = vec![7; size];
            let (a, b) = bytes.split_at(size / 3);
            let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
            assert_eq!(sha256_of_parts(&[a, b]), expected.as_ref());
        }
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    proptest! {
        #[test]
        fn hexadecimal_round_trips(bytes in any::<[u8; 32]>()) {
            prop_assert_eq!(from_hex(&hex(&bytes)), Some(bytes));
            prop_assert_eq!(from_hex(&hex(&bytes[1..])), None);
        }
    }
}
