//! The risk of an extract, in figures and in sentences that a council can read.

use std::fmt::Write as _;

use privacy::deidentify::anonymity::{
    Anonymised, Closeness, Diversity, Loss, Measured, Model, Sensitive, Table, anonymise, measure,
};
use privacy::deidentify::risk::{Finding, FindingKey, RiskReport, report};
use serde::{Deserialize, Serialize};

use super::demographics::{Demographics, QUASI, SENSITIVE, Side};
use super::order::Anonymity;
use crate::{Error, Kind, Result};

/// The risk from which a patient counts as at high risk: one in twenty (El Emam 2013, chapter 16).
const THRESHOLD: f64 = 0.05;
/// The most patients of a table of demographics.
const MOST_ROWS: usize = 1_000_000;

/// What is told of the risk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Risks {
    /// By what somebody might be recognised.
    quasi_identifiers: Vec<String>,
    /// What is taken for sensitive.
    sensitive: String,
    /// Before and after, with findings.
    report: RiskReport,
    /// What the classes hold after: k, l and t as they are.
    measured: Option<Measured>,
    /// What was done for k.
    anonymised: Option<Generalised>,
    /// The findings in English.
    sentences: Vec<String>,
}

/// How the table of demographics was made coarser.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Generalised {
    asked: Anonymity,
    /// The level of each quasi-identifier, from 0 for as it was.
    levels: Vec<usize>,
    suppressed: usize,
    loss: Loss,
}

/// Reckons the risk and, where that is asked, makes the table of demographics.
///
/// Errors: [`Kind::Unprocessable`] where no generalisation gives what is asked.
pub(super) fn of(
    all: &Demographics,
    population: usize,
    asked: Option<Anonymity>,
) -> Result<(Risks, Option<Table>)> {
    let before = sizes(&all.classes(Side::Before));
    let internal = |e: &dyn std::fmt::Display| Error::internal(format!("a risk: {e}"));
    let (after, measured, generalised) = match asked {
        None => {
            let classes = all.classes(Side::After);
            let measured = measure(&classes, &all.sensitive()).map_err(|e| internal(&e))?;
            (sizes(&classes), Some(measured), None)
        }
        Some(asked) => {
            let made = coarser(all, asked)?;
            let measured = measured(&made.table)?;
            (made.classes.clone(), measured, Some((asked, made)))
        }
    };
    let report =
        report(&before, &after, population.max(all.len()), THRESHOLD).map_err(|e| internal(&e))?;
    let mut sentences: Vec<String> = report.findings.iter().map(sentence).collect();
    if let Some(measured) = &measured {
        sentences.push(format!(
            "Patients who look alike have at least {} different latest conditions; how these are spread \
             differs from all patients by at most {:.2} of 1.",
            measured.l, measured.t
        ));
    }
    if let Some((_, made)) = &generalised {
        sentences.push(format!(
            "Making the demographics coarser lost {:.0} % of their detail; {} patients are not in \
             their table.",
            100.0 * made.loss.granularity,
            made.suppressed
        ));
    }
    let part = generalised.as_ref().map(|(asked, made)| Generalised {
        asked: *asked,
        levels: made.levels.clone(),
        suppressed: made.suppressed,
        loss: made.loss,
    });
    let risks = Risks {
        quasi_identifiers: QUASI.map(str::to_owned).to_vec(),
        sensitive: SENSITIVE.to_owned(),
        report,
        measured,
        anonymised: part,
        sentences,
    };
    Ok((risks, generalised.map(|(_, made)| without_sensitive(made.table))))
}

fn coarser(all: &Demographics, asked: Anonymity) -> Result<Anonymised> {
    if all.len() > MOST_ROWS {
        let message = format!("a table of demographics has at most {MOST_ROWS} patients");
        return Err(Error::new(Kind::TooCostly, message));
    }
    let sensitive = (asked.l.is_some() || asked.t.is_some()).then(|| Sensitive {
        column: SENSITIVE.to_owned(),
        diversity: asked.l.map(Diversity::Distinct),
        closeness: asked.t.map(Closeness::Equal),
    });
    let model = Model { k: asked.k, sensitive, suppression: asked.suppression };
    anonymise(&all.table(), &all.hierarchies(), &model).map_err(|e| {
        Error::new(Kind::Unprocessable, format!("the demographics: {e}")).by_rule("anonymity")
    })
}

/// The k, l and t of a table; `None` for an empty one.
fn measured(table: &Table) -> Result<Option<Measured>> {
    let mut known = std::collections::HashMap::new();
    let mut number = |text: Vec<&str>| {
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        *known.entry(text.join("\u{1f}")).or_insert(next)
    };
    let text = |name: &str, row: usize| {
        let column = table.columns.iter().find(|column| column.name == name);
        column.and_then(|column| column.values.get(row)).map_or("", String::as_str)
    };
    let rows = 0..table.rows();
    let classes: Vec<u32> = rows
        .clone()
        .map(|row| number(QUASI.iter().map(|name| text(name, row)).collect()))
        .collect();
    let values: Vec<u32> = rows.map(|row| number(vec!["", text(SENSITIVE, row)])).collect();
    match classes.is_empty() {
        true => Ok(None),
        false => measure(&classes, &values)
            .map(Some)
            .map_err(|e| Error::internal(format!("a risk: {e}"))),
    }
}

/// The conditions are in the resources; beside the demographics they would only tell more.
fn without_sensitive(mut table: Table) -> Table {
    table.columns.retain(|column| column.name != SENSITIVE);
    table
}

fn sizes(classes: &[u32]) -> Vec<usize> {
    let mut counts = std::collections::HashMap::<u32, usize>::new();
    classes.iter().for_each(|class| *counts.entry(*class).or_default() += 1);
    counts.into_values().collect()
}

fn sentence(finding: &Finding) -> String {
    let Finding { key, value, before } = finding;
    match key {
        FindingKey::LooksLikeAtLeast => format!(
            "Everybody looks like at least {value:.0} people of the extract, themselves included \
             (before: {before:.0})."
        ),
        FindingKey::AlonePerThousand => format!(
            "Of 1,000 people of the extract, {value:.0} are alone with what is told of them (before: \
             {before:.0})."
        ),
        FindingKey::AloneInPopulationPerThousand => format!(
            "Of 1,000 people of the extract, {value:.0} are probably alone in the whole population \
             (before: {before:.0})."
        ),
        FindingKey::LargestChance => format!(
            "Who knows that somebody is in the extract and looks for them is right with a chance of at \
             most {:.1} % (before: {:.1} %).",
            100.0 * value,
            100.0 * before
        ),
        FindingKey::AboveThresholdPerThousand => format!(
            "Of 1,000 people of the extract, {value:.0} are found by such a search with a chance above \
             {:.0} % (before: {before:.0}).",
            100.0 * THRESHOLD
        ),
        FindingKey::MatchedPerThousand => format!(
            "Who matches everybody of the extract to a register of the population is right for {value:.0} \
             of 1,000 (before: {before:.0})."
        ),
    }
}

impl Risks {
    /// The report as a text for people.
    pub(super) fn text(&self, recipe: &str, project: &str) -> String {
        let mut text = format!("# Risk of an extract\n\nRecipe {recipe}, project {project}.\n\n");
        for sentence in &self.sentences {
            let _ = writeln!(text, "- {sentence}");
        }
        let Risks { report, .. } = self;
        let _ = writeln!(
            text,
            "\n| risk | before | after |\n|---|---|---|\n\
             | people in the table | {} | {} |\n| smallest class (k) | {} | {} |\n\
             | prosecutor, mean | {:.4} | {:.4} |\n| prosecutor, largest | {:.4} | {:.4} |\n\
             | journalist, mean | {:.4} | {:.4} |\n| journalist, largest | {:.4} | {:.4} |\n\
             | marketer | {:.4} | {:.4} |\n| alone in the data | {:.4} | {:.4} |\n\
             | alone in the population, estimated | {:.4} | {:.4} |",
            report.before.rows,
            report.after.rows,
            report.before.smallest,
            report.after.smallest,
            report.before.prosecutor.average,
            report.after.prosecutor.average,
            report.before.prosecutor.largest,
            report.after.prosecutor.largest,
            report.before.journalist.average,
            report.after.journalist.average,
            report.before.journalist.largest,
            report.after.journalist.largest,
            report.before.marketer,
            report.after.marketer,
            report.before.unique,
            report.after.unique,
            report.before.unique_in_population,
            report.after.unique_in_population,
        );
        let _ = writeln!(
            text,
            "\nReckoned over {} of {} people. It is the risk of being recognised by these values and no \
             others: a history of illness can be as unique as a name, and whoever gets the extract must \
             know of nothing else that names somebody in it.",
            self.quasi_identifiers.join(", "),
            report.population
        );
        text
    }
}

/// The table of demographics as comma-separated values (RFC 4180).
pub(super) fn csv(table: &Table) -> String {
    let field = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let mut out = String::new();
    let mut line = |fields: Vec<String>| {
        out.push_str(&fields.join(","));
        out.push_str("\r\n");
    };
    line(table.columns.iter().map(|column| field(&column.name)).collect());
    for row in 0..table.rows() {
        let values = table.columns.iter().filter_map(|column| column.values.get(row));
        line(values.map(|value| field(value)).collect());
    }
    out
}
