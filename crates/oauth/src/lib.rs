//! What an OAuth 2 authorisation server decides without looking anything up: which scopes mean
//! what (SMART App Launch 2.2, scopes version 2 and 1), whether a request may be shown to a
//! person, whether a client has proved itself, and how tokens look.
//!
//! The crate does no I/O, reads no clock and has no randomness; what it is told is what it judges.

pub mod assertion;
pub mod client;
pub mod demand;
pub mod dpop;
pub mod openid;
pub mod permissions;
pub mod pkce;
pub mod request;
pub mod resource_scope;
pub mod scopes;
pub mod token;
pub mod udap;

pub use client::{Authentication, Client, ClientFault, Grant};
pub use demand::{Demand, Missing, Shown};
pub use permissions::{Permission, Permissions};
pub use request::{Context, Refusal, Request};
pub use resource_scope::{Level, ResourceScope};
pub use scopes::{Scope, Scopes};
pub use token::{Kind, Token};

/// An error of OAuth 2 by its registered code (RFC 6749, sections 4.1.2.1 and 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is not as the standard says.
    InvalidRequest,
    /// The client has not proved who it is.
    InvalidClient,
    /// A code or token does not hold, or not for this client.
    InvalidGrant,
    /// The client may not ask in this way.
    UnauthorizedClient,
    /// The grant type is not offered.
    UnsupportedGrantType,
    /// The response type is not offered.
    UnsupportedResponseType,
    /// Nothing of what was asked for may be granted.
    InvalidScope,
    /// The person has refused.
    AccessDenied,
    /// The identity provider that the client names is not one that this node trusts (UDAP, Tiered
    /// OAuth).
    InvalidIdp,
    /// The proof of possession does not hold (RFC 9449, section 5).
    InvalidDpopProof,
    /// The proof of possession needs the server's nonce (RFC 9449, section 8).
    UseDpopNonce,
    /// The person cannot sign in as strongly or freshly as was asked for (OpenID Connect Core,
    /// unmet authentication requirements 1.0).
    UnmetAuthentication,
    /// A statement that does not hold (RFC 7591, section 3.2.2).
    InvalidSoftwareStatement,
    /// A statement of somebody who is not trusted here.
    UnapprovedSoftwareStatement,
    /// What a client says of itself cannot be registered.
    InvalidClientMetadata,
    /// The server failed.
    ServerError,
    /// The server has too much to do.
    TemporarilyUnavailable,
}

impl Code {
    /// The code as it is sent.
    pub fn text(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::InvalidIdp => "invalid_idp",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::UnmetAuthentication => "unmet_authentication_requirements",
            Self::InvalidSoftwareStatement => "invalid_software_statement",
            Self::UnapprovedSoftwareStatement => "unapproved_software_statement",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}
