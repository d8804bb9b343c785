//! The checks.

use super::{Check, Expectations, Finding, Outcome, TableSummary};
use crate::count::Percent;
use crate::words::Date;

/// Judges a table as of a day, in the order of its columns; what does not apply is left out.
///
/// A check is passed where the share, exactly and before rounding, is at least what is expected: a
/// rounded share that is equal to the expectation may so be of either outcome. A share of too few
/// records has neither outcome.
#[must_use]
pub fn judge(table: &TableSummary, expected: &Expectations, today: &Date) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut share = |check, variables: Vec<String>, part: u64, whole: u64, wanted: u8| {
        findings.push(finding(check, variables, (part, whole), wanted, expected.threshold));
    };
    for column in &table.columns {
        let name = || vec![column.name.clone()];
        let present = column.present;
        share(Check::Present, name(), present, table.rows, expected.present);
        let readable = present.saturating_sub(column.unreadable);
        share(Check::Readable, name(), readable, present, expected.conforming);
        let within = readable.saturating_sub(column.outside);
        share(Check::WithinBounds, name(), within, readable, expected.conforming);
        if let Some(future) = column.in_future {
            let past = readable.saturating_sub(future);
            share(Check::NotInFuture, name(), past, readable, expected.plausible);
        }
    }
    for order in &table.orders {
        let names = vec![order.earlier.clone(), order.later.clone()];
        let right = order.both.saturating_sub(order.reversed);
        share(Check::Order, names, right, order.both, expected.plausible);
    }
    if let Some(keys) = &table.keys {
        let name = vec![keys.name.clone()];
        share(Check::KeysOnce, name, keys.distinct, keys.present, expected.unique);
    }
    if let Some(newest) = &table.newest {
        let age = days(today) - days(newest);
        let is_recent = age <= i64::from(expected.newest_days);
        let outcome = match (table.rows >= expected.threshold, is_recent) {
            (false, _) => Outcome::TooFew,
            (true, true) => Outcome::Passed,
            (true, false) => Outcome::Failed,
        };
        findings.push(Finding {
            check: Check::Recent,
            variables: Vec::new(),
            outcome,
            share: None,
            wanted: expected.newest_days,
        });
    }
    findings
}

fn finding(
    check: Check,
    variables: Vec<String>,
    (part, whole): (u64, u64),
    wanted: u8,
    threshold: u64,
) -> Finding {
    let share = Percent::of(part, whole, threshold);
    let reaches = u128::from(part) * 100 >= u128::from(whole) * u128::from(wanted);
    let outcome = match (share, reaches) {
        (None, _) => Outcome::TooFew,
        (Some(_), true) => Outcome::Passed,
        (Some(_), false) => Outcome::Failed,
    };
    Finding { check, variables, outcome, share, wanted: u32::from(wanted) }
}

/// Days since 1 March of year 0 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days(date: &Date) -> i64 {
    let field = |from: usize, to: usize| -> i64 {
        date.as_str().get(from..to).and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let (year, month, day) = (field(0, 4), field(5, 7), field(8, 10));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Category, ColumnSummary, DateOrder, Keys};
    use super::*;

    fn day(text: &str) -> Date {
        Date::new(text).unwrap()
    }

    fn table() -> TableSummary {
        TableSummary {
            rows: 1_000,
            columns: vec![ColumnSummary {
                name: "birth".into(),
                present: 990,
                unreadable: 0,
                outside: 0,
                in_future: Some(40),
            }],
            keys: Some(Keys { name: "id".into(), present: 1_000, distinct: 999 }),
            orders: vec![DateOrder {
                earlier: "birth".into(),
                later: "death".into(),
                both: 200,
                reversed: 5,
            }],
            newest: Some(day("2026-01-01")),
        }
    }

    #[test]
    fn what_is_wrong_is_found() {
        let found = judge(&table(), &Expectations::default(), &day("2026-11-23"));
        let seen: Vec<_> =
            found.iter().map(|f| (f.check, f.outcome, f.share.map(|s| s.value()))).collect();
        assert_eq!(
            seen,
            [
                (Check::Present, Outcome::Passed, Some(99)),
                (Check::Readable, Outcome::Passed, Some(100)),
                (Check::WithinBounds, Outcome::Passed, Some(100)),
                (Check::NotInFuture, Outcome::Failed, Some(95)),
                (Check::Order, Outcome::Failed, Some(100)),
                (Check::KeysOnce, Outcome::Failed, Some(100)),
                (Check::Recent, Outcome::Failed, None),
            ]
        );
        assert_eq!(found[4].check.category(), Category::Plausibility);
        for finding in &found {
            assert!(!finding.english().contains('{'), "{}", finding.english());
        }
        assert_eq!(
            found[4].english(),
            "About 100 % of records with both have death not before birth; at least 99 % are expected."
        );
    }

    #[test]
    fn few_records_are_not_judged() {
        let mut few = table();
        few.rows = 4;
        few.columns[0].present = 3;
        let found = judge(&few, &Expectations::default(), &day("2026-11-23"));
        assert_eq!(found[0].outcome, Outcome::TooFew);
        assert_eq!(found[0].share, None);
        assert!(!found[0].english().contains('3'));
    }

    #[test]
    fn days_are_counted_over_leap_years() {
        assert_eq!(days(&day("2024-03-01")) - days(&day("2024-02-28")), 2);
        assert_eq!(days(&day("2026-11-23")) - days(&day("1970-01-01")), 20_780);
    }

    proptest! {
        #[test]
        fn no_summary_makes_a_check_panic(rows in any::<u64>(), present in any::<u64>(), bad in any::<u64>()) {
            let mut table = table();
            table.rows = rows;
            table.columns[0].present = present;
            table.columns[0].outside = bad;
            table.columns[0].unreadable = bad / 2;
            let found = judge(&table, &Expectations::default(), &day("2026-11-23"));
            prop_assert_eq!(found.len(), 7);
        }
    }
}
