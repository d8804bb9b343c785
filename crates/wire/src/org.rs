//! Ids of organisations.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const URI_PREFIX: &str = "urn:consilium:org:";

/// Short id of an organisation in the network: 1 to 40 characters of `a-z 0-9 -`. It is also the
/// logical id of its FHIR `Organization` at every node.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrgId(Box<str>);

/// A text that is no organisation id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an organisation id has 1 to 40 characters of a-z, 0-9 and `-`")]
pub struct InvalidOrgId;

impl OrgId {
    /// Checks `text` and takes it as an id.
    pub fn new(text: &str) -> Result<Self, InvalidOrgId> {
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=40).contains(&text.len()) && text.bytes().all(valid) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidOrgId)
        }
    }

    /// Reads the canonical URI form that [`Self::uri`] writes.
    pub fn from_uri(uri: &str) -> Result<Self, InvalidOrgId> {
        Self::new(uri.strip_prefix(URI_PREFIX).ok_or(InvalidOrgId)?)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical URI, `urn:consilium:org:<id>`.
    pub fn uri(&self) -> String {
        format!("{URI_PREFIX}{}", self.0)
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrgId({})", self.0)
    }
}

impl FromStr for OrgId {
    type Err = InvalidOrgId;

    fn from_str(text: &str) -> Result<Self, InvalidOrgId> {
        Self::new(text)
    }
}

impl Serialize for OrgId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OrgId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_short_plain_ids() {
        for good in ["north", "a", "st-mary-2", &"x".repeat(40)] {
            let id = OrgId::new(good).unwrap();
            assert_eq!(OrgId::from_uri(&id.uri()).unwrap(), id);
        }
        for bad in ["", "North", "a b", "é", "a/b", "a\0", &"x".repeat(41)] {
            assert_eq!(OrgId::new(bad), Err(InvalidOrgId), "{bad}");
        }
        assert!(OrgId::from_uri("urn:other:north").is_err());
    }
}
