//! The coordinator's part of a masked sum: take the masks off the sum of the vectors that arrived.

use std::collections::BTreeMap;

use blahaj::{Share, Sharks};
use curve25519_dalek::montgomery::MontgomeryPoint;
use zeroize::Zeroizing;

use super::member::{SHARE, apply_own, apply_pair, by_site, enough};
use super::{Advert, Kind, MaskError, Masked, Plan, Unmasking};

/// The sum of the vectors in `masked`. `shared` are the sites whose envelopes the coordinator passed on
/// to all others: those that every vector is masked towards.
///
/// Errors: [`MaskError::TooFew`] where fewer than the threshold gave a vector or an answer,
/// [`MaskError::Message`] for a message that does not fit, among them shares that give another seed
/// than the site announced.
pub fn sum(
    plan: &Plan,
    adverts: &[Advert],
    shared: &[u8],
    masked: &[Masked],
    unmaskings: &[Unmasking],
) -> Result<Vec<f64>, MaskError> {
    plan.check()?;
    let adverts = by_site(plan, adverts)?;
    let mut total = vec![0u64; plan.length];
    let mut arrived = BTreeMap::new();
    for vector in masked {
        let wrong = MaskError::Message { site: vector.site };
        let fits = vector.values.len() == plan.length && shared.contains(&vector.site);
        if !fits || arrived.insert(vector.site, ()).is_some() {
            return Err(wrong);
        }
        total.iter_mut().zip(&vector.values).for_each(|(to, from)| *to = to.wrapping_add(*from));
    }
    enough(plan, arrived.len())?;
    let shares = collect(unmaskings)?;
    for site in shared {
        let advert = adverts.get(site).ok_or(MaskError::Message { site: *site })?;
        let came = arrived.contains_key(site);
        let kind = if came { Kind::Own } else { Kind::Pair };
        let secret = recover(plan, *site, kind, &shares)?;
        if came {
            if crypto::sha256(secret.as_ref()) != advert.seed_hash {
                return Err(MaskError::Message { site: *site });
            }
            apply_own(&mut total, plan, &secret, *site, true)?;
            continue;
        }
        if MontgomeryPoint::mul_base_clamped(*secret).to_bytes() != advert.mask_key {
            return Err(MaskError::Message { site: *site });
        }
        // What the missing site would have added cancels what the others did.
        for peer in arrived.keys() {
            let key = adverts.get(peer).ok_or(MaskError::Message { site: *peer })?.mask_key;
            apply_pair(&mut total, plan, &secret, &key, (*site, *peer), false)?;
        }
    }
    let step = plan.step();
    Ok(total.into_iter().map(|sum| sum as i64 as f64 * step).collect())
}

type Shares = BTreeMap<(u8, bool), Vec<Share>>;

/// The shares by the seed they are of. A site that gives both seeds of one is refused.
fn collect(unmaskings: &[Unmasking]) -> Result<Shares, MaskError> {
    let mut out = Shares::new();
    let mut sites = BTreeMap::new();
    for unmasking in unmaskings {
        let wrong = MaskError::Message { site: unmasking.site };
        if sites.insert(unmasking.site, ()).is_some() {
            return Err(wrong);
        }
        let mut of = BTreeMap::new();
        for revealed in &unmasking.shares {
            let placed = revealed.share.first() == Some(&unmasking.site.saturating_add(1));
            let share = Share::try_from(revealed.share.as_slice()).map_err(|_| wrong.clone())?;
            let whole = revealed.share.len() == SHARE;
            if !placed || !whole || of.insert(revealed.of, ()).is_some() {
                return Err(wrong);
            }
            out.entry((revealed.of, revealed.kind == Kind::Own)).or_default().push(share);
        }
    }
    Ok(out)
}

fn recover(
    plan: &Plan,
    site: u8,
    kind: Kind,
    shares: &Shares,
) -> Result<Zeroizing<[u8; 32]>, MaskError> {
    let shares = shares.get(&(site, kind == Kind::Own)).map_or(&[][..], Vec::as_slice);
    enough(plan, shares.len())?;
    let few = shares.iter().take(usize::from(plan.threshold));
    let secret = Sharks(plan.threshold).recover(few).map_err(|_| MaskError::Library)?;
    let secret = <[u8; 32]>::try_from(secret.as_slice());
    secret.map(Zeroizing::new).map_err(|_| MaskError::Message { site })
}
