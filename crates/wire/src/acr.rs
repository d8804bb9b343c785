//! How strongly somebody signed in, as one word: the authentication context class reference.
//!
//! It is read off the methods (`amr`, RFC 8176), so that the two never disagree.

/// A password alone: authenticator assurance level 1 of NIST SP 800-63B.
pub const SINGLE_FACTOR: &str = "http://idmanagement.gov/ns/assurance/aal/1";
/// Two factors of which one may be passed on to an impostor, a one-time code for example:
/// authenticator assurance level 2 of NIST SP 800-63B.
pub const TWO_FACTORS: &str = "http://idmanagement.gov/ns/assurance/aal/2";
/// A factor that cannot be passed on to an impostor's site, a passkey that checked its owner:
/// `phr` of OpenID Connect Extended Authentication Profile ACR Values 1.0.
pub const PHISHING_RESISTANT: &str = "phr";

/// The methods of RFC 8176 that prove possession of a key.
const KEYS: [&str; 3] = ["pop", "hwk", "swk"];

/// The class of these methods.
pub fn acr<T: AsRef<str>>(amr: &[T]) -> &'static str {
    let has = |method: &str| amr.iter().any(|given| given.as_ref() == method);
    match (has("mfa"), KEYS.into_iter().any(has)) {
        (true, true) => PHISHING_RESISTANT,
        (true, false) => TWO_FACTORS,
        (false, _) => SINGLE_FACTOR,
    }
}

/// How strong a class is, from 1; `None` for a class that is not known here.
pub fn level(acr: &str) -> Option<u8> {
    let all = [SINGLE_FACTOR, TWO_FACTORS, PHISHING_RESISTANT];
    let at = all.into_iter().position(|known| known == acr)?;
    u8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_follows_from_the_methods() {
        for (amr, expected) in [
            (vec![], SINGLE_FACTOR),
            (vec!["pwd"], SINGLE_FACTOR),
            (vec!["pop"], SINGLE_FACTOR),
            (vec!["pwd", "otp", "mfa"], TWO_FACTORS),
            (vec!["pop", "user", "mfa"], PHISHING_RESISTANT),
            (vec!["pwd", "hwk", "mfa"], PHISHING_RESISTANT),
        ] {
            assert_eq!(acr(&amr), expected, "{amr:?}");
        }
    }
}
