//! What is made from the key of a project: pseudonyms, shifts of dates, noise, UIDs.
//!
//! Each use has a key of its own (HKDF, `crypto::derive`), so what is known of one says nothing
//! about another, and two projects see codes that cannot be matched. A pseudonym is made from the
//! type and id that a node gave a resource; a recipe must not feed it a number that the person
//! carries (45 CFR 164.514(c): the code is not derived from information about the individual).

use crypto::{CryptoError, MacKey, derive};

/// The key of one project at one institution. It never appears in `Debug`.
#[derive(Clone)]
pub struct ProjectKey {
    ids: MacKey,
    shifts: MacKey,
    noise: MacKey,
    uids: MacKey,
}

impl std::fmt::Debug for ProjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProjectKey")
    }
}

impl ProjectKey {
    /// The keys of `project` out of a secret of the institution: 32 random bytes.
    pub fn new(secret: &[u8; 32], project: &str) -> Result<Self, CryptoError> {
        let key = |purpose: &str| {
            let info = [b"consilium de-identification".as_slice(), purpose.as_bytes()];
            let made = derive(secret, &[info[0], info[1], project.as_bytes()])?;
            Ok::<_, CryptoError>(MacKey::new(&made))
        };
        Ok(Self {
            ids: key("ids")?,
            shifts: key("shifts")?,
            noise: key("noise")?,
            uids: key("uids")?,
        })
    }

    /// The pseudonym of a resource: 128 bits of HMAC-SHA256 over type and id, as 32 hexadecimal
    /// digits (a valid FHIR id).
    pub fn pseudonym(&self, resource_type: &str, id: &str) -> String {
        hex(&mac(&self.ids, &[resource_type, id]))
    }

    /// The days by which all dates of a patient move: from `-bound` to `bound`, never 0 while
    /// `bound` is above 0.
    pub fn shift_days(&self, patient: &str, bound: u16) -> i32 {
        let bound = i64::from(bound);
        if bound == 0 {
            return 0;
        }
        let made = first_u64(&mac(&self.shifts, &["Patient", patient]));
        // 64 bits over at most 7300 values: the bias is below 2⁻⁵⁰.
        let step = i64::try_from(made % (2 * bound) as u64).unwrap_or_default();
        let days = if step < bound { step - bound } else { step - bound + 1 };
        i32::try_from(days).unwrap_or_default()
    }

    /// A number from -1 to 1, fixed by what it is for.
    pub(super) fn noise(&self, parts: &[&str]) -> f64 {
        let made = first_u64(&mac(&self.noise, parts)) >> 11;
        (made as f64) / ((1u64 << 52) as f64) - 1.0
    }

    /// A DICOM UID in place of another: `2.25.` and 122 bits as a decimal number (DICOM PS3.5
    /// section B.2), the same wherever the other one stands.
    pub fn uid(&self, original: &str) -> String {
        let made = mac(&self.uids, &[original]);
        let number = u128::from_be_bytes(first(&made)) >> 6;
        format!("2.25.{number}")
    }
}

/// HMAC over the parts, each with its length before it.
fn mac(key: &MacKey, parts: &[&str]) -> [u8; 32] {
    let lengths: Vec<[u8; 8]> =
        parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
    let both = lengths.iter().zip(parts).flat_map(|(l, part)| [l.as_slice(), part.as_bytes()]);
    key.sign(&both.collect::<Vec<_>>())
}

fn first<const N: usize>(bytes: &[u8; 32]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

fn first_u64(bytes: &[u8; 32]) -> u64 {
    u64::from_be_bytes(first(bytes))
}

fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| DIGITS.get(usize::from(four)).map_or('0', |&d| char::from(d));
    bytes.iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
