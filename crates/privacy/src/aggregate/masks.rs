//! Pairwise-masked vectors with drop-out recovery (Bonawitz, Ivanov, Kreuter, Marcedone, McMahan,
//! Patel, Ramage, Segal, Seth 2017, "Practical secure aggregation", protocol 1): for model updates of
//! up to a million numbers, where a proof of range for each would be too slow.
//!
//! Each pair of sites agrees on a mask that one adds and the other subtracts; each site adds a mask of
//! its own. Seeds are in Shamir shares at all sites. When the vectors are in, the sites that are left
//! give, for each site, either the share of its own mask's seed (its vector arrived) or the share of
//! its key for pair masks (it did not), and never both: with both a vector that arrives late could be
//! read. One coordinator is enough, and it sees sums only.
//!
//! *Threshold.* `t` of `n` sites must answer at the end. A coordinator that tells some sites that `j`
//! arrived and others that it did not needs `t` answers of each kind; sites answer once, so with `c`
//! sites on its side it succeeds only if `2t ≤ n + c`. [`Plan::check`] refuses `2t ≤ n`; take `t > 2n/3`
//! to stand against a third of the sites.
//!
//! *What it does not do.* Nothing proves that a vector is within the norm: a site can spoil the sum.

mod coordinator;
mod member;

pub use coordinator::sum;
pub use member::Member;

use serde::{Deserialize, Serialize};

use super::bytes;

/// Numbers in a vector at most.
pub const GREATEST_LENGTH: usize = 1 << 20;
/// Bits left for the sum of at most 255 sites, and one for the sign.
const HEADROOM: i32 = 9;

/// Why there is no masked vector or no sum. The words name sites by number, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// The plan cannot be used.
    #[error("the plan of the masked sum cannot be used: {0}")]
    Plan(&'static str),
    /// A vector that is not as long as planned, or with a number that is none.
    #[error("the vector must hold `{expected}` finite numbers")]
    Vector {
        /// Numbers of the plan.
        expected: usize,
    },
    /// Fewer sites than the threshold are left.
    #[error("too few sites are left: `{left}` of at least `{threshold}`")]
    TooFew {
        /// Sites that are left.
        left: usize,
        /// Sites that are needed.
        threshold: u8,
    },
    /// A message of a site that is not in the plan, given twice, or that fits no other message.
    #[error("a message of site `{site}` does not fit the sum")]
    Message {
        /// The site's number.
        site: u8,
    },
    /// A step out of its order.
    #[error("the step is out of order: {0}")]
    Order(&'static str),
    /// The cryptographic library refused to work.
    #[error("the cryptographic library failed")]
    Library,
}

/// What all sites agree on before a masked sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Sites, numbered from 0: 2 to 255.
    pub sites: u8,
    /// Sites that must be left at the end.
    pub threshold: u8,
    /// Numbers of the vector.
    pub length: usize,
    /// The greatest Euclidean norm of a site's vector; longer ones are clipped to it.
    pub norm: f64,
    /// What the sum is for: network, question and round. Masks of one context are no use in another.
    #[serde(with = "bytes")]
    pub context: Vec<u8>,
}

/// A site's keys for one sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advert {
    /// The site's number.
    pub site: u8,
    /// Its X25519 key for pair masks.
    #[serde(with = "bytes")]
    pub mask_key: [u8; 32],
    /// Its HPKE key, for the shares that others send it.
    #[serde(with = "bytes")]
    pub sealing_key: [u8; 32],
    /// SHA-256 of its own mask's seed, so that a wrong recovery is seen.
    #[serde(with = "bytes")]
    pub seed_hash: [u8; 32],
}

/// Shares of one site's seeds for another site, sealed to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Whose seeds.
    pub from: u8,
    /// Who can open it.
    pub to: u8,
    /// HPKE.
    #[serde(with = "bytes")]
    pub sealed: Vec<u8>,
}

/// A site's vector under its masks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masked {
    /// The site's number.
    pub site: u8,
    /// Numbers modulo 2^64.
    pub values: Vec<u64>,
}

/// What a site gives at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unmasking {
    /// The site's number.
    pub site: u8,
    /// For each site, one share.
    pub shares: Vec<Revealed>,
}

/// One share of one site's seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revealed {
    /// Whose seed.
    pub of: u8,
    /// Which of its two.
    pub kind: Kind,
    /// The share.
    #[serde(with = "bytes")]
    pub share: Vec<u8>,
}

/// The two seeds of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Of the mask of its own: its vector arrived.
    Own,
    /// Its private key for pair masks: its vector did not arrive.
    Pair,
}

impl Plan {
    /// Checks the plan.
    ///
    /// Errors: [`MaskError::Plan`] for fewer than two sites, a threshold above the sites or not above
    /// their half, no numbers or too many, a norm that is no size.
    pub fn check(&self) -> Result<(), MaskError> {
        let (sites, threshold) = (u16::from(self.sites), u16::from(self.threshold));
        if sites < 2 {
            return Err(MaskError::Plan("it needs two sites"));
        }
        if threshold > sites || 2 * threshold <= sites {
            return Err(MaskError::Plan("the threshold must be above half of the sites"));
        }
        if self.length == 0 || self.length > GREATEST_LENGTH {
            return Err(MaskError::Plan("the vector is empty or too long"));
        }
        if !(1e-60..=1e60).contains(&self.norm) {
            return Err(MaskError::Plan("the norm is no size"));
        }
        Ok(())
    }

    /// The distance of neighbouring numbers that can be told apart: the norm rounded up to a power of
    /// two, times 2^-54. A sum over `n` sites is off by at most `n` halves of it.
    #[must_use]
    pub fn step(&self) -> f64 {
        1.0 / self.scale()
    }

    /// The vector, shortened to the norm if it is longer (McMahan, Ramage, Talwar, Zhang 2018).
    ///
    /// Errors: [`MaskError::Vector`].
    pub fn clip(&self, values: &[f64]) -> Result<Vec<f64>, MaskError> {
        if values.len() != self.length || values.iter().any(|value| !value.is_finite()) {
            return Err(MaskError::Vector { expected: self.length });
        }
        let greatest = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        if greatest == 0.0 {
            return Ok(values.to_vec());
        }
        let squares: f64 = values.iter().map(|value| (value / greatest).powi(2)).sum();
        let factor = (self.norm / greatest / squares.sqrt()).min(1.0);
        Ok(values.iter().map(|value| value * factor).collect())
    }

    /// Units per one: a power of two, so that scaling is exact.
    fn scale(&self) -> f64 {
        let exponent = self.norm.log2().ceil() as i32;
        2f64.powi(63 - HEADROOM - exponent)
    }
}
