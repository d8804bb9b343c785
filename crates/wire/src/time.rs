//! Points in time on the wire: RFC 3339 in UTC, milliseconds since the Unix epoch inside.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes milliseconds as RFC 3339.
pub(crate) fn serialize<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let time = Timestamp::from_millisecond(*ms).map_err(serde::ser::Error::custom)?;
    serializer.collect_str(&time)
}

/// Reads RFC 3339, with any offset, as milliseconds.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| serde::de::Error::custom("expected a time in RFC 3339 form"))
}

fn parse(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The same for a member that may be absent.
pub(crate) mod option {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        ms: &Option<i64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match ms {
            Some(ms) => super::serialize(ms, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<i64>, D::Error> {
        let Some(text) = Option::<std::borrow::Cow<'_, str>>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let fault = || serde::de::Error::custom("expected a time in RFC 3339 form");
        super::parse(&text).map(Some).ok_or_else(fault)
    }
}
