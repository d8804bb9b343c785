//! What somebody is to the patient, in words.

use crate::words::{Message, Words};

/// What somebody is to the patient: a code of v3-RoleCode that the node offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship(pub String);

impl Relationship {
    /// The noun: `mother`.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self.0.as_str() {
            "MTH" => "related-mth",
            "FTH" => "related-fth",
            "PRN" => "related-prn",
            "GRPRN" => "related-grprn",
            "GUARD" => "related-guard",
            "SPS" => "related-sps",
            "DOMPART" => "related-dompart",
            "SON" => "related-son",
            "DAU" => "related-dau",
            "CHILD" => "related-child",
            "SIB" => "related-sib",
            "FAMMEMB" => "related-fammemb",
            "FRND" => "related-frnd",
            "POWATT" => "related-powatt",
            _ => "related-other",
        })
    }

    /// The same towards the patient: `Your mother`.
    pub fn yours(&self, w: &Words<'_>) -> Message {
        w.say(match self.0.as_str() {
            "MTH" => "yours-mth",
            "FTH" => "yours-fth",
            "PRN" => "yours-prn",
            "GRPRN" => "yours-grprn",
            "GUARD" => "yours-guard",
            "SPS" => "yours-sps",
            "DOMPART" => "yours-dompart",
            "SON" => "yours-son",
            "DAU" => "yours-dau",
            "CHILD" => "yours-child",
            "SIB" => "yours-sib",
            "FAMMEMB" => "yours-fammemb",
            "FRND" => "yours-frnd",
            "POWATT" => "yours-powatt",
            _ => "yours-other",
        })
    }
}
