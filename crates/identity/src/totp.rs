//! Time-based one-time codes (RFC 6238): SHA-1, six digits, steps of 30 seconds.

use totp_rs::{Algorithm, Builder, Secret, Totp};

/// Seconds of one step.
pub(crate) const STEP_S: u64 = 30;
/// Bytes of a new secret (RFC 4226, section 4, recommends 160 bits).
pub(crate) const SECRET_BYTES: usize = 20;
/// Fewest bytes of a secret (RFC 4226, section 4, requires 128 bits).
pub(crate) const MIN_SECRET_BYTES: usize = 16;
/// Most bytes of a secret.
pub(crate) const MAX_SECRET_BYTES: usize = 64;

/// How a code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The code of this step, which is later than any accepted before.
    Good(u64),
    /// Right, but of a step that is already used up.
    Used,
    /// Not a code of this, the previous or the next step.
    Wrong,
}

/// Checks `code` at `now_ms`. One step to either side is tolerated for clocks that differ and for
/// slow typing (RFC 6238, section 5.2); nothing up to step `last` is taken again.
pub(crate) fn check(secret: &[u8], code: &str, now_ms: i64, last: Option<u64>) -> Code {
    let Some(totp) = totp(secret) else { return Code::Wrong };
    // People type codes in two groups of three, as their devices show them.
    let code: String = code.chars().filter(|c| !c.is_whitespace()).take(12).collect();
    let now_step = u64::try_from(now_ms).unwrap_or(0) / 1000 / STEP_S;
    let mut outcome = Code::Wrong;
    for step in now_step.saturating_sub(1)..=now_step.saturating_add(1) {
        if totp.check(&code, step.saturating_mul(STEP_S)).is_none() {
            continue;
        }
        if last.is_none_or(|last| step > last) {
            return Code::Good(step);
        }
        outcome = Code::Used;
    }
    outcome
}

fn totp(secret: &[u8]) -> Option<Totp> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(0)
        .with_step_duration(STEP_S)
        .with_secret(Secret::from(secret.to_vec()))
        .build()
        .ok()
}

/// The code that an authenticator shows at `now_ms` for a secret in base32; `None` where the secret
/// is not one.
pub fn code_at(secret_base32: &str, now_ms: i64) -> Option<String> {
    let secret = Secret::try_from_base32(secret_base32.trim()).ok()?;
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(0)
        .with_step_duration(STEP_S)
        .with_secret(secret)
        .build()
        .ok()?;
    Some(totp.generate(u64::try_from(now_ms).ok()? / 1000).to_string())
}

/// The secret in base32 (RFC 4648) without padding, as people type it into an authenticator.
pub fn base32(secret: &[u8]) -> String {
    Secret::from(secret.to_vec()).to_base32()
}

/// The `otpauth` URI that authenticators read from a picture.
pub fn otpauth_uri(secret: &[u8], issuer: &str, username: &str) -> String {
    format!(
        "otpauth://totp/{issuer}:{username}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&\
         period={STEP_S}",
        base32(secret),
        issuer = percent(issuer),
        username = percent(username),
    )
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn agrees_with_rfc_6238_appendix_b() {
        // The published codes have eight digits; six-digit codes are their last six.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = seconds / 30;
            assert_eq!(check(SECRET, code, seconds * 1000, None), Code::Good(step as u64));
        }
    }

    #[test]
    fn one_step_of_tolerance_and_no_second_use() {
        let at = |seconds: i64, last| check(SECRET, "287082", seconds * 1000, last);
        for (seconds, last, expected) in [
            (29, None, Code::Good(1)),
            (89, None, Code::Good(1)),
            (90, None, Code::Wrong),
            (45, Some(0), Code::Good(1)),
            (45, Some(1), Code::Used),
            (45, Some(2), Code::Used),
            (-1, None, Code::Good(1)),
        ] {
            assert_eq!(at(seconds, last), expected, "{seconds} {last:?}");
        }
        assert_eq!(check(SECRET, " 287 082 ", 45_000, None), Code::Good(1));
        for wrong in ["", "28708", "2870820", "+28708", "abcdef", "٢٨٧٠٨٢"] {
            assert_eq!(check(SECRET, wrong, 45_000, None), Code::Wrong, "{wrong}");
        }
        assert_eq!(check(b"short", "287082", 45_000, None), Code::Wrong);
    }

    #[test]
    fn the_uri_is_escaped() {
        assert_eq!(
            otpauth_uri(SECRET, "North Hospital", "ada@x"),
            "otpauth://totp/North%20Hospital:ada%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=North%20Hospital&algorithm=SHA1&digits=6&period=30"
        );
    }
}
