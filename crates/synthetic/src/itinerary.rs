//! When somebody sees which hospital, and why.

use crate::ailment::{self, Ailment, Setting};
use crate::body::Body;
use crate::calendar::{DAY_MS, YEAR_MS, age, office_hour};
use crate::chance::Chance;
use crate::disease::Disease;
use crate::sites::Role;

/// Why somebody comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Yearly examination, well child visit.
    Checkup,
    /// Planned visit for lasting diseases at the family doctor's.
    Management,
    /// Planned visit at a specialist's.
    Specialist(Disease),
    /// Planned visit for a disease of special sensitivity.
    Sensitive(Disease),
    /// A passing illness.
    Acute(Ailment),
    /// Prenatal visit in the given week.
    Prenatal(i64),
    /// Birth of a child.
    Delivery,
}

/// A visit to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) at: i64,
    /// Index among the person's hospitals.
    pub(crate) site: usize,
    pub(crate) kind: Kind,
    /// The person is still in hospital.
    pub(crate) ongoing: bool,
    /// The person dies of it.
    pub(crate) fatal: bool,
}

/// What a further hospital is to somebody.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Relation {
    Specialist(Disease),
    /// Went there until a move.
    Former,
    /// Taken there when something happens.
    Nearest,
}

/// All visits of a person with `sites` hospitals (home first) from `start_ms` until `now_ms`.
pub(crate) fn plan(
    body: &Body,
    sites: usize,
    start_ms: i64,
    now_ms: i64,
    chance: &mut Chance,
) -> Vec<Planned> {
    let relations: Vec<Relation> =
        (1..sites).map(|at| relation(body, at, now_ms, chance)).collect();
    let former = relations.iter().position(|r| *r == Relation::Former).map(|at| at + 1);
    let nearest = relations.iter().position(|r| *r == Relation::Nearest).map(|at| at + 1);
    let moved_ms = start_ms + ((now_ms - start_ms) as f64 * chance.real(0.35, 0.65)) as i64;
    let local = |at: i64| former.filter(|_| at < moved_ms).unwrap_or(0);
    let mut out: Vec<Planned> = Vec::new();
    let mut add = |at: i64, site: usize, kind: Kind| {
        out.push(Planned { at, site, kind, ongoing: false, fatal: false });
    };
    for (at, kind) in routine(body, start_ms, now_ms, chance) {
        add(at, local(at), kind);
    }
    for (index, relation) in relations.iter().enumerate() {
        if let Relation::Specialist(disease) = relation {
            for at in regular(
                start_ms.max(body.onset.get(disease).copied().unwrap_or(start_ms)),
                now_ms,
                (150, 320),
                chance,
            ) {
                add(at, index + 1, Kind::Specialist(*disease));
            }
        }
    }
    for (at, found) in ailments(body, start_ms, now_ms, chance) {
        let away = nearest.filter(|_| found.setting != Setting::Clinic && chance.yes(0.6));
        add(at, away.unwrap_or(local(at)), Kind::Acute(found));
    }
    if let Some(site) = nearest {
        let at = now_ms - chance.between(20, 400) * DAY_MS;
        let years = age(body.birth_ms, at);
        if let Some(found) = ailment::draw(chance, years, body.female, Setting::Emergency) {
            add(at.max(start_ms), site, Kind::Acute(found));
        }
    }
    for disease in [Disease::Alcohol, Disease::Opioid, Disease::Hiv, Disease::Bipolar] {
        let Some(onset) = body.onset.get(&disease) else { continue };
        for at in regular(start_ms.max(*onset), now_ms, (60, 150), chance) {
            add(at, sites - 1, Kind::Sensitive(disease));
        }
    }
    for (at, kind) in pregnancy(body, start_ms, now_ms, chance) {
        add(at, local(at), kind);
    }
    end(body, &mut out, now_ms, chance);
    visit_all(&mut out, sites, start_ms, now_ms);
    out.sort_by_key(|planned| planned.at);
    // Nobody sees two doctors of one hospital within a day, except where a stay follows.
    let mut last = vec![i64::MIN; sites];
    out.retain(|planned| {
        let keep = planned.at > last[planned.site].saturating_add(DAY_MS)
            || planned.fatal
            || planned.ongoing;
        if keep {
            last[planned.site] = planned.at;
        }
        keep
    });
    out
}

/// Whoever is known to a hospital has been there.
fn visit_all(out: &mut Vec<Planned>, sites: usize, start_ms: i64, now_ms: i64) {
    for site in 0..sites {
        if !out.iter().any(|planned| planned.site == site) {
            let at = office_hour(start_ms + (now_ms - start_ms) / 2, 9 + site as i64, 20);
            out.push(Planned { at, site, kind: Kind::Checkup, ongoing: false, fatal: false });
        }
    }
}

fn relation(body: &Body, at: usize, now_ms: i64, chance: &mut Chance) -> Relation {
    let seen_elsewhere = body.onset.iter().filter(|(disease, onset)| {
        !matches!(
            disease.profile().specialty,
            Role::Primary | Role::Pediatrics | Role::Psychiatry | Role::Infectious
        ) && **onset < now_ms - 90 * DAY_MS
    });
    let diseases: Vec<Disease> = seen_elsewhere.map(|(disease, _)| *disease).collect();
    let disease = diseases.get(chance.below(diseases.len())).copied();
    match (at, disease) {
        (1, Some(disease)) if chance.yes(0.7) => Relation::Specialist(disease),
        (1, _) if chance.yes(0.5) => Relation::Former,
        _ => Relation::Nearest,
    }
}

/// Times about `days` apart, the last one shortly before `now_ms`.
fn regular(start_ms: i64, now_ms: i64, days: (i64, i64), chance: &mut Chance) -> Vec<i64> {
    let mut out = Vec::new();
    let mut at = now_ms - chance.between(6, 95) * DAY_MS;
    while at > start_ms && out.len() < 60 {
        out.push(office_hour(at, chance.between(8, 15), 20 * chance.between(0, 2)));
        at -= chance.between(days.0, days.1) * DAY_MS;
    }
    out
}

fn routine(body: &Body, start_ms: i64, now_ms: i64, chance: &mut Chance) -> Vec<(i64, Kind)> {
    if age(body.birth_ms, now_ms) < 19.0 {
        return well_child(body, now_ms, chance);
    }
    let lasting = body.onset.keys().filter(|disease| !disease.profile().steps.is_empty()).count();
    let days = match lasting {
        0 => (350, 560),
        1 => (170, 300),
        _ => (110, 200),
    };
    let mut checkup_ms = i64::MIN;
    let mut times = regular(start_ms, now_ms, days, chance);
    times.reverse();
    times
        .into_iter()
        .map(|at| {
            let yearly = at.saturating_sub(checkup_ms) > 340 * DAY_MS;
            checkup_ms = if yearly { at } else { checkup_ms };
            (at, if yearly { Kind::Checkup } else { Kind::Management })
        })
        .collect()
}

fn well_child(body: &Body, now_ms: i64, chance: &mut Chance) -> Vec<(i64, Kind)> {
    const MONTHS: [i64; 10] = [2, 4, 6, 9, 12, 15, 18, 24, 30, 36];
    let yearly = (4..19).map(|year| year * 12);
    let mut out = Vec::new();
    for months in MONTHS.into_iter().chain(yearly) {
        let day = body.birth_ms + months * YEAR_MS / 12 + chance.between(1, 18) * DAY_MS;
        let at = office_hour(day, chance.between(8, 15), 20 * chance.between(0, 2));
        if at < now_ms - 2 * DAY_MS {
            out.push((at, Kind::Checkup));
        }
    }
    out
}

fn ailments(body: &Body, start_ms: i64, now_ms: i64, chance: &mut Chance) -> Vec<(i64, Ailment)> {
    let mut out = Vec::new();
    let mut at = start_ms + chance.between(20, 500) * DAY_MS;
    while at < now_ms - 3 * DAY_MS && out.len() < 40 {
        let years = age(body.birth_ms, at);
        let setting = match chance.below(100) {
            0..60 => Setting::Clinic,
            60..90 => Setting::Emergency,
            _ => Setting::Admission,
        };
        if let Some(found) = ailment::draw(chance, years, body.female, setting) {
            let hour = if setting == Setting::Clinic {
                chance.between(8, 16)
            } else {
                chance.between(0, 23)
            };
            let day = if setting == Setting::Clinic {
                office_hour(at, hour, 40)
            } else {
                at - at.rem_euclid(DAY_MS) + (hour + 5) * DAY_MS / 24
            };
            out.push((day.min(now_ms - 2 * DAY_MS), found));
        }
        at += chance
            .between(if years < 10.0 { 120 } else { 260 }, if years < 10.0 { 420 } else { 1100 })
            * DAY_MS;
    }
    let flares = [
        (Disease::Copd, 0.45, ailment::COPD_FLARE),
        (Disease::HeartFailure, 0.6, ailment::HEART_FAILURE_FLARE),
    ];
    for (disease, p, flare) in flares {
        let Some(onset) = body.onset.get(&disease) else { continue };
        let first = start_ms.max(*onset + 90 * DAY_MS);
        if chance.yes(p) && first < now_ms - 60 * DAY_MS {
            out.push((
                first + ((now_ms - 40 * DAY_MS - first) as f64 * chance.unit()) as i64,
                flare,
            ));
        }
    }
    if let Some(onset) = body.onset.get(&Disease::Coronary).filter(|onset| **onset > start_ms)
        && chance.yes(0.5)
    {
        out.push((*onset, ailment::INFARCTION));
    }
    out
}

fn pregnancy(body: &Body, start_ms: i64, now_ms: i64, chance: &mut Chance) -> Vec<(i64, Kind)> {
    let years = age(body.birth_ms, now_ms);
    let barred = [
        Disease::Hypertension,
        Disease::Diabetes1,
        Disease::Diabetes2,
        Disease::Epilepsy,
        Disease::Alcohol,
        Disease::Opioid,
        Disease::Hiv,
        Disease::Bipolar,
        Disease::Hyperlipidemia,
        Disease::Rheumatoid,
    ];
    let expects = body.female && (23.0..44.0).contains(&years) && chance.yes(0.45);
    if !expects || barred.iter().any(|disease| body.onset.contains_key(disease)) {
        return Vec::new();
    }
    let youngest = start_ms.max(body.birth_ms + 21 * YEAR_MS);
    let oldest = now_ms.min(body.birth_ms + 39 * YEAR_MS) - 300 * DAY_MS;
    if oldest <= youngest {
        return Vec::new();
    }
    let began = youngest + ((oldest - youngest) as f64 * chance.unit()) as i64;
    let mut out: Vec<(i64, Kind)> = [9, 16, 20, 28, 36]
        .into_iter()
        .map(|week| {
            (office_hour(began + week * 7 * DAY_MS, chance.between(8, 15), 0), Kind::Prenatal(week))
        })
        .collect();
    out.push((began + (39 * 7 + chance.between(-6, 8)) * DAY_MS, Kind::Delivery));
    out
}

/// Some very old people die in hospital; some people are in hospital now.
fn end(body: &Body, out: &mut Vec<Planned>, now_ms: i64, chance: &mut Chance) {
    let years = age(body.birth_ms, now_ms);
    let (dies, stays) = (years > 77.0 && chance.yes(0.2), years > 45.0 && chance.yes(0.05));
    let at = if dies { now_ms - chance.between(40, 500) * DAY_MS } else { now_ms - 40 * 3_600_000 };
    let cause = if body.onset.contains_key(&Disease::HeartFailure) {
        Some(ailment::HEART_FAILURE_FLARE)
    } else if body.onset.contains_key(&Disease::Copd) {
        Some(ailment::COPD_FLARE)
    } else {
        ailment::AILMENTS.iter().find(|ailment| ailment.code.0 == "233604007").copied()
    };
    let (Some(cause), true) = (cause, (dies || stays) && years > 50.0) else { return };
    out.retain(|planned| planned.at < at - 4 * DAY_MS);
    let site = out.iter().max_by_key(|planned| planned.at).map_or(0, |planned| planned.site);
    out.push(Planned { at, site, kind: Kind::Acute(cause), ongoing: !dies, fatal: dies });
}
