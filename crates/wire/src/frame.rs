//! The stream that answers a `RecordRequest`: one JSON object a line.
//!
//! First `{"head":…}`, then any number of `{"resource":…}` whose content is the text of a FHIR
//! resource exactly as the responder stores it (only line breaks between tokens become spaces),
//! and last `{"end":…}`. A stream that stops without `end`, or whose `end` counts other than what
//! came, is partial.

use serde::{Deserialize, Serialize};

use crate::org::OrgId;
use crate::raw::Raw;

/// One line of the stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// The first line.
    Head(Head),
    /// One FHIR resource, as text.
    Resource(Raw),
    /// The last line.
    End(End),
}

/// What will follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Who answers.
    pub organisation: OrgId,
    /// How many resources will be sent.
    pub expected: u64,
}

/// How the answer ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many resources were sent.
    pub sent: u64,
    /// The sum of it.
    pub status: RecordStatus,
    /// Whether something was held back and policy lets that be known.
    #[serde(default)]
    pub withheld_known: bool,
    /// Sentences for the reader, such as a redisclosure notice.
    #[serde(default)]
    pub notes: Vec<String>,
    /// How what was sent must be handled, where anything was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handling: Option<Handling>,
}

/// How what was sent must be handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handling {
    /// The highest degree of confidentiality of anything sent, a code of v3-Confidentiality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidentiality: Option<String>,
    /// What the recipient must and must not do.
    #[serde(default)]
    pub obligations: Vec<Obligation>,
    /// The consents of the patient on which a disclosure under a law rests that asks for them to be
    /// told (42 CFR 2.32(b)). Their scope stands among the notes as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<ConsentScope>,
}

/// A consent on which a disclosure rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentScope {
    /// Address of the Consent at the holder.
    pub reference: String,
    /// What it covers, in plain words.
    pub scope: String,
    /// Relative references of the resources that it opens.
    #[serde(default)]
    pub resources: Vec<String>,
}

/// An obligation or a refrain, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligation {
    /// A code of v3-ActCode, `NORDSCLCD` for example.
    pub code: String,
    /// Relative references of the resources it is for.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Title of the agreement that asks for it; empty where it stands on labels.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agreement: String,
}

/// How the responder sums up its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordStatus {
    /// Everything that this user may see was sent.
    Answered,
    /// Something was held back, and that may be known.
    Withheld,
    /// There is no such patient, or none whose existence may be known.
    NoMatch,
    /// The responder could not send everything.
    Partial,
}

/// A line that is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not UTF-8, not JSON, or no frame.
    #[error("a line of the answer is not a frame")]
    NotAFrame,
    /// A resource that is no JSON object.
    #[error("a resource in the answer is not a json object")]
    NotAnObject,
}

impl Frame {
    /// Reads one line, with or without its line break.
    pub fn parse(line: &[u8]) -> Result<Self, FrameError> {
        let frame = serde_json::from_slice(line).map_err(|_| FrameError::NotAFrame)?;
        match &frame {
            Self::Resource(text) if !text.get().starts_with('{') => Err(FrameError::NotAnObject),
            _ => Ok(frame),
        }
    }
}

impl Head {
    /// The line that opens a stream, line break included.
    pub fn to_line(&self) -> String {
        line("head", self)
    }
}

impl End {
    /// The line that closes a stream, line break included.
    pub fn to_line(&self) -> String {
        line("end", self)
    }
}

/// The line for a resource whose stored JSON text is `text`, line break included. The text is
/// spliced in, not parsed: it must be valid JSON.
pub fn resource_line(text: &str) -> String {
    let text = text.trim();
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str("{\"resource\":");
    // JSON strings hold no raw line breaks, so any that there are stand between tokens.
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        out.push(' ');
        rest = after.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
    out.push_str("}\n");
    out
}

fn line<T: Serialize>(name: &str, value: &T) -> String {
    // These types hold nothing that JSON cannot express, so there is always a text.
    let json = serde_json::to_string(value).unwrap_or_default();
    format!("{{\"{name}\":{json}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_resource_keeps_its_digits_and_order() {
        let text =
            "{\r\n  \"resourceType\": \"Observation\",\n  \"b\": 1.50, \"a\": \"x\\ny\"\n}\n";
        let line = resource_line(text);
        assert_eq!(line.matches('\n').count(), 1);
        let Frame::Resource(read) = Frame::parse(line.as_bytes()).unwrap() else { panic!() };
        assert_eq!(
            read.get(),
            "{    \"resourceType\": \"Observation\",   \"b\": 1.50, \"a\": \"x\\ny\" }"
        );
        // Written by serde it is the same line.
        assert_eq!(serde_json::to_string(&Frame::Resource(read)).unwrap() + "\n", line);
    }

    #[test]
    fn refuses_what_is_no_frame() {
        let check = |line: &[u8], expected| {
            assert_eq!(Frame::parse(line).err(), Some(expected), "{line:?}");
        };
        check(b"", FrameError::NotAFrame);
        check(b"{}", FrameError::NotAFrame);
        check(b"\xff", FrameError::NotAFrame);
        check(b"{\"resource\":{\"a\":\"\xff\"}}", FrameError::NotAFrame);
        check(b"{\"resource\":{}", FrameError::NotAFrame);
        check(b"{\"resource\":{}}x", FrameError::NotAFrame);
        check(b"{\"resource\":{},\"end\":{}}", FrameError::NotAFrame);
        check(b"{\"surprise\":{}}", FrameError::NotAFrame);
        check(b"{\"resource\":[1]}", FrameError::NotAnObject);
    }

    proptest! {
        #[test]
        fn never_panics(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Frame::parse(&line);
        }

        #[test]
        fn any_content_stays_on_one_line(name in any::<String>(), value in any::<String>(), pretty in any::<bool>()) {
            let json = serde_json::json!({ name: value });
            let text = if pretty {
                serde_json::to_string_pretty(&json).unwrap()
            } else {
                json.to_string()
            };
            let line = resource_line(&text);
            prop_assert_eq!(line.matches(['\n', '\r']).count(), 1);
            let Frame::Resource(read) = Frame::parse(line.as_bytes()).unwrap() else { panic!() };
            let read: serde_json::Value = serde_json::from_str(read.get()).unwrap();
            prop_assert_eq!(read, json);
        }
    }
}
