//! How strongly and how freshly a person must have signed in for an app (RFC 9470; OpenID Connect
//! Core 1.0, sections 3.1.2.1 and 5.5.1.1).

use serde_json::Value;
use wire::acr;

/// Most classes that are looked at.
const MAX_CLASSES: usize = 10;
/// Longest parameter `claims`, in bytes.
const MAX_CLAIMS: usize = 4_000;

/// What a request demands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The weakest class that is enough, as [`acr::level`] counts.
    pub level: Option<u8>,
    /// How long ago the person may have shown who they are, in seconds.
    pub max_age_s: Option<i64>,
    /// Whether the person must do so after the request came (`prompt=login`).
    pub anew: bool,
}

/// How somebody is signed in.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The class of the session.
    pub acr: &'a str,
    /// When the session began, milliseconds since the Unix epoch.
    pub signed_in_ms: i64,
    /// When a second factor was last proved.
    pub factor_ms: Option<i64>,
}

impl Shown<'_> {
    /// When the person last showed who they are: at the sign-in or at a later second factor.
    pub fn newest_ms(&self) -> i64 {
        self.factor_ms.map_or(self.signed_in_ms, |factor| factor.max(self.signed_in_ms))
    }
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A passkey.
    Passkey,
    /// A second factor, or a fresh one.
    Factor,
    /// Any fresh sign of who they are.
    Presence,
}

impl Demand {
    /// Reads the parameters. The error says which of them cannot be read; `Ok(None)` stands for
    /// classes of which this server knows none.
    pub fn read(
        acr_values: Option<&str>,
        max_age: Option<&str>,
        prompt: Option<&str>,
        claims: Option<&str>,
    ) -> Result<Option<Self>, &'static str> {
        let mut classes: Vec<String> = acr_values
            .unwrap_or_default()
            .split_ascii_whitespace()
            .take(MAX_CLASSES)
            .map(str::to_owned)
            .collect();
        classes.extend(claimed(claims)?);
        let level = match classes.is_empty() {
            true => None,
            false => match classes.iter().filter_map(|class| acr::level(class)).min() {
                None => return Ok(None),
                known => known,
            },
        };
        let max_age_s = match max_age {
            None => None,
            Some(text) => {
                let plain = text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= 9;
                Some(
                    text.parse()
                        .ok()
                        .filter(|_| plain)
                        .ok_or("`max_age` is a number of seconds")?,
                )
            }
        };
        let anew = prompt.unwrap_or_default().split_ascii_whitespace().any(|word| word == "login");
        Ok(Some(Self { level, max_age_s, anew }))
    }

    /// Whether somebody is signed in as is demanded; `asked_ms` is when the request came.
    pub fn judge(&self, shown: Shown<'_>, asked_ms: i64, now_ms: i64) -> Result<(), Missing> {
        let passkey = acr::level(acr::PHISHING_RESISTANT);
        let missing = match self.level {
            level if level.is_some() && level == passkey => Missing::Passkey,
            Some(level) if Some(level) > acr::level(acr::SINGLE_FACTOR) => Missing::Factor,
            _ => Missing::Presence,
        };
        if self.level > acr::level(shown.acr) {
            return Err(missing);
        }
        // Where a factor is demanded, the factor must be fresh, and not the password alone.
        let since_ms = match missing {
            Missing::Presence => shown.newest_ms(),
            _ => shown.factor_ms.ok_or(missing)?,
        };
        let age_ms = now_ms.saturating_sub(since_ms);
        let too_old = self.max_age_s.is_some_and(|most| age_ms > most.saturating_mul(1000));
        // Where nothing may have passed, what was shown since the request came is enough.
        if (too_old || self.anew) && since_ms < asked_ms {
            return Err(missing);
        }
        Ok(())
    }
}

/// The classes that `claims` asks the ID token to have.
fn claimed(claims: Option<&str>) -> Result<Vec<String>, &'static str> {
    let Some(text) = claims else { return Ok(Vec::new()) };
    let fault = "`claims` is a JSON object of at most 4,000 characters";
    if text.len() > MAX_CLAIMS {
        return Err(fault);
    }
    let claims: serde_json::Map<String, Value> = serde_json::from_str(text).map_err(|_| fault)?;
    let acr = claims.get("id_token").and_then(|claims| claims.get("acr"));
    let one = acr.and_then(|acr| acr.get("value"));
    let several = acr.and_then(|acr| acr.get("values")).and_then(Value::as_array);
    let all = one.into_iter().chain(several.into_iter().flatten());
    Ok(all.filter_map(Value::as_str).take(MAX_CLASSES).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(acr: &str, age: Option<i64>, anew: bool) -> Demand {
        let level = (!acr.is_empty()).then(|| acr::level(acr).unwrap());
        Demand { level, max_age_s: age, anew }
    }

    #[test]
    fn a_session_is_strong_and_fresh_enough_or_says_what_is_missing() {
        let at = |acr, signed_in_ms, factor_ms| Shown { acr, signed_in_ms, factor_ms };
        let (one, two, phr) = (acr::SINGLE_FACTOR, acr::TWO_FACTORS, acr::PHISHING_RESISTANT);
        for (demand, shown, expected) in [
            (demand("", None, false), at(one, 0, None), Ok(())),
            (demand(one, None, false), at(one, 0, None), Ok(())),
            (demand(two, None, false), at(one, 0, None), Err(Missing::Factor)),
            (demand(two, None, false), at(two, 0, Some(0)), Ok(())),
            (demand(two, None, false), at(phr, 0, Some(0)), Ok(())),
            (demand(phr, None, false), at(two, 0, Some(0)), Err(Missing::Passkey)),
            (demand("", Some(300), false), at(one, 700_000, None), Ok(())),
            (demand("", Some(300), false), at(one, 600_000, None), Err(Missing::Presence)),
            (demand("", Some(300), false), at(one, 0, Some(800_000)), Ok(())),
            (demand(two, Some(300), false), at(two, 900_000, Some(0)), Err(Missing::Factor)),
            (demand(two, Some(300), false), at(two, 0, Some(900_000)), Ok(())),
            (demand("", None, true), at(two, 900_000, Some(900_000)), Err(Missing::Presence)),
            (demand("", None, true), at(two, 0, Some(950_000)), Ok(())),
            (demand("", Some(0), false), at(two, 0, Some(960_000)), Ok(())),
            (demand("", Some(0), false), at(two, 0, Some(940_000)), Err(Missing::Presence)),
        ] {
            assert_eq!(demand.judge(shown, 950_000, 1_000_000), expected, "{demand:?} {shown:?}");
        }
    }

    #[test]
    fn parameters_are_read_or_refused() {
        let read = |acr, age, claims| Demand::read(acr, age, Some("login consent"), claims);
        let all = read(Some("urn:x phr"), Some("0"), None).unwrap().unwrap();
        assert_eq!(all, Demand { level: acr::level("phr"), max_age_s: Some(0), anew: true });
        assert_eq!(read(Some("urn:x"), None, None), Ok(None));
        let claims = r#"{"id_token":{"acr":{"essential":true,"values":["phr","urn:x"]}}}"#;
        let claimed = read(None, None, Some(claims)).unwrap().unwrap();
        assert_eq!(claimed.level, acr::level("phr"));
        for (age, claims) in [(Some("-1"), None), (Some("x"), None), (None, Some("[]"))] {
            assert!(read(None, age, claims).is_err(), "{age:?} {claims:?}");
        }
    }
}
