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
pub mod agreement;
pub mod assertion;
pub mod catalog;
pub mod cohort;
pub mod council;
pub mod deliver;
pub mod flag;
pub mod frame;
pub mod locator;
pub mod matching;
pub mod membership;
pub mod notice;
pub mod org;
pub mod proposal;
pub mod raw;
pub mod reconcile;
pub mod record;
pub mod refusal;
pub mod research;
pub mod simulate;
mod time;
#[cfg(test)]
mod vectors;
pub mod witness;

pub use acr::acr;
pub use agreement::{
    AgreementsRequest, AgreementsResponse, PasskeyKey, PasskeyProof, SignedStatement,
};
pub use assertion::{Assertion, AssertionError, Evidence, Expected, Role, Subject};
pub use catalog::{CatalogueRequest, CatalogueResponse, ToldSet};
pub use cohort::{CohortRequest, CohortResponse};
pub use council::{Adviser, Change, Council, Founders, Rotation, Thresholds};
pub use deliver::{Delivery, DeliveryKind, DeliveryReceipt, ReceiptOutcome};
pub use flag::{Flag, FlagKind, FlagReceipt};
pub use frame::{ConsentScope, End, Frame, FrameError, Handling, Head, Obligation, RecordStatus};
pub use locator::{
    EncodedView, LocateRequest, LocateResponse, LocatorKeyRequest, LocatorKeyResponse, Publication,
    PublicationReceipt, PublishedEncoding, PublishedRecord,
};
pub use matching::{Candidate, FieldScore, Grade, MatchOutcome, MatchRequest, MatchResponse};
pub use membership::{
    Governance, Member, MemberState, Membership, MembershipError, SignedMembership,
};
pub use notice::{Notice, Objection, ObjectionState, ObjectionWord, Recall, RecallConfirmed};
pub use org::{InvalidOrgId, OrgId};
pub use proposal::{
    Application, ApplicationReceipt, Asked, Ballot, Choice, CouncilAnswer, CouncilItem,
    CouncilRequest, Motion, Proposal, SealError, Sealable, Sealed,
};
pub use raw::{InvalidJson, Raw};
pub use reconcile::{Part, ReconcileRequest, ReconcileResponse, Twin};
pub use record::{
    Access, AccessesRequest, AccessesResponse, BreakGlass, LineProof, RecordRequest, SourceStatus,
};
pub use refusal::{Refusal, RefusalCode};
pub use research::{RoundsRequest, RoundsResponse};
pub use simulate::{
    KindCount, Recipient, Remedy, SimulateRequest, SimulateResponse, Simulated, WithheldItem,
};
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
    /// `SimulateRequest` → `SimulateResponse`.
    pub const SIMULATE: &str = "/network/v1/simulate";
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
    /// `ReconcileRequest` → `ReconcileResponse`.
    pub const RECONCILE: &str = "/network/v1/reconcile";
    /// `AgreementsRequest` → `AgreementsResponse`.
    pub const AGREEMENTS: &str = "/network/v1/agreements";
    /// `CouncilRequest` → `CouncilAnswer`.
    pub const COUNCIL: &str = "/network/v1/council";
    /// `Sealed` [`crate::Application`] → `ApplicationReceipt`; at the address for people, without
    /// an assertion, since whoever applies is nobody yet.
    pub const APPLICATIONS: &str = "/council/applications";
    /// `Flag` → nothing: a peer's conduct that its privacy officer should look at.
    pub const FLAG: &str = "/network/v1/flag";
    /// `RoundsRequest` → `RoundsResponse`.
    pub const ROUNDS: &str = "/network/v1/rounds";
    /// `CatalogueRequest` → `CatalogueResponse`.
    pub const CATALOG: &str = "/network/v1/catalog";
    /// `CohortRequest` → `CohortResponse`.
    pub const COHORTS: &str = "/network/v1/cohorts";
    /// `GET` without assertion: any answer means that the node is up.
    pub const HEALTH: &str = "/network/v1/health";
}
