//! A site's part of a masked sum.

use std::collections::BTreeMap;

use blahaj::Sharks;
use crypto::hpke::{OpeningKey, SealingKey};
use curve25519_dalek::montgomery::MontgomeryPoint;
use rand::{CryptoRng, Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::{Advert, Envelope, Kind, MaskError, Masked, Plan, Revealed, Unmasking};

const LABEL: &[u8] = b"consilium mask 1";
/// Bytes of a Shamir share of 32 bytes: its place and itself.
pub(super) const SHARE: usize = 33;
type Secret = Zeroizing<[u8; 32]>;

/// A site in one masked sum. Its steps, in this order: [`Member::advert`], [`Member::share`],
/// [`Member::mask`], [`Member::unmask`].
pub struct Member {
    plan: Plan,
    site: u8,
    pair_key: Secret,
    seed: Secret,
    opening: OpeningKey,
    adverts: BTreeMap<u8, Advert>,
    /// What this site holds of others: share of the seed, share of the pair key.
    held: BTreeMap<u8, Zeroizing<Vec<u8>>>,
    masked: bool,
}

impl Member {
    /// A site of the plan with new keys.
    ///
    /// Errors: [`MaskError::Plan`], [`MaskError::Message`] for a number that is none of the plan.
    pub fn new(plan: &Plan, site: u8, rng: &mut impl CryptoRng) -> Result<Self, MaskError> {
        plan.check()?;
        if site >= plan.sites {
            return Err(MaskError::Message { site });
        }
        let mut secret = || {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(bytes.as_mut());
            bytes
        };
        let (pair_key, seed) = (secret(), secret());
        let opening = OpeningKey::generate().map_err(|_| MaskError::Library)?;
        let (adverts, held) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { plan: plan.clone(), site, pair_key, seed, opening, adverts, held, masked: false })
    }

    /// The keys to send to all others, through the coordinator and signed by the site.
    #[must_use]
    pub fn advert(&self) -> Advert {
        Advert {
            site: self.site,
            mask_key: MontgomeryPoint::mul_base_clamped(*self.pair_key).to_bytes(),
            sealing_key: self.opening.sealing_key().0,
            seed_hash: crypto::sha256(self.seed.as_ref()),
        }
    }

    /// Shares this site's seeds among the sites whose adverts came.
    ///
    /// Errors: [`MaskError::TooFew`], [`MaskError::Message`] for an advert that is none of the plan or
    /// given twice, [`MaskError::Order`] if it was done before.
    pub fn share(
        &mut self,
        adverts: &[Advert],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Envelope>, MaskError> {
        if !self.adverts.is_empty() {
            return Err(MaskError::Order("the seeds are shared already"));
        }
        let adverts = by_site(&self.plan, adverts)?;
        enough(&self.plan, adverts.len())?;
        if adverts.get(&self.site) != Some(&self.advert()) {
            return Err(MaskError::Message { site: self.site });
        }
        let dealer = Sharks(self.plan.threshold);
        let sites = usize::from(self.plan.sites);
        let seeds: Vec<_> = dealer.dealer_rng(self.seed.as_ref(), rng).take(sites).collect();
        let keys: Vec<_> = dealer.dealer_rng(self.pair_key.as_ref(), rng).take(sites).collect();
        let mut out = Vec::new();
        for (to, (seed, key)) in (0..self.plan.sites).zip(seeds.iter().zip(&keys)) {
            let Some(advert) = adverts.get(&to) else { continue };
            let both = Zeroizing::new([Vec::from(seed), Vec::from(key)].concat());
            if to == self.site {
                self.held.insert(to, both);
                continue;
            }
            let sealed = SealingKey(advert.sealing_key)
                .seal(LABEL, &associated(&self.plan, self.site, to), &both)
                .map_err(|_| MaskError::Message { site: to })?;
            out.push(Envelope { from: self.site, to, sealed });
        }
        self.adverts = adverts;
        Ok(out)
    }

    /// The site's vector, clipped to the norm and masked towards every site whose envelope came.
    ///
    /// Errors: [`MaskError::Vector`], [`MaskError::TooFew`], [`MaskError::Message`] for an envelope
    /// that does not open or is not for this site, [`MaskError::Order`] if it was done before: two
    /// vectors under the same masks would give their difference away.
    pub fn mask(&mut self, values: &[f64], envelopes: &[Envelope]) -> Result<Masked, MaskError> {
        if self.adverts.is_empty() || self.masked {
            return Err(MaskError::Order("a vector is masked once, after the seeds are shared"));
        }
        let clipped = self.plan.clip(values)?;
        let mut held = BTreeMap::new();
        for envelope in envelopes {
            let wrong = MaskError::Message { site: envelope.from };
            let known = self.adverts.contains_key(&envelope.from) && envelope.from != self.site;
            if envelope.to != self.site || !known {
                return Err(wrong);
            }
            let associated = associated(&self.plan, envelope.from, self.site);
            let opened = self.opening.open(LABEL, &associated, &envelope.sealed);
            let opened = opened.map_err(|_| wrong.clone())?;
            let place = self.site.saturating_add(1);
            let placed = opened.first() == Some(&place) && opened.get(SHARE) == Some(&place);
            if opened.len() != 2 * SHARE || !placed || held.insert(envelope.from, opened).is_some()
            {
                return Err(wrong);
            }
        }
        enough(&self.plan, held.len() + 1)?;
        let scale = self.plan.scale();
        let mut out: Vec<u64> =
            clipped.iter().map(|value| (value * scale).round() as i64 as u64).collect();
        for peer in held.keys() {
            let key = self.adverts.get(peer).ok_or(MaskError::Message { site: *peer })?.mask_key;
            apply_pair(&mut out, &self.plan, &self.pair_key, &key, (self.site, *peer), false)?;
        }
        apply_own(&mut out, &self.plan, &self.seed, self.site, false)?;
        self.held.append(&mut held);
        self.masked = true;
        Ok(Masked { site: self.site, values: out })
    }

    /// One share for each site: of its own mask where its vector arrived, of its pair key where not.
    /// The member is used up by it, so that nobody gets both.
    ///
    /// Errors: [`MaskError::TooFew`], [`MaskError::Message`] for a survivor that gave no shares or is
    /// named twice, [`MaskError::Order`] before [`Member::mask`].
    pub fn unmask(self, survivors: &[u8]) -> Result<Unmasking, MaskError> {
        if !self.masked {
            return Err(MaskError::Order("nothing is masked yet"));
        }
        let mut distinct = survivors.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        enough(&self.plan, distinct.len())?;
        if let Some(site) = distinct.iter().find(|site| !self.held.contains_key(*site)) {
            return Err(MaskError::Message { site: *site });
        }
        let reveal = |(of, both): (&u8, &Zeroizing<Vec<u8>>)| {
            let (own, pair) = both.split_at_checked(SHARE)?;
            let (kind, share) = if distinct.binary_search(of).is_ok() {
                (Kind::Own, own)
            } else {
                (Kind::Pair, pair)
            };
            Some(Revealed { of: *of, kind, share: share.to_vec() })
        };
        let shares: Option<Vec<_>> = self.held.iter().map(reveal).collect();
        Ok(Unmasking { site: self.site, shares: shares.ok_or(MaskError::Library)? })
    }
}

/// Adverts by site.
pub(super) fn by_site(plan: &Plan, adverts: &[Advert]) -> Result<BTreeMap<u8, Advert>, MaskError> {
    let mut out = BTreeMap::new();
    for advert in adverts {
        if advert.site >= plan.sites || out.insert(advert.site, advert.clone()).is_some() {
            return Err(MaskError::Message { site: advert.site });
        }
    }
    Ok(out)
}

/// Whether enough sites are left.
pub(super) fn enough(plan: &Plan, left: usize) -> Result<(), MaskError> {
    if left < usize::from(plan.threshold) {
        return Err(MaskError::TooFew { left, threshold: plan.threshold });
    }
    Ok(())
}

/// Adds the mask between `me` and `peer` as `me` does (the lower number adds), or takes it off.
pub(super) fn apply_pair(
    values: &mut [u64],
    plan: &Plan,
    private: &[u8; 32],
    public: &[u8; 32],
    (me, peer): (u8, u8),
    off: bool,
) -> Result<(), MaskError> {
    let shared = Zeroizing::new(MontgomeryPoint(*public).mul_clamped(*private).to_bytes());
    // RFC 7748, section 6.1: a key of small order would make a mask that everybody knows.
    if shared.iter().all(|byte| *byte == 0) {
        return Err(MaskError::Message { site: peer });
    }
    let (low, high) = (me.min(peer), me.max(peer));
    let seed = crypto::derive(shared.as_ref(), &[LABEL, b"pair", &plan.context, &[low, high]]);
    stream(values, &seed.map_err(|_| MaskError::Library)?, (me > peer) != off);
    Ok(())
}

/// Adds a site's own mask, or takes it off.
pub(super) fn apply_own(
    values: &mut [u64],
    plan: &Plan,
    seed: &[u8; 32],
    site: u8,
    off: bool,
) -> Result<(), MaskError> {
    let seed = crypto::derive(seed, &[LABEL, b"own", &plan.context, &[site]]);
    stream(values, &seed.map_err(|_| MaskError::Library)?, off);
    Ok(())
}

/// Adds or subtracts the ChaCha20 stream of the seed, modulo 2^64.
fn stream(values: &mut [u64], seed: &[u8; 32], subtract: bool) {
    let mut stream = ChaCha20Rng::from_seed(*seed);
    for value in values {
        let mask = stream.next_u64();
        *value = if subtract { value.wrapping_sub(mask) } else { value.wrapping_add(mask) };
    }
}

fn associated(plan: &Plan, from: u8, to: u8) -> Vec<u8> {
    [plan.context.as_slice(), &[from, to]].concat()
}
