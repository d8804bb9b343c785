//! An answer as tables and, where people would rather look than read, as pictures.

use statistics::answer::{Coefficient, Finding};
use statistics::survival::Curves;
use statistics::{Answer, describe};

use super::drawing::{Picture, drawn, forest, kaplan_meier};
use crate::words::Words;

/// Most lines of a table on a page.
const MOST_LINES: usize = 500;

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Rows in it.
    pub rows: u64,
    /// Institutions in it.
    pub sites: u64,
    /// Rows with a missing value.
    pub dropped: u64,
    /// What was found.
    pub tables: Vec<Table>,
    /// What can be drawn: for wide pages and for phones, or nothing.
    pub pictures: Vec<Picture>,
    /// Where the numbers have noise: ε in millionths, and within how many of the truth a count is in 95 of
    /// 100 cases.
    pub noise: Option<(u64, u64)>,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What it is.
    pub caption: String,
    /// The columns.
    pub head: Vec<String>,
    /// The lines.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The cells of a line with the names of their columns.
    pub fn cells<'a>(&'a self, row: &'a [String]) -> Vec<(&'a str, &'a str)> {
        self.head.iter().map(String::as_str).zip(row.iter().map(String::as_str)).collect()
    }
}

impl Found {
    /// The answer in the reader's language.
    pub fn of(answer: &Answer, w: &Words<'_>) -> Self {
        let (tables, pictures) = match &answer.finding {
            Finding::Model(model) => coefficients(&model.coefficients, w),
            Finding::Mixed(model) => coefficients(&model.coefficients, w),
            Finding::Table(table) => (vec![counts(table, w)], Vec::new()),
            Finding::ChiSquared(test) => {
                let said = vec![
                    vec!["χ²".to_owned(), number(test.statistic)],
                    vec!["df".to_owned(), test.df.to_string()],
                    vec!["p".to_owned(), number(test.p)],
                ];
                let head = ["answer-measure", "answer-value"];
                let tables = vec![counts(&test.table, w), table(w, "answer-test", &head, said)];
                (tables, Vec::new())
            }
            Finding::Histogram(found) => (vec![histogram(found, w)], Vec::new()),
            Finding::Summary(found) => (vec![summary(found, w)], Vec::new()),
            Finding::Survival(curves) => survival(curves, w),
            other => (vec![plain(other, w)], Vec::new()),
        };
        Self {
            rows: answer.n,
            sites: u64::from(answer.sites),
            dropped: answer.dropped,
            tables,
            pictures,
            noise: answer.noise.as_ref().map(|noise| (noise.micro_epsilon, noise.within)),
        }
    }
}

fn table(
    w: &Words<'_>,
    caption: &'static str,
    head: &[&'static str],
    rows: Vec<Vec<String>>,
) -> Table {
    Table {
        caption: w.say(caption).to_string(),
        head: head.iter().map(|key| w.say(key).to_string()).collect(),
        rows,
    }
}

/// Four significant digits.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = if size == 0.0 { 0 } else { (3 - size.log10().floor() as i32).clamp(0, 8) };
    format!("{value:.*}", digits as usize)
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

fn coefficients(all: &[Coefficient], w: &Words<'_>) -> (Vec<Table>, Vec<Picture>) {
    let interval = |one: &Coefficient| {
        one.se.map(|se| (one.estimate - 1.959_964 * se, one.estimate + 1.959_964 * se))
    };
    let line = |one: &Coefficient| {
        let (low, high) = interval(one).map_or((None, None), |(low, high)| (Some(low), Some(high)));
        let range = match (low, high) {
            (Some(low), Some(high)) => format!("{} … {}", number(low), number(high)),
            _ => "–".to_owned(),
        };
        vec![one.name.clone(), number(one.estimate), optional(one.se), range, optional(one.p)]
    };
    let head = ["answer-name", "answer-estimate", "answer-se", "answer-interval", "answer-p"];
    let told = table(w, "answer-coefficients", &head, all.iter().map(line).collect());
    (vec![told], drawn(|layout| forest(all, &interval, layout)))
}

fn counts(found: &describe::Table, w: &Words<'_>) -> Table {
    let missing = w.say("answer-missing").to_string();
    let mut rows = Vec::new();
    for (at, cell) in found.cells.iter().enumerate() {
        if *cell == Some(0) || rows.len() >= MOST_LINES {
            continue;
        }
        let mut rest = at;
        let mut names: Vec<String> = Vec::new();
        for levels in found.levels.iter().rev() {
            let place = rest % (levels.len() + 1);
            rest /= levels.len() + 1;
            names.push(levels.get(place).cloned().unwrap_or_else(|| missing.clone()));
        }
        names.reverse();
        let told = cell.map_or_else(|| w.say("answer-left-out").to_string(), |n| w.count(&n));
        names.push(told);
        rows.push(names);
    }
    let mut head = found.by.clone();
    head.push(w.say("answer-count").to_string());
    Table { caption: w.say("answer-counts").to_string(), head, rows }
}

/// Each bin by its edges, and what lies outside of them.
fn histogram(found: &describe::HistogramCounts, w: &Words<'_>) -> Table {
    let edge = |edge: &f64| w.number((edge * 1e6).round() / 1e6);
    let line = |name: String, count: u64| vec![name, w.count(&count)];
    let bins = found.edges.windows(2).zip(&found.counts).take(MOST_LINES);
    let bin = |(pair, count): (&[f64], &u64)| {
        let said: Vec<String> = pair.iter().map(edge).collect();
        line(said.join(" … "), *count)
    };
    let mut rows: Vec<Vec<String>> = bins.map(bin).collect();
    if let (Some(first), Some(last)) = (found.edges.first(), found.edges.last()) {
        rows.push(line(format!("< {}", edge(first)), found.below));
        rows.push(line(format!("> {}", edge(last)), found.above));
    }
    rows.push(line(w.say("answer-missing").to_string(), found.missing));
    let head = vec![found.variable.clone(), w.say("answer-count").to_string()];
    Table { caption: w.say("answer-counts").to_string(), head, rows }
}

fn summary(found: &describe::SummaryTable, w: &Words<'_>) -> Table {
    let line = |one: &describe::VariableSummary| {
        vec![
            one.variable.clone(),
            one.level.clone().unwrap_or_default(),
            w.count(&one.n),
            w.count(&one.missing),
            optional(one.mean),
            optional(one.variance.map(f64::sqrt)),
        ]
    };
    let head = [
        "answer-name",
        "answer-group",
        "answer-count",
        "answer-missing",
        "answer-mean",
        "answer-deviation",
    ];
    table(w, "answer-summary", &head, found.summaries.iter().map(line).collect())
}

fn survival(curves: &Curves, w: &Words<'_>) -> (Vec<Table>, Vec<Picture>) {
    let mut tables = Vec::new();
    let head =
        ["answer-time", "answer-survival", "answer-interval", "answer-at-risk", "answer-events"];
    for curve in &curves.curves {
        let line = |step: &statistics::survival::CurveStep| {
            let range = step.interval.map_or_else(
                || "–".to_owned(),
                |[low, high]| format!("{} … {}", number(low), number(high)),
            );
            vec![
                number(step.time),
                number(step.survival),
                range,
                w.count(&step.at_risk),
                w.count(&step.events),
            ]
        };
        let mut told = table(w, "answer-curve", &head, curve.steps.iter().map(line).collect());
        if let Some(level) = &curve.level {
            told.caption = format!("{}: {level}", told.caption);
        }
        tables.push(told);
    }
    if let Some(test) = &curves.log_rank {
        let said = vec![
            vec!["χ²".to_owned(), number(test.statistic)],
            vec!["p".to_owned(), number(test.p)],
        ];
        let head = ["answer-measure", "answer-value"];
        tables.push(table(w, "answer-log-rank", &head, said));
    }
    (tables, drawn(|layout| kaplan_meier(curves, layout)))
}

/// What has no form of its own: every number by its name.
fn plain(found: &Finding, w: &Words<'_>) -> Table {
    let mut rows = Vec::new();
    let value = serde_json::to_value(found).unwrap_or_default();
    let mut open = vec![(String::new(), &value)];
    while let Some((path, value)) = open.pop() {
        if rows.len() >= MOST_LINES {
            break;
        }
        let below = |name: &str| match path.is_empty() {
            true => name.to_owned(),
            false => format!("{path} · {name}"),
        };
        match value {
            serde_json::Value::Object(fields) => {
                open.extend(fields.iter().rev().map(|(name, value)| (below(name), value)));
            }
            serde_json::Value::Array(items) => {
                let numbered = (1..).zip(items).collect::<Vec<_>>();
                open.extend(
                    numbered.into_iter().rev().map(|(at, value)| (below(&format!("{at}")), value)),
                );
            }
            serde_json::Value::Number(value) if value.is_f64() => {
                rows.push(vec![path, optional(value.as_f64())]);
            }
            serde_json::Value::String(text) => rows.push(vec![path, text.clone()]),
            serde_json::Value::Null => {}
            other => rows.push(vec![path, other.to_string()]),
        }
    }
    table(w, "answer-title", &["answer-measure", "answer-value"], rows)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::lang::Lang;

    #[test]
    fn a_histogram_is_told_by_its_edges() {
        let answer: Answer = serde_json::from_value(serde_json::json!({
            "n": 240, "dropped": 3, "sites": 3, "rounds": 1,
            "finding": {
                "kind": "histogram", "variable": "age", "edges": [18.0, 26.2, 34.400000000000006],
                "counts": [0, 1200], "below": 1, "above": 2, "missing": 3,
            },
        }))
        .unwrap();
        let found = Found::of(&answer, &Words::new(Lang::De, &TimeZone::UTC));
        let [table] = &found.tables[..] else { panic!("{:?}", found.tables) };
        assert_eq!(table.head, ["age", "Anzahl"]);
        let told = |at: usize| table.rows[at].join(": ");
        assert_eq!(told(0), "18 … 26,2: 0");
        assert_eq!(told(1), "26,2 … 34,4: 1\u{202f}200");
        assert_eq!((told(2), told(3)), ("< 18: 1".to_owned(), "> 34,4: 2".to_owned()));
        assert_eq!((told(4), table.rows.len()), ("fehlt: 3".to_owned(), 5));
    }
}
