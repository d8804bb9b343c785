//! What somebody learns who has encodings but not the key: attacks from the literature on generated
//! names. On encodings that are not hardened they succeed, which shows that they are real; on what
//! nodes publish they must do no better than guessing the most frequent name.
//!
//! The attacker knows how frequent names are (from other people of the same region), all of the
//! method, and everything that was published.

use super::population::people;
use super::shortlist::person;
use consilium_matching::Person;
use consilium_matching::clk::{BITS, Encoder, Epsilon, Filter, Noise, Scheme, View};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

const PEOPLE: usize = 5_000;

/// How often family names are borne, the most frequent first: what everybody may know.
fn borne() -> Vec<(String, f64)> {
    let table = include_str!("../../frequencies.txt");
    let mut all: Vec<(String, f64)> = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("family"), Some(name), Some(share)) if name != "other" => {
                    Some((name.to_owned(), share.parse().ok()?))
                }
                _ => None,
            }
        })
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

/// Persons whose family names are as frequent as they are, with those names.
fn region(seed: u64) -> Vec<(Person, String)> {
    let (borne, mut rng) = (borne(), ChaCha8Rng::seed_from_u64(seed));
    let total: f64 = borne.iter().map(|(_, share)| share).sum();
    let given = people(500, 7).people;
    (0..PEOPLE)
        .map(|_| {
            let mut at = rng.random_range(0.0..total);
            let drawn = borne.iter().find(|(_, share)| {
                at -= share;
                at < 0.0
            });
            let family = drawn.map_or_else(|| borne[0].0.clone(), |(name, _)| name.clone());
            let given = &given[rng.random_range(0..given.len())].given;
            let date = format!(
                "{}-{:02}-{:02}",
                rng.random_range(1930..2015),
                rng.random_range(1..=12),
                rng.random_range(1..=28)
            );
            let text = format!(
                r#"{{"resourceType":"Patient","birthDate":"{date}","name":[{{"family":"{family}","given":["{given}"]}}]}}"#
            );
            (person(&text), family)
        })
        .collect()
}

/// Share of records whose name is guessed by always saying the most frequent one.
fn guess_rate(truth: &[(Person, String)], known: &[(String, f64)]) -> f64 {
    let most = &known[0].0;
    truth.iter().filter(|(_, name)| name == most).count() as f64 / truth.len() as f64
}

/// Frequency alignment (Christen et al. 2017): filters that are equal stand for one name; the n-th
/// most frequent filter for the n-th most frequent name.
fn frequency_attack(filters: &[Filter], known: &[(String, f64)]) -> Vec<String> {
    let mut counts: BTreeMap<[u64; 8], usize> = BTreeMap::new();
    filters.iter().for_each(|filter| *counts.entry(filter.0).or_default() += 1);
    let mut ranked: Vec<_> = counts.iter().collect();
    ranked.sort_by_key(|(filter, count)| (std::cmp::Reverse(**count), **filter));
    let names: BTreeMap<&[u64; 8], &String> =
        ranked.iter().map(|(filter, _)| *filter).zip(known.iter().map(|(name, _)| name)).collect();
    let guess = |filter: &Filter| names.get(&filter.0).map(|name| (*name).clone());
    filters.iter().map(|f| guess(f).unwrap_or_else(|| known[0].0.clone())).collect()
}

/// Pairs of letters of a name, as the method cuts them.
fn grams(name: &str) -> BTreeSet<String> {
    let letters: Vec<char> = format!(" {name} ").chars().collect();
    letters.windows(2).map(|pair| pair.iter().collect()).collect()
}

/// For each bit the records that have it.
fn columns(filters: &[Filter]) -> Vec<Vec<u64>> {
    let column = |bit: usize| {
        let mut column = vec![0u64; filters.len().div_ceil(64)];
        for (row, filter) in filters.iter().enumerate() {
            column[row / 64] |= (filter.0[bit / 64] >> (bit % 64) & 1) << (row % 64);
        }
        column
    };
    (0..BITS).map(column).collect()
}

fn both(a: &[u64], b: &[u64]) -> Vec<u64> {
    a.iter().zip(b).map(|(a, b)| a & b).collect()
}

fn ones(column: &[u64]) -> usize {
    column.iter().map(|word| word.count_ones() as usize).sum()
}

/// Sets of bits that stand together in many records, and those records, the most frequent first: from
/// every pair of bits that occur together more often than chance, the bits that nearly all of its
/// records share.
fn patterns(filters: &[Filter], nearly: f64) -> Vec<Vec<u64>> {
    let columns = columns(filters);
    let least = filters.len() / 100;
    let mut found: Vec<Vec<u64>> = Vec::new();
    for first in &columns {
        let mut partners: Vec<(f64, &Vec<u64>)> = columns
            .iter()
            .filter(|other| *other != first && ones(other) > 0)
            .map(|other| (ones(&both(first, other)) as f64 / ones(other) as f64, other))
            .collect();
        partners.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (_, partner) in partners.into_iter().take(4) {
            let seed = both(first, partner);
            let size = ones(&seed);
            let shared: Vec<&Vec<u64>> = columns
                .iter()
                .filter(|column| ones(&both(&seed, column)) as f64 >= nearly * size as f64)
                .collect();
            if size < least || shared.len() < 6 {
                continue;
            }
            let records = if nearly > 0.9 {
                shared.iter().fold(seed, |all, column| both(&all, column))
            } else {
                seed
            };
            let count = ones(&records);
            let known = |other: &Vec<u64>| {
                let common = ones(&both(&records, other)) as f64;
                common > 0.9 * count as f64 && common > 0.9 * ones(other) as f64
            };
            if count >= least && !found.iter().any(known) {
                found.push(records);
            }
        }
    }
    found.sort_by_key(|records| std::cmp::Reverse(ones(records)));
    found
}

/// Pattern mining (after Christen et al. 2018): bits that stand together stand for a q-gram, which is
/// named by how frequent it is; a record is the most frequent name with the q-grams it shows.
fn pattern_attack(filters: &[Filter], known: &[(String, f64)], nearly: f64) -> Vec<String> {
    let mut expected: BTreeMap<String, f64> = BTreeMap::new();
    let total: f64 = known.iter().map(|(_, share)| share).sum();
    for (name, share) in known {
        grams(name)
            .into_iter()
            .for_each(|gram| *expected.entry(gram).or_default() += share / total);
    }
    let mut named: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for records in patterns(filters, nearly) {
        let share = ones(&records) as f64 / filters.len() as f64;
        let left = expected.iter().filter(|(gram, _)| !named.contains_key(*gram));
        let nearest = left.min_by(|a, b| (a.1 - share).abs().total_cmp(&(b.1 - share).abs()));
        if let Some((gram, found)) = nearest
            && (found - share).abs() < 0.15 * share
        {
            named.insert(gram.clone(), records);
        }
    }
    let candidates: Vec<(&String, f64, Vec<bool>)> = known
        .iter()
        .map(|(name, share)| {
            let grams = grams(name);
            (name, *share, named.keys().map(|gram| grams.contains(gram)).collect())
        })
        .collect();
    let guess = |row: usize| {
        let shown: Vec<bool> =
            named.values().map(|records| records[row / 64] >> (row % 64) & 1 == 1).collect();
        let score = |(_, share, has): &(&String, f64, Vec<bool>)| {
            let agree = has.iter().zip(&shown).filter(|(has, shown)| has == shown).count();
            1.5 * agree as f64 + share.ln()
        };
        let best = candidates.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        best.map_or_else(String::new, |(name, ..)| (*name).clone())
    };
    (0..filters.len()).map(guess).collect()
}

fn share(guesses: &[String], truth: &[(Person, String)]) -> f64 {
    guesses.iter().zip(truth).filter(|(guess, (_, name))| guess == &name).count() as f64
        / truth.len() as f64
}

/// What nodes publish in the view of names, with noise.
fn published(key: u8, truth: &[(Person, String)]) -> Vec<Filter> {
    let encoder = Encoder::new(&[key; 32], Scheme::HARDENED).unwrap();
    let noise = Noise::new(&[key; 32], Epsilon::STANDARD);
    let of = |(number, (person, _)): (usize, &(Person, String))| {
        let all = encoder.encode(person);
        let name = all.iter().find(|encoding| encoding.view == View::Name).unwrap();
        noise.add(name.filter, &[&number.to_be_bytes()])
    };
    truth.iter().enumerate().map(of).collect()
}

#[test]
fn attacks_on_names_succeed_without_hardening_and_fail_with_it() {
    let truth = region(61);
    let known = borne();
    let guess = guess_rate(&truth, &known);
    let plain = Encoder::new(&[1; 32], Scheme::PLAIN).unwrap();
    let fields: Vec<Filter> =
        truth.iter().map(|(person, _)| plain.family_only(person).unwrap()).collect();
    let hardened = published(1, &truth);

    let frequency = share(&frequency_attack(&fields, &known), &truth);
    let frequency_hardened = share(&frequency_attack(&hardened, &known), &truth);
    let pattern = share(&pattern_attack(&fields, &known, 0.95), &truth);
    // With noise nothing stands together in nearly all records: the attacker asks for less.
    let pattern_hardened = [0.95, 0.8]
        .map(|nearly| share(&pattern_attack(&hardened, &known, nearly), &truth))
        .into_iter()
        .fold(0.0, f64::max);
    println!(
        "family names found: guessing {guess:.4}; frequency {frequency:.4}, hardened \
         {frequency_hardened:.4}; pattern mining {pattern:.4}, hardened {pattern_hardened:.4}"
    );
    assert!(frequency > 3.0 * guess, "the frequency attack is real: {frequency} against {guess}");
    assert!(pattern > 3.0 * guess, "the pattern attack is real: {pattern} against {guess}");
    assert!(frequency_hardened <= guess + 0.01, "{frequency_hardened} against {guess}");
    assert!(pattern_hardened <= guess + 0.01, "{pattern_hardened} against {guess}");
}

#[test]
fn the_same_people_cannot_be_followed_from_one_epoch_to_the_next() {
    let truth = region(63);
    let (one, next) = (published(1, &truth), published(2, &truth));
    let again = published(1, &truth);
    assert_eq!(one, again, "publishing again within an epoch shows nothing new");
    // The most similar filter of the other epoch, and the one with the nearest number of bits.
    let linked = |from: &[Filter], to: &[Filter], nearness: fn(&Filter, &Filter) -> u32| {
        let right = |(row, filter): &(usize, &Filter)| {
            let best = (0..to.len()).max_by_key(|at| nearness(filter, &to[*at]));
            best == Some(*row)
        };
        from.iter().enumerate().take(500).filter(right).count()
    };
    let common: fn(&Filter, &Filter) -> u32 = |a, b| a.common(b);
    let weight: fn(&Filter, &Filter) -> u32 = |a, b| 1_000 - a.ones().abs_diff(b.ones());
    let (within, across) = (linked(&one, &again, common), linked(&one, &next, common));
    let by_weight = linked(&one, &next, weight);
    println!("linked of 500: {within} within an epoch, {across} across, {by_weight} by weight");
    assert!(within > 450, "within an epoch the test does link: {within}");
    assert!(across <= 5 && by_weight <= 5, "{across} {by_weight}");
}
