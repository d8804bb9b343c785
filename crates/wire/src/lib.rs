//! What nodes say to each other: version 1 of the network protocol.
//!
//! Questions are HTTP requests under `/network/v1` on a mutually authenticated TLS 1.3 connection,
//! each with a signed [`Assertion`] of who asks in the [`ASSERTION_HEADER`]. Bodies are JSON;
//! records come back as newline-delimited JSON [`Frame`]s. FHIR content travels as raw JSON text
//! that no node on the way re-serialises.
//!
//! **Unknown members.** A receiver ignores members it does not know, so that a newer peer may add
//! some. A change that must not be ignored raises the version instead: that of the path, of the
//! assertion (`ver`) or of the membership list (`version`); any other version is refused. Unknown
//! words of an enumeration are errors, except refusal codes, which read as
//! [`RefusalCode::Other`].
//!
//! `vectors/` holds one stored example of every message; tests prove that they still read and
//! write the same.

pub mod acr;
pub mod assertion;
pub mod council;
pub mod deliver;
pub mod flag;
pub mod frame;
pub mod locator;
pub mod matching;
pub mod membership;
pub mod org;
pub mod proposal;
pub mod raw;
pub mod record;
pub mod refusal;
mod time;
#[cfg(test)]
mod vectors;
pub mod witness;

pub use acr::acr;
pub use assertion::{Assertion, AssertionError, Evidence, Expected, Role, Subject};
pub use council::{Adviser, Change, Council, Founders, Rotation, Thresholds};
pub use deliver::{Delivery, DeliveryKind, DeliveryReceipt, ReceiptOutcome};
pub use flag::{Flag, FlagKind, FlagReceipt};
pub use frame::{End, Frame, FrameError, Head, RecordStatus};
pub use locator::{
    EncodedView, LocateRequest, LocateResponse, LocatorKeyRequest, LocatorKeyResponse, Publication,
    PublicationReceipt, PublishedEncoding, PublishedRecord,
};
pub use matching::{Candidate, FieldScore, Grade, MatchOutcome, MatchRequest, MatchResponse};
pub use membership::{
    Governance, Member, MemberState, Membership, MembershipError, SignedMembership,
};
pub use org::{InvalidOrgId, OrgId};
pub use proposal::{
    Application, Ballot, Choice, CouncilAnswer, CouncilItem, CouncilRequest, Motion, Proposal,
    SealError, Sealable, Sealed,
};
pub use raw::{InvalidJson, Raw};
pub use record::{
    Access, AccessesRequest, AccessesResponse, BreakGlass, RecordRequest, SourceStatus,
};
pub use refusal::{Refusal, RefusalCode};
pub use witness::{AddCheckpoint, CheckpointAnswer, CheckpointsRequest, CheckpointsResponse};

/// The version all of this describes.
pub const VERSION: u32 = 1;

/// The request header that carries the signed [`Assertion`].
pub const ASSERTION_HEADER: &str = "consilium-assertion";

/// The request header that carries the request id, the same in the audit logs of both sides.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// Media type of a stream of [`Frame`]s.
pub const NDJSON: &str = "application/x-ndjson";

/// Paths of the protocol. All are `POST` with a JSON body, except [`path::HEALTH`].
pub mod path {
    /// `MatchRequest` → `MatchResponse`.
    pub const MATCH: &str = "/network/v1/match";
    /// `RecordRequest` → stream of frames.
    pub const RECORD: &str = "/network/v1/record";
    /// `Delivery` → `DeliveryReceipt`.
    pub const DELIVER: &str = "/network/v1/deliver";
    /// `AccessesRequest` → `AccessesResponse`.
    pub const ACCESSES: &str = "/network/v1/accesses";
    /// `AddCheckpoint` → `CheckpointAnswer`.
    pub const WITNESS: &str = "/network/v1/witness";
    /// `CheckpointsRequest` → `CheckpointsResponse`.
    pub const CHECKPOINTS: &str = "/network/v1/checkpoints";
    /// `LocatorKeyRequest` → `LocatorKeyResponse`.
    pub const LOCATOR_KEY: &str = "/network/v1/locator/key";
    /// `Publication` → `PublicationReceipt`.
    pub const LOCATOR_PUBLISH: &str = "/network/v1/locator/publish";
    /// `LocateRequest` → `LocateResponse`.
    pub const LOCATOR_LOCATE: &str = "/network/v1/locator/locate";
    /// `CouncilRequest` → `CouncilAnswer`.
    pub const COUNCIL: &str = "/network/v1/council";
    /// `Flag` → nothing: a peer's conduct that its privacy officer should look at.
    pub const FLAG: &str = "/network/v1/flag";
    /// `GET` without assertion: any answer means that the node is up.
    pub const HEALTH: &str = "/network/v1/health";
}
