//! One scope about resources: `patient/Observation.rs?category=…|laboratory`.

use std::fmt;

use crate::permissions::Permissions;

/// Most parameters of one scope.
const MAX_PARAMS: usize = 10;

/// Whose resources a scope is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Those of the patient in context.
    Patient,
    /// Those that the user may see.
    User,
    /// Those that the client may see of itself.
    System,
}

impl Level {
    /// Its word in a scope.
    pub fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

/// A scope about resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceScope {
    /// Whose.
    pub level: Level,
    /// Of which type; `None` for every type.
    pub kind: Option<&'static str>,
    /// What may be done.
    pub can: Permissions,
    /// Only those that match this search, names and values as in a query; empty for all.
    pub params: Vec<(String, String)>,
    /// Whether it is written as in version 1.
    version_1: bool,
}

impl ResourceScope {
    /// Reads one scope. `None` for what is not one, or names a type that R4 does not have.
    pub fn parse(text: &str) -> Option<Self> {
        let (level, rest) = text.split_once('/')?;
        let level = match level {
            "patient" => Level::Patient,
            "user" => Level::User,
            "system" => Level::System,
            _ => return None,
        };
        let (what, query) = match rest.split_once('?') {
            Some((what, query)) => (what, Some(query)),
            None => (rest, None),
        };
        let (kind, can) = what.split_once('.')?;
        let version_1 = matches!(can, "read" | "write" | "*");
        let can = Permissions::parse(can)?;
        let kind = match kind {
            "*" => None,
            kind => Some(fhir::resource_type(kind)?),
        };
        let params = match query {
            Some(query) => params(query)?,
            None => Vec::new(),
        };
        if kind.is_none() && !params.is_empty() || version_1 && !params.is_empty() {
            return None;
        }
        Some(Self { level, kind, can, params, version_1 })
    }

    /// Whether it is about resources of `kind`.
    pub fn is_about(&self, kind: &str) -> bool {
        self.kind.is_none_or(|own| own == kind)
    }

    /// Whether everything that `other` allows is allowed by this one alone. Levels are taken as
    /// they are: a user's scope does not stand for a patient's.
    pub fn covers(&self, other: &Self) -> bool {
        let kind = self.kind.is_none() || self.kind == other.kind;
        let narrower = self.params.iter().all(|param| other.params.contains(param));
        self.level == other.level && kind && self.can.covers(other.can) && narrower
    }

    /// What both allow; `None` where that is nothing, or cannot be said in one scope.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let kind = match (self.kind, other.kind) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.or(two),
        };
        let can = self.can.and(other.can);
        if self.level != other.level || can.is_empty() {
            return None;
        }
        let mut params = self.params.clone();
        params.extend(other.params.iter().filter(|p| !self.params.contains(p)).cloned());
        if params.len() > MAX_PARAMS {
            return None;
        }
        let version_1 = other.version_1 && can.word().is_some() && params.is_empty();
        Some(Self { level: self.level, kind, can, params, version_1 })
    }
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.", self.level.word(), self.kind.unwrap_or("*"))?;
        match self.can.word().filter(|_| self.version_1) {
            Some(word) => f.write_str(word)?,
            None => write!(f, "{}", self.can)?,
        }
        for (at, (name, value)) in self.params.iter().enumerate() {
            let before = if at == 0 { '?' } else { '&' };
            write!(f, "{before}{}={}", Encoded(name), Encoded(value))?;
        }
        Ok(())
    }
}

/// Names and values, percent-decoded. A `+` stays one: scopes are no forms, and the space that
/// separates them cannot stand inside one.
fn params(query: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (decoded(name)?, decoded(value)?);
        // Modifiers and chains inside of scopes are experimental in SMART; here they are refused.
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if name.is_empty() || value.is_empty() || !name.bytes().all(plain) {
            return None;
        }
        found.push((name, value));
    }
    (found.len() <= MAX_PARAMS).then_some(found)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Text in which everything is percent-encoded that has a meaning in a scope or may not stand in
/// one (RFC 6749, section 3.3).
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            let plain = byte.is_ascii_alphanumeric() || b"-._~:/|,$!*'()@;+".contains(&byte);
            match plain {
                true => write!(f, "{}", char::from(byte))?,
                false => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        let lab = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
        for (text, expected) in [
            ("patient/*.read", Some("patient/*.read")),
            ("user/Patient.cruds", Some("user/Patient.cruds")),
            ("system/Observation.*", Some("system/Observation.*")),
            (lab, Some(lab)),
            ("patient/Observation.rs?code=a%7Cb", Some("patient/Observation.rs?code=a|b")),
            ("patient/Observation.rs?code=a%20b%26", Some("patient/Observation.rs?code=a%20b%26")),
            ("patient/Nothing.rs", None),
            ("patient/Observation", None),
            ("patient/Observation.sr", None),
            ("group/Observation.rs", None),
            ("patient/Observation.rs?", None),
            ("patient/Observation.rs?code:in=x", None),
            ("patient/Observation.rs?subject.name=x", None),
            ("patient/Observation.rs?code=%zz", None),
            ("patient/Observation.rs?code=", None),
            ("patient/Observation.read?code=x", None),
            ("patient/*.rs?code=x", None),
        ] {
            let read = ResourceScope::parse(text).map(|scope| scope.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
