//! `POST /network/v1/locator/…`: finding out which members may know a patient, without names.
//!
//! Holders publish encodings of their patients (cryptographic long-term keys) to a few members that
//! compare them with the encodings of askers: the locators. The key of a locator's encodings is known
//! to every member but that locator; it comes from a member that keeps it, over the connection
//! between the two nodes. A locator therefore sees encodings without the key, and everybody else
//! the key without the encodings.
//!
//! A node that is older answers these paths with a refusal; its patients are then asked for
//! directly.

use serde::{Deserialize, Serialize};

use crate::org::OrgId;

/// Most records in one publication.
pub const MAX_RECORDS: usize = 1_000;
/// Most members that one publication is closed to.
pub const MAX_CLOSED: usize = 10_000;
/// Most encodings of one record or question.
pub const MAX_ENCODINGS: usize = 8;

/// Asks the keeper of a locator's key for it (`POST /network/v1/locator/key`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatorKeyRequest {
    /// The locator, which must not be the asker.
    pub locator: OrgId,
    /// Number of the epoch: days since the Unix epoch.
    pub epoch: u64,
}

/// The answer to [`LocatorKeyRequest`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatorKeyResponse {
    /// 32 bytes in base64.
    pub key: String,
}

impl std::fmt::Debug for LocatorKeyResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocatorKeyResponse")
    }
}

/// A piece of what a holder publishes to a locator (`POST /network/v1/locator/publish`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// Number of the epoch: days since the Unix epoch.
    pub epoch: u64,
    /// Which key it is encoded under, 16 hexadecimal digits that say nothing about the key.
    pub key: String,
    /// Serial number of the membership list by which it was decided who may know of which record;
    /// with another list everything is published anew.
    pub list: u64,
    /// ε of the holder's noise, for each bit.
    pub epsilon: f64,
    /// How far the locator has come if this piece fits; 0 begins anew, absent only asks how far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How far it has come with this piece.
    pub through: u64,
    /// Whether that is everything the holder has to publish at the moment.
    pub complete: bool,
    /// Records that are new or changed; at most [`MAX_RECORDS`].
    pub records: Vec<PublishedRecord>,
    /// Handles of records that are no longer to be known of; at most [`MAX_RECORDS`].
    pub removed: Vec<String>,
    /// Members that no agreement permits to ask the holder: the locator does not speak of the holder
    /// to them at all. At most [`MAX_CLOSED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_to: Vec<OrgId>,
}

/// One record without a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedRecord {
    /// 16 hexadecimal digits, of this epoch and locator only.
    pub handle: String,
    /// Its encodings, 1 to [`MAX_ENCODINGS`].
    pub encodings: Vec<PublishedEncoding>,
    /// Members that may not know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden_from: Vec<OrgId>,
}

/// One encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedEncoding {
    /// Which fields it is of.
    pub view: EncodedView,
    /// 512 bits in base64.
    pub bits: String,
}

/// Which fields an encoding is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodedView {
    /// Family name, given name, birth date.
    Name,
    /// Given name, birth date, address or telephone number.
    Contact,
    /// Family and given name, address or telephone number.
    Household,
    /// Birth date and national number.
    Number,
}

/// The answer to [`Publication`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationReceipt {
    /// How far the locator has come; 0 where it has nothing under this key.
    pub through: u64,
}

/// Asks a locator who may know a person (`POST /network/v1/locator/locate`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocateRequest {
    /// Number of the epoch: days since the Unix epoch.
    pub epoch: u64,
    /// Which key it is encoded under, as in [`Publication::key`].
    pub key: String,
    /// ε of the asker's noise, for each bit.
    pub epsilon: f64,
    /// How alike two encodings must be: Dice's coefficient without noise, 0.5 to 1.
    pub dice: f64,
    /// Encodings of the person, 1 to [`MAX_ENCODINGS`].
    pub encodings: Vec<PublishedEncoding>,
}

/// The answer to [`LocateRequest`]. Members in neither list are to be asked directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocateResponse {
    /// Members that published something alike.
    pub likely: Vec<OrgId>,
    /// Members that published everything they have, and nothing alike.
    pub absent: Vec<OrgId>,
}
