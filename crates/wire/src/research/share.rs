//! An aggregator's share of a sum, signed, and the sums of the rounds before, by which everybody who
//! takes part finds for themselves what a round must be.

use crypto::hash::sha256_of_parts;
use crypto::{PublicKey, Signature, SigningKey};
use serde::{Deserialize, Serialize};

use super::MAX_PAST;
use crate::org::OrgId;

const SHARE_PREFIX: &[u8] = b"consilium research share of a sum, version 1\n";
const SITES_PREFIX: &[u8] = b"consilium research sites of a sum, version 1\n";

/// An aggregator's share of the sum of one round. It says nothing without the other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumShare {
    /// The share, base64url without padding.
    pub share: String,
    /// How many reports are in it.
    pub count: u64,
    /// SHA-256 over the ids of the reports in it, combined by exclusive or; base64url.
    pub checksum: String,
    /// Which sites are in it, [`SumShare::sites_digest`].
    pub sites: String,
    /// The aggregator's signature over all of it and over [`ShareOf`].
    pub signature: Signature,
}

/// What a share is of; it is signed with the share and known to whoever checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareOf<'a> {
    /// Id of the sealed inquiry.
    pub inquiry: &'a str,
    /// Whose share.
    pub aggregator: &'a OrgId,
    /// The number of the round, which is used once.
    pub number: u32,
    /// Which round of the analysis it is, from 1. Where keys were lost it is asked again under
    /// another number.
    pub step: u32,
}

/// The sum of an earlier round in both aggregators' shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastSum {
    /// The number of the round.
    pub number: u32,
    /// The shares, the leader's first.
    pub shares: Vec<SumShare>,
}

/// The sums of the rounds before, as far as they are not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// How many sums come before those that are here. Whoever has fewer asks for all, by the refusal
    /// [`Before::LOST`].
    pub from: u32,
    /// Oldest first; the sum of the analysis' round `from + 1` comes first. At most [`MAX_PAST`].
    pub sums: Vec<PastSum>,
}

impl Before {
    /// The rule by which a receiver says that it does not have the sums before `from`.
    pub const LOST: &'static str = "lost-sums";

    /// Whether it is within bounds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.sums.len() <= MAX_PAST && self.sums.iter().all(|sum| sum.shares.len() == 2)
    }
}

impl SumShare {
    /// What stands for the sites of a sum: SHA-256 over their names in order, in hexadecimal digits.
    #[must_use]
    pub fn sites_digest<'a>(sites: impl IntoIterator<Item = &'a OrgId>) -> String {
        let mut names: Vec<&OrgId> = sites.into_iter().collect();
        names.sort_unstable();
        let mut parts: Vec<&[u8]> = vec![SITES_PREFIX];
        for name in names {
            parts.push(name.as_str().as_bytes());
            parts.push(b"\n");
        }
        crypto::hash::hex(&sha256_of_parts(&parts))
    }

    /// Signs a share of `count` reports of the sites whose digest `sites` is.
    ///
    /// Errors: those of signing.
    pub fn sign(
        of: &ShareOf<'_>,
        (share, count, checksum): (String, u64, String),
        sites: String,
        key: &SigningKey,
    ) -> Result<Self, crypto::CryptoError> {
        let digest = digest(of, (&share, count, &checksum), &sites);
        let signature = key.sign(&digest)?;
        Ok(Self { share, count, checksum, sites, signature })
    }

    /// Whether `key` has signed this share of that sum.
    #[must_use]
    pub fn is_signed(&self, of: &ShareOf<'_>, key: &PublicKey) -> bool {
        let digest = digest(of, (&self.share, self.count, &self.checksum), &self.sites);
        key.verify(&digest, &self.signature).is_ok()
    }
}

fn digest(of: &ShareOf<'_>, (share, count, checksum): (&str, u64, &str), sites: &str) -> [u8; 32] {
    let numbers = [of.number.to_string(), of.step.to_string(), count.to_string()];
    let [number, step, count] = &numbers;
    let share = crypto::hash::hex(&crypto::sha256(share.as_bytes()));
    let aggregator = of.aggregator.as_str();
    let fields = [of.inquiry, aggregator, number, step, count, checksum, sites, &share];
    let mut parts: Vec<&[u8]> = vec![SHARE_PREFIX];
    for field in &fields {
        parts.push(field.as_bytes());
        parts.push(b"\n");
    }
    sha256_of_parts(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_one_round_of_one_question_and_one_aggregator() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let (east, west) = (OrgId::new("east").unwrap(), OrgId::new("west").unwrap());
        let of = ShareOf { inquiry: "q", aggregator: &east, number: 4, step: 2 };
        let sites = SumShare::sites_digest([&west, &east]);
        assert_eq!(sites, SumShare::sites_digest([&east, &west]), "the order is no matter");
        assert_ne!(sites, SumShare::sites_digest([&east]));
        let parts = ("AAAA".to_owned(), 2, "BBBB".to_owned());
        let share = SumShare::sign(&of, parts, sites, &key).unwrap();
        assert!(share.is_signed(&of, &key.public_key()));
        for other in [
            ShareOf { inquiry: "r", ..of },
            ShareOf { aggregator: &west, ..of },
            ShareOf { number: 5, ..of },
            ShareOf { step: 3, ..of },
        ] {
            assert!(!share.is_signed(&other, &key.public_key()), "{other:?}");
        }
        let others = [
            SumShare { share: "AAAB".to_owned(), ..share.clone() },
            SumShare { count: 3, ..share.clone() },
            SumShare { checksum: "BBBC".to_owned(), ..share.clone() },
            SumShare { sites: SumShare::sites_digest([&east]), ..share.clone() },
        ];
        for other in others {
            assert!(!other.is_signed(&of, &key.public_key()), "{other:?}");
        }
        let stranger = SigningKey::from_seed(&[4; 32]).unwrap();
        assert!(!share.is_signed(&of, &stranger.public_key()));
    }
}
