//! Masked sums when sites drop out at any step.

use consilium_privacy::aggregate::masks::*;
use proptest::prelude::*;

use crate::random;

/// The step before which a site is gone. `None`: it stays.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Gone {
    Share,
    Mask,
    Unmask,
    Stays,
}

fn plan(sites: u8, threshold: u8, length: usize) -> Plan {
    Plan { sites, threshold, length, norm: 1024.0, context: b"net, q, 1".to_vec() }
}

/// Vectors whose sums are exact in binary.
fn vector(site: u8, length: usize) -> Vec<f64> {
    (0..length).map(|at| f64::from(site + 1) * 0.25 - at as f64).collect()
}

/// Runs a sum. Gives it with the sites in it.
fn run(plan: &Plan, gone: &[Gone]) -> Result<(Vec<f64>, Vec<u8>), MaskError> {
    let mut rng = random(21);
    let mut members: Vec<Member> =
        (0..plan.sites).map(|site| Member::new(plan, site, &mut rng).unwrap()).collect();
    let adverts: Vec<_> = members.iter().map(Member::advert).collect();
    let is = |site: u8, step: Gone| gone[usize::from(site)] > step;
    let mut envelopes = Vec::new();
    for (site, member) in (0u8..).zip(&mut members) {
        if is(site, Gone::Share) {
            envelopes.extend(member.share(&adverts, &mut rng)?);
        }
    }
    let shared: Vec<u8> = (0..plan.sites).filter(|site| is(*site, Gone::Share)).collect();
    let mut masked = Vec::new();
    for (site, member) in (0u8..).zip(&mut members) {
        if is(site, Gone::Mask) {
            let mine: Vec<_> = envelopes.iter().filter(|e| e.to == site).cloned().collect();
            masked.push(member.mask(&vector(site, plan.length), &mine)?);
        }
    }
    let arrived: Vec<u8> = masked.iter().map(|vector| vector.site).collect();
    let mut unmaskings = Vec::new();
    for (site, member) in (0u8..).zip(members) {
        if is(site, Gone::Unmask) {
            unmaskings.push(member.unmask(&arrived)?);
        }
    }
    // Nobody gives both seeds of one site, and together they do not either.
    for of in 0..plan.sites {
        let kinds: Vec<_> = unmaskings
            .iter()
            .flat_map(|u| &u.shares)
            .filter(|r| r.of == of)
            .map(|r| r.kind)
            .collect();
        assert!(kinds.windows(2).all(|pair| pair[0] == pair[1]), "both seeds of site {of}");
    }
    Ok((sum(plan, &adverts, &shared, &masked, &unmaskings)?, arrived))
}

fn expected(sites: &[u8], length: usize) -> Vec<f64> {
    let mut out = vec![0.0; length];
    for site in sites {
        out.iter_mut().zip(vector(*site, length)).for_each(|(to, from)| *to += from);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_sum_is_exact_whoever_drops_out_when_while_enough_are_left(
        steps in prop::collection::vec(
            prop::sample::select(vec![Gone::Share, Gone::Mask, Gone::Unmask, Gone::Stays, Gone::Stays]),
            7,
        )
    ) {
        let plan = plan(7, 4, 9);
        let left = steps.iter().filter(|gone| **gone == Gone::Stays).count();
        match run(&plan, &steps) {
            Ok((sums, arrived)) => {
                prop_assert!(left >= 4);
                prop_assert_eq!(sums, expected(&arrived, 9));
            }
            Err(error) => {
                prop_assert!(left < 4, "{}", error);
                let few = matches!(error, MaskError::TooFew { threshold: 4, .. });
                prop_assert!(few);
            }
        }
    }
}

#[test]
fn a_masked_vector_says_nothing_and_is_made_once() {
    let plan = plan(3, 2, 4);
    let mut rng = random(22);
    let mut members: Vec<Member> =
        (0..3).map(|site| Member::new(&plan, site, &mut rng).unwrap()).collect();
    let adverts: Vec<_> = members.iter().map(Member::advert).collect();
    assert!(matches!(members[0].mask(&[0.0; 4], &[]), Err(MaskError::Order(_))));
    let envelopes: Vec<Vec<Envelope>> =
        members.iter_mut().map(|m| m.share(&adverts, &mut rng).unwrap()).collect();
    let for_0: Vec<_> = envelopes.iter().flatten().filter(|e| e.to == 0).cloned().collect();
    // An envelope of somebody else, one that was changed, one twice.
    let mut bad = for_0.clone();
    bad[0] = envelopes[1].iter().find(|e| e.to == 2).unwrap().clone();
    assert_eq!(members[0].mask(&[0.0; 4], &bad), Err(MaskError::Message { site: 1 }));
    let mut bad = for_0.clone();
    bad[1].sealed[40] ^= 1;
    assert_eq!(members[0].mask(&[0.0; 4], &bad), Err(MaskError::Message { site: 2 }));
    let bad = [for_0[0].clone(), for_0[0].clone()];
    assert_eq!(members[0].mask(&[0.0; 4], &bad), Err(MaskError::Message { site: 1 }));
    assert_eq!(members[0].mask(&[f64::NAN; 4], &for_0), Err(MaskError::Vector { expected: 4 }));
    let masked = members[0].mask(&[0.0; 4], &for_0).unwrap();
    assert!(masked.values.iter().all(|value| *value != 0));
    assert!(matches!(members[0].mask(&[1.0; 4], &for_0), Err(MaskError::Order(_))));
    // A coordinator that claims a survivor that shared nothing, or too few.
    let member = members.remove(0);
    assert_eq!(member.unmask(&[0]), Err(MaskError::TooFew { left: 1, threshold: 2 }));
    assert!(matches!(members.remove(0).unmask(&[0, 1]), Err(MaskError::Order(_))));
}

#[test]
fn a_wrong_share_and_a_key_of_small_order_are_found() {
    let plan = plan(3, 2, 2);
    let mut rng = random(23);
    let mut members: Vec<Member> =
        (0..3).map(|site| Member::new(&plan, site, &mut rng).unwrap()).collect();
    let mut adverts: Vec<_> = members.iter().map(Member::advert).collect();
    let good = adverts.clone();
    adverts[2].mask_key = [0; 32];
    let mut all = Vec::new();
    for (site, member) in members.iter_mut().enumerate() {
        let seen = if site == 2 { &good } else { &adverts };
        all.extend(member.share(seen, &mut rng).unwrap());
    }
    let for_0: Vec<_> = all.iter().filter(|e| e.to == 0).cloned().collect();
    assert_eq!(members[0].mask(&[0.0; 2], &for_0), Err(MaskError::Message { site: 2 }));

    let (mut members, mut rng): (Vec<Member>, _) = {
        let mut rng = random(24);
        ((0..3).map(|site| Member::new(&plan, site, &mut rng).unwrap()).collect(), rng)
    };
    let adverts: Vec<_> = members.iter().map(Member::advert).collect();
    let all: Vec<_> =
        members.iter_mut().flat_map(|m| m.share(&adverts, &mut rng).unwrap()).collect();
    let masked: Vec<_> = (0u8..)
        .zip(&mut members)
        .map(|(site, member)| {
            let mine: Vec<_> = all.iter().filter(|e| e.to == site).cloned().collect();
            member.mask(&[1.0, 2.0], &mine).unwrap()
        })
        .collect();
    let mut answers: Vec<_> =
        members.into_iter().map(|member| member.unmask(&[0, 1, 2]).unwrap()).collect();
    assert_eq!(sum(&plan, &adverts, &[0, 1, 2], &masked, &answers), Ok(vec![3.0, 6.0]));
    answers[0].shares[1].share[5] ^= 1;
    assert_eq!(
        sum(&plan, &adverts, &[0, 1, 2], &masked, &answers),
        Err(MaskError::Message { site: 1 })
    );
}

#[test]
fn long_vectors_are_clipped_to_the_norm() {
    let plan = Plan { norm: 1.0, ..plan(3, 2, 2) };
    assert_eq!(plan.clip(&[3.0, 4.0]), Ok(vec![0.6000000000000001, 0.8]));
    assert_eq!(plan.clip(&[0.3, 0.4]), Ok(vec![0.3, 0.4]));
    assert!(plan.step() <= 2f64.powi(-53));
    let bad = Plan { threshold: 2, sites: 4, ..plan.clone() };
    assert!(matches!(bad.check(), Err(MaskError::Plan(_))));
    assert!(matches!(Plan { norm: f64::NAN, ..plan }.check(), Err(MaskError::Plan(_))));
}
