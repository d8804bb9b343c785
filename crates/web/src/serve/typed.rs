//! Questions as they are typed into the form of a project's page.

use app::{App, Caller, Error, Kind, catalog, projects};
use statistics::{Analysis, Dictionary, Kind as Holds, Question as Query};
use wire::research::NamedProgram;

/// Most rows of one site that a question from a page allows.
const MOST_ROWS: u32 = 1 << 20;

/// The question that was typed, of the data set as it is here.
pub(super) fn question(
    app: &App,
    caller: &Caller,
    project: &str,
    (kind, written): (&str, &str),
) -> app::Result<Query> {
    let known = projects::list(app, caller)?.into_iter().find(|known| known.id == project);
    let wire::research::Project { dataset, programs, .. } =
        known.ok_or_else(Error::not_found)?.project;
    let sets = catalog::list(app, caller)?;
    let set = sets.into_iter().find(|set| set.name == dataset).ok_or_else(|| {
        let message = "this institution does not hold the data set; ask through the Python package";
        Error::new(Kind::Conflict, message)
    })?;
    match kind {
        "program" => read_program(written, &programs, set.dictionary),
        _ => read(kind, written, set.dictionary),
    }
}

/// A question to a program: its name, and after a colon what is said to it.
fn read_program(
    text: &str,
    programs: &[NamedProgram],
    mut dictionary: Dictionary,
) -> app::Result<Query> {
    let (name, parameters) = text.split_once(':').unwrap_or((text, ""));
    let named = programs.iter().find(|one| one.name == name.trim() || one.hash == name.trim());
    let named = named.ok_or_else(|| {
        Error::invalid("value", "write the name of a program that the project names")
    })?;
    dictionary.variables.retain(|variable| named.variables.contains(&variable.name));
    let analysis = Analysis::Program(statistics::program::Program {
        program: named.hash.clone(),
        parameters: parameters.trim().to_owned(),
        block_rows: None,
        fuel: named.fuel,
        memory: named.memory,
    });
    Ok(Query { dictionary, most_rows: named.rows, analysis })
}

/// A question as it was typed.
fn read(kind: &str, text: &str, dictionary: Dictionary) -> app::Result<Query> {
    let (before, group) = match text.split_once(" by ") {
        Some((before, group)) => (before, Some(group.trim())),
        None => (text, None),
    };
    let parts: Vec<&str> = names(before).collect();
    let analysis = match (kind, parts.as_slice()) {
        ("regression", _) => serde_json::json!({"kind": "regression", "formula": text.trim()}),
        ("summary", variables) => {
            serde_json::json!({"kind": "summary", "variables": variables, "by": group})
        }
        ("histogram", _) => histogram(text)?,
        ("crosstab", by) => serde_json::json!({"kind": "crosstab", "by": by}),
        ("survival", [time, event]) => {
            let grid = grid(&dictionary, time)?;
            serde_json::json!({
                "kind": "survival", "time": time, "event": event, "group": group, "grid": grid,
                "least": 10,
            })
        }
        _ => return Err(as_the_hint()),
    };
    let analysis: Analysis =
        serde_json::from_value(analysis).map_err(|e| Error::invalid("value", e.to_string()))?;
    Ok(Query { dictionary, most_rows: MOST_ROWS, analysis })
}

/// A histogram: `age: 18, 50, 80` by its edges, `age: 10` by how many equal bins.
fn histogram(text: &str) -> app::Result<serde_json::Value> {
    let (variable, cut) = text.split_once(':').ok_or_else(as_the_hint)?;
    let numbers: Option<Vec<f64>> = names(cut).map(|number| number.parse().ok()).collect();
    let edges = numbers.unwrap_or_default();
    if !edges.iter().all(|edge| edge.is_finite()) {
        return Err(as_the_hint());
    }
    let variable = variable.trim();
    match edges.as_slice() {
        [] => Err(as_the_hint()),
        [_] => {
            let bins: u32 = cut.trim().parse().map_err(|_| as_the_hint())?;
            Ok(serde_json::json!({"kind": "histogram", "variable": variable, "bins": bins}))
        }
        edges => Ok(serde_json::json!({"kind": "histogram", "variable": variable, "edges": edges})),
    }
}

fn as_the_hint() -> Error {
    Error::invalid("value", "write the question as the hint shows it")
}

/// A hundred points up to the greatest time that the dictionary allows.
fn grid(dictionary: &Dictionary, time: &str) -> app::Result<Vec<f64>> {
    match dictionary.variable(time).map(|variable| &variable.kind) {
        Some(Holds::Number { max: Some(max), .. }) if *max > 0.0 => {
            Ok((1..=100).map(|point| max * f64::from(point) / 100.0).collect())
        }
        _ => {
            let message = "the dictionary must say how great a time can be; see the variables";
            Err(Error::invalid("value", message))
        }
    }
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary() -> Dictionary {
        serde_json::from_value(serde_json::json!({"variables": [
            {"name": "time", "kind": "number", "min": 0.0, "max": 200.0},
            {"name": "died", "kind": "number", "min": 0.0, "max": 1.0},
            {"name": "arm", "kind": "category", "levels": ["a", "b"]},
        ]}))
        .unwrap()
    }

    #[test]
    fn a_question_is_read_as_the_hint_shows_it() {
        for (kind, text) in [
            ("regression", "logistic(died) ~ arm"),
            ("summary", "time, died by arm"),
            ("crosstab", "arm"),
            ("histogram", "time: 0, 12.5, 60, 200"),
            ("histogram", "time: 10"),
            ("survival", "time, died by arm"),
        ] {
            let question = read(kind, text, dictionary()).unwrap();
            assert!(question.start().is_ok(), "{kind}");
        }
        for (kind, text) in [
            ("survival", "time"),
            ("survival", "arm, died"),
            ("regression", "died ~"),
            ("histogram", "time"),
            ("histogram", "time: 60, 12"),
            ("histogram", "time: 2.5"),
            ("histogram", "arm: 1, 2"),
            ("else", "arm"),
        ] {
            let stands = |question: Query| question.start().is_ok();
            assert!(!read(kind, text, dictionary()).is_ok_and(stands), "{kind}: {text}");
        }
    }
}
