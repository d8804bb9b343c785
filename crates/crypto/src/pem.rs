//! PEM (RFC 7468): one labelled block of base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::CryptoError;

/// Longer texts are no key and no certificate of ours.
const MAX_LENGTH: usize = 64 * 1024;

/// `der` in a block with `label`, 64 characters a line.
pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    // Reserved at once, so that growing leaves no copy of a secret behind.
    let mut out = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    out.push_str(&format!("-----BEGIN {label}-----\n"));
    for (i, character) in body.chars().enumerate() {
        if i > 0 && i % 64 == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out.push_str(&format!("\n-----END {label}-----\n"));
    Zeroizing::new(out)
}

/// The content of the only block in `text`, which must carry `label`.
pub(crate) fn decode(label: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let fault = CryptoError::Pem(label);
    if text.len() > MAX_LENGTH {
        return Err(fault);
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let body = text.trim().strip_prefix(&begin).and_then(|t| t.strip_suffix(&end)).ok_or(fault)?;
    let mut compact = Zeroizing::new(String::with_capacity(body.len()));
    compact.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    STANDARD.decode(compact.as_bytes()).map(Zeroizing::new).map_err(|_| fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trips(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = encode("PRIVATE KEY", &bytes);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            prop_assert_eq!(&**decode("PRIVATE KEY", &text).unwrap(), &bytes[..]);
            prop_assert!(decode("CERTIFICATE", &text).is_err());
        }
    }
}
