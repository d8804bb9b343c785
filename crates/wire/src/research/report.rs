//! What a site gives in a round: two sealed shares, and its signature over both.

use crypto::hash::sha256_of_parts;
use crypto::{PublicKey, Signature, SigningKey};
use serde::{Deserialize, Serialize};

use crate::org::OrgId;

const REPORT_PREFIX: &[u8] = b"consilium research report, version 1\n";

/// What a site gives in one round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// 16 random bytes, base64url without padding; also the nonce of the sharing.
    pub id: String,
    /// What both aggregators get, base64url.
    pub public: String,
    /// What the site has bound itself to, base64url: the coordinator checks the sum against it. Empty
    /// where the question is answered with noise, which it would show.
    pub commitment: String,
    /// The share for each aggregator, the leader's first, sealed to it, base64url.
    pub shares: Vec<String>,
    /// Whether the site's part may become known alone: at least the question's `min_rows` rows are in
    /// it.
    pub alone: bool,
    /// The site's signature over all of it.
    pub signature: Signature,
}

/// A report as one aggregator gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportPart {
    /// Whose it is.
    pub site: OrgId,
    /// As in [`Report`].
    pub id: String,
    /// As in [`Report`].
    pub public: String,
    /// As in [`Report`].
    pub commitment: String,
    /// The share sealed to this aggregator.
    pub share: String,
    /// SHA-256 of the other's share in hexadecimal digits, for the signature.
    pub other: String,
    /// As in [`Report`].
    pub alone: bool,
    /// The site's signature.
    pub signature: Signature,
}

/// What a site signs of a report: question, round, itself, and what each aggregator gets.
struct Signed<'a> {
    inquiry: &'a str,
    number: u32,
    site: &'a OrgId,
    id: &'a str,
    public: &'a str,
    commitment: &'a str,
    /// Hashes of the sealed shares, the leader's first.
    shares: [&'a str; 2],
    alone: bool,
}

impl Signed<'_> {
    fn digest(&self) -> [u8; 32] {
        let number = self.number.to_string();
        let [leader, helper] = self.shares;
        let site = self.site.as_str();
        let alone = if self.alone { "may stand alone" } else { "not alone" };
        let fields = [
            self.inquiry,
            &number,
            site,
            self.id,
            self.public,
            self.commitment,
            leader,
            helper,
            alone,
        ];
        let mut parts: Vec<&[u8]> = vec![REPORT_PREFIX];
        for field in &fields {
            parts.push(field.as_bytes());
            parts.push(b"\n");
        }
        sha256_of_parts(&parts)
    }
}

/// The hash by which a sealed share stands in what is signed.
fn share_hash(share: &str) -> String {
    crypto::hash::hex(&crypto::sha256(share.as_bytes()))
}

/// A report before it is signed; fields as in [`Report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// 16 random bytes.
    pub id: String,
    /// What both aggregators get.
    pub public: String,
    /// What the site has bound itself to.
    pub commitment: String,
    /// The sealed shares, the leader's first.
    pub shares: [String; 2],
    /// Whether the part may become known alone.
    pub alone: bool,
}

impl Unsigned {
    /// The report of `site` in a round of a question.
    ///
    /// Errors: those of signing.
    pub fn sign(
        self,
        inquiry: &str,
        number: u32,
        site: &OrgId,
        key: &SigningKey,
    ) -> Result<Report, crypto::CryptoError> {
        let Self { id, public, commitment, shares, alone } = self;
        let hashes = [share_hash(&shares[0]), share_hash(&shares[1])];
        let signed = Signed {
            inquiry,
            number,
            site,
            id: &id,
            public: &public,
            commitment: &commitment,
            shares: [&hashes[0], &hashes[1]],
            alone,
        };
        let signature = key.sign(&signed.digest())?;
        Ok(Report { id, public, commitment, shares: shares.into(), alone, signature })
    }
}

impl Report {
    /// What the aggregator in this place gets, 0 for the leader.
    #[must_use]
    pub fn part(&self, site: &OrgId, place: usize) -> Option<ReportPart> {
        Some(ReportPart {
            site: site.clone(),
            id: self.id.clone(),
            public: self.public.clone(),
            commitment: self.commitment.clone(),
            share: self.shares.get(place)?.clone(),
            other: share_hash(self.shares.get(1_usize.checked_sub(place)?)?),
            alone: self.alone,
            signature: self.signature,
        })
    }
}

impl ReportPart {
    /// Whether `key` has signed this for the aggregator in this place, 0 for the leader.
    #[must_use]
    pub fn is_signed(&self, inquiry: &str, number: u32, place: usize, key: &PublicKey) -> bool {
        let (own, other) = (share_hash(&self.share), self.other.as_str());
        let shares = if place == 0 { [own.as_str(), other] } else { [other, own.as_str()] };
        let signed = Signed {
            inquiry,
            number,
            site: &self.site,
            id: &self.id,
            public: &self.public,
            commitment: &self.commitment,
            shares,
            alone: self.alone,
        };
        key.verify(&signed.digest(), &self.signature).is_ok()
    }
}
