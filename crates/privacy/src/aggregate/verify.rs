//! One aggregator's part: check a report together with the other aggregator, and take its share.
//!
//! The conversation about one report has two messages between the aggregators. Each calls
//! [`Aggregator::init`] and sends its verifier share; either calls [`Aggregator::combine`] with the
//! other's and sends the verifier message; both call [`Aggregator::finish`]. In DAP's order: the
//! leader inits and sends, the helper inits, combines, finishes and answers with the message, the
//! leader finishes. Every step is a function of its inputs, so that a step whose answer was lost is
//! repeated.

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::circuit::{Engine, State, Vector};
use super::{ReportId, SumError, bytes};

/// Which of the two aggregators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The one that begins.
    Leader,
    /// The other one.
    Helper,
}

impl Role {
    /// The other aggregator.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Leader => Self::Helper,
            Self::Helper => Self::Leader,
        }
    }

    /// Its number in Prio3.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Leader => 0,
            Self::Helper => 1,
        }
    }
}

/// The secret that the two aggregators share and no site knows, fixed before reports exist: with it a
/// site could make a report that passes and is out of range.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VerifyKey(#[serde(with = "bytes")] [u8; 32]);

impl VerifyKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self(key)
    }

    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Its bytes, to be sealed to the other aggregator.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }
}

impl std::fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifyKey(hidden)")
    }
}

/// An aggregator of one task. Made by [`super::Summation::aggregator`].
#[derive(Clone, Debug)]
pub struct Aggregator {
    pub(super) engine: Engine,
    pub(super) context: Vec<u8>,
    pub(super) role: Role,
    pub(super) key: VerifyKey,
}

/// A report between the two steps.
#[derive(Clone)]
pub struct Waiting {
    id: ReportId,
    state: State,
    share: Vec<u8>,
}

/// An aggregator's share of a report that both found valid.
#[derive(Clone)]
pub struct Verified {
    pub(super) id: ReportId,
    pub(super) vector: Vector,
}

impl Aggregator {
    /// Which aggregator it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Begins with a report: its public share and this aggregator's input share, opened. Gives the
    /// state to keep and the verifier share to send.
    ///
    /// Errors: [`SumError::Malformed`], [`SumError::Rejected`].
    pub fn init(
        &self,
        id: ReportId,
        public_share: &[u8],
        input_share: &[u8],
    ) -> Result<(Waiting, Vec<u8>), SumError> {
        let number = usize::from(self.role.number());
        let shares = (public_share, input_share);
        let key = self.key.to_bytes();
        let (state, share) = self.engine.init(&key, &self.context, number, &id.0, shares)?;
        Ok((Waiting { id, state, share: share.clone() }, share))
    }

    /// Joins the own verifier share with the other aggregator's. Gives the verifier message for both.
    ///
    /// Errors: [`SumError::Malformed`], and [`SumError::Rejected`] for a report out of range.
    pub fn combine(&self, waiting: &Waiting, other: &[u8]) -> Result<Vec<u8>, SumError> {
        let shares = match self.role {
            Role::Leader => [waiting.share.as_slice(), other],
            Role::Helper => [other, waiting.share.as_slice()],
        };
        self.engine.combine(&self.context, &waiting.state, shares)
    }

    /// Ends with the verifier message.
    ///
    /// Errors: [`SumError::Malformed`], and [`SumError::Rejected`] where the site did not give both
    /// aggregators the same randomness.
    pub fn finish(&self, waiting: Waiting, message: &[u8]) -> Result<Verified, SumError> {
        let vector = self.engine.finish(&self.context, waiting.state, message)?;
        Ok(Verified { id: waiting.id, vector })
    }
}

impl Verified {
    /// Whose it is.
    #[must_use]
    pub fn id(&self) -> ReportId {
        self.id
    }

    /// The output share as bytes, little-endian elements.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SumError> {
        self.vector.to_bytes()
    }
}
