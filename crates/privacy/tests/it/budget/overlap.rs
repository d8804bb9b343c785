//! Attacks by several questions, each of which alone is harmless.

use consilium_privacy::budget::field::{inverse, less, times};
use consilium_privacy::budget::{Beside, Marks, Ruling};
use proptest::prelude::*;

/// The mark of somebody's row: 32 bits without a law (splitmix64).
fn mark(person: u64, row: u64) -> u64 {
    let mut mixed = (person << 20 | row).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for (shift, factor) in [(30, 0xBF58_476D_1CE4_E5B9), (27, 0x94D0_49BB_1331_11EB)] {
        mixed = (mixed ^ mixed >> shift).wrapping_mul(factor);
    }
    (mixed ^ mixed >> 31) >> 32
}

/// A group of people with one row each.
fn people(of: impl IntoIterator<Item = u64>) -> Marks {
    Marks::of(of.into_iter().map(|person| (person, mark(person, 0))))
}

/// Asks for one group after the other, and says what came of each.
fn ask(groups: &[Marks]) -> Vec<Ruling> {
    let mut beside = Beside::new(10);
    groups.iter().map(|group| beside.show(group)).collect()
}

use Ruling::{Few, Known, Shown};

#[test]
fn a_group_beside_almost_the_same_is_not_shown() {
    let all = || people(0..200);
    assert_eq!(ask(&[all(), people(0..199)]), [Shown, Few]);
    assert_eq!(ask(&[people(0..199), all()]), [Shown, Few]);
    assert_eq!(ask(&[all(), people(0..191)]), [Shown, Few]);
    assert_eq!(ask(&[all(), people(0..190)]), [Shown, Shown]);
    // Two left and two came.
    assert_eq!(ask(&[people(0..100), people(2..102)]), [Shown, Few]);
    assert_eq!(ask(&[people(0..100), people(5..105)]), [Shown, Shown]);
    assert_eq!(ask(&[people(0..9)]), [Few]);
    assert_eq!(ask(&[people(0..10)]), [Shown]);
}

#[test]
fn the_same_again_and_what_follows_is_shown_and_counts_for_nothing() {
    let mut beside = Beside::new(10);
    let (low, high) = (people(0..100), people(100..200));
    for group in [&low, &high] {
        assert_eq!(beside.show(group), Shown);
    }
    for _ in 0..3 {
        assert_eq!(beside.show(&low), Known);
        assert_eq!(beside.show(&people(0..200)), Known, "the sum of both");
    }
    assert_eq!(beside.groups(), 2);
}

#[test]
fn trackers_are_found() {
    // The individual tracker: who meets C, and who meets C but not D, for the one who meets both.
    assert_eq!(ask(&[people(0..50), people(1..50)]), [Shown, Few]);
    // The general tracker: T or p, and not T or p, less everybody.
    let with = |of: std::ops::Range<u64>| people(of.chain([0]));
    assert_eq!(ask(&[people(0..200), with(100..200), people(0..100)]), [Shown, Shown, Few]);
    // A group of bands and one more.
    let bands = |band: u64| people(band * 20..band * 20 + 20);
    let more = people((40..120).chain([7]));
    let asked = [bands(0), bands(1), bands(2), bands(3), bands(4), bands(5), more];
    assert_eq!(ask(&asked).last(), Some(&Few));
    // Twice one person: ab + bc - ac.
    let of = |parts: [std::ops::Range<u64>; 2]| people(parts.into_iter().flatten());
    let (a, b, c) = (0..50, 50..55, 55..99);
    let asked = [of([a.clone(), b.clone()]), of([b, c.clone()]), of([a, c])];
    assert_eq!(ask(&asked), [Shown, Shown, Few]);
}

#[test]
fn rows_of_one_person_are_found_where_all_are_in_both() {
    // Everybody has three rows; of one person, one does not meet the second condition.
    let rows = |left_out: Option<(u64, u64)>| {
        let each = move |person: u64| {
            let met = (0..3).filter(move |row| left_out != Some((person, *row)));
            (person, met.map(|row| mark(person, row)).sum::<u64>())
        };
        Marks::of((0..300).map(each))
    };
    assert_eq!(ask(&[rows(None), rows(Some((17, 2)))]), [Shown, Few]);
    assert_eq!(ask(&[rows(None), rows(None)]), [Shown, Known]);
}

#[test]
fn of_twenty_people_there_are_not_many_things_to_ask() {
    let women = people(0..10);
    let men = people(10..20);
    let old = people((0..7).chain(10..15));
    assert_eq!(ask(&[women, men, old]), [Shown, Shown, Few], "the young are eight");
}

#[test]
fn what_was_shown_is_kept_as_it_is() {
    let group = people(0..500);
    let bytes = group.to_bytes();
    assert_eq!(Marks::from_bytes(&bytes), Some(group.clone()));
    assert_eq!(Marks::from_bytes(&bytes[1..]), None);
    assert_eq!(Marks::from_bytes(&[bytes.clone(), bytes].concat()), None, "a place twice");
    let mut beside = Beside::new(10);
    beside.was_shown(&group);
    beside.was_shown(&group);
    assert_eq!((beside.groups(), beside.show(&people(0..499))), (1, Few));
}

#[test]
fn many_questions_of_many_people_are_looked_at_together() {
    // By sex, decade, region and month of 20,000 people, then by two of them: a small hospital's table.
    let by = |parts: u64, salt: u64| {
        (0..parts)
            .map(move |part| people((0..20_000).filter(move |p| mark(*p, salt) % parts == part)))
    };
    let mut beside = Beside::new(10);
    for (parts, salt) in [(2, 1), (9, 2), (16, 3), (12, 4), (30, 5)] {
        for group in by(parts, salt) {
            assert_ne!(beside.show(&group), Few);
        }
    }
    // The last of each follows from the others and from everybody.
    assert_eq!(beside.groups(), 2 + 8 + 15 + 11 + 29);
    let nearly = people((0..20_000).filter(|p| mark(*p, 2) % 9 == 4 && *p != 12_345));
    let is_in = mark(12_345, 2) % 9 == 4;
    assert_eq!(beside.show(&nearly), if is_in { Few } else { Known });
}

/// Where much was told of few people already, nothing is shown of which it cannot be said whether it would
/// tell of fewer.
#[test]
fn much_that_is_known_of_a_ward_hides_nobody_of_it() {
    // Twenty laboratory values of thirty people on a ward, each of rows of its own.
    let values = |people: std::ops::Range<u64>, row: u64| {
        Marks::of(people.map(move |person| (person, mark(person, row))))
    };
    for left_out in [1, 3, 5, 9] {
        for _ in 0..5 {
            let mut beside = Beside::new(10);
            for row in 0..20 {
                assert_ne!(beside.show(&values(0..30, row)), Few);
            }
            let all = values(0..1_000, 20);
            let but = values(left_out..1_000, 20);
            if beside.show(&all) == Shown {
                assert_ne!(beside.show(&but), Shown, "{left_out} people of the ward");
            }
            // Of others it can be said.
            assert_eq!(beside.show(&values(2_000..3_000, 30)), Shown);
        }
    }
}

/// Whether leaving some of fewer than `least` people out lowers the rank: then a combination is about them
/// alone.
fn shows_few(groups: &[Vec<u64>], least: usize) -> bool {
    let people = groups.first().map_or(0, Vec::len);
    let without = |left_out: u32| -> usize {
        let kept = |at: &usize| left_out >> at & 1 == 0;
        rank(groups.iter().map(|g| (0..people).filter(kept).map(|at| g[at]).collect()).collect())
    };
    let whole = without(0);
    (1..1_u32 << people)
        .filter(|some| (some.count_ones() as usize) < least)
        .any(|some| without(some) < whole)
}

fn rank(mut rows: Vec<Vec<u64>>) -> usize {
    let (mut done, width) = (0, rows.first().map_or(0, Vec::len));
    for column in 0..width {
        let Some(found) = (done..rows.len()).find(|at| rows[*at][column] != 0) else { continue };
        rows.swap(done, found);
        let pivot = rows[done].clone();
        for row in rows.iter_mut().skip(done + 1) {
            let factor = times(row[column], inverse(pivot[column]));
            row.iter_mut().zip(&pivot).for_each(|(cell, from)| *cell = less(*cell, factor, *from));
        }
        done += 1;
    }
    done
}

proptest! {
    /// Beside every group of fewer people tried one by one.
    #[test]
    fn nothing_that_can_be_computed_is_shown_and_nothing_else_refused(
        asked in prop::collection::vec(prop::collection::vec(0..4_u64, 9), 1..6),
        least in 2..4_u32,
    ) {
        let mut beside = Beside::new(least);
        let mut shown: Vec<Vec<u64>> = Vec::new();
        for rows in asked {
            // None, one row, another, or both.
            let of = |(at, rows): (usize, &u64)| {
                let at = at as u64;
                (0..2).filter(|row| rows >> row & 1 == 1).map(|row| mark(at, row)).sum::<u64>()
            };
            let group: Vec<u64> = rows.iter().enumerate().map(of).collect();
            let marks = Marks::of((0..).zip(group.iter().copied()));
            let with: Vec<Vec<u64>> = shown.iter().cloned().chain([group.clone()]).collect();
            let ruling = beside.show(&marks);
            let is_known = !shown.is_empty() && rank(with.clone()) == rank(shown.clone());
            let expected = if group.iter().filter(|v| **v != 0).count() < least as usize {
                Few
            } else if is_known {
                Known
            } else if shows_few(&with, least as usize) {
                Few
            } else {
                Shown
            };
            prop_assert_eq!(ruling, expected);
            if ruling == Shown {
                shown.push(group);
            }
        }
    }
}
