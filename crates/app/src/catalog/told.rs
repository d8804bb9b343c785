//! Data sets as members tell each other of them, and as pages and programs of this node show them.

use ::catalog::Shown;
use ::catalog::words::Texts;
use statistics::{Kind, Variable};
use wire::catalog::{
    MAX_ANSWER, MAX_ENTRIES, MAX_NAME, MAX_SET, MAX_TEXT, MAX_VARIABLES, ToldCount, ToldShare,
    ToldTwin, ToldVariable,
};
use wire::{CatalogueRequest, CatalogueResponse, ToldSet};

use super::described::{self, Described};
use super::{Dataset, document, twin};
use crate::{App, Error, Result};

/// How a set that is too large is told: most variables, levels of each, characters about each.
const SIZES: [(usize, usize, usize); 4] =
    [(MAX_VARIABLES, 200, 500), (MAX_VARIABLES, 20, 200), (300, 0, 0), (100, 0, 0)];

/// The data sets of this institution as it tells of them, by name. Blocks.
pub(super) fn own(app: &App) -> Result<Vec<ToldSet>> {
    let own = described::own(app)?;
    let one = |(set, known): &(Dataset, Described)| document::sound(set, told(app, set, known));
    Ok(own.iter().filter_map(one).collect())
}

/// The answer to a member. Blocks.
pub fn answer(app: &App, request: &CatalogueRequest) -> Result<CatalogueResponse> {
    let after = request.after.as_deref().unwrap_or_default();
    let mut answer = CatalogueResponse::default();
    let mut bytes = 0;
    for set in own(app)?.into_iter().filter(|set| set.name.as_str() > after) {
        let size = serde_json::to_vec(&set).map_err(|e| Error::internal(e.to_string()))?.len();
        if bytes + size > MAX_ANSWER {
            answer.more = true;
            break;
        }
        bytes += size;
        answer.sets.push(set);
    }
    Ok(answer)
}

fn told(app: &App, set: &Dataset, known: &Described) -> Result<ToldSet> {
    let description = document::description(app, set, known)?;
    let best = |texts: &Texts, most: usize| shortened(texts.best("en"), most);
    let people = known.counted.people;
    let contact = description.contact.as_ref();
    let period = known.about.period.as_ref();
    let names = |list: &[String]| -> Vec<String> {
        list.iter().take(MAX_ENTRIES).map(|word| shortened(word, MAX_NAME)).collect()
    };
    let mut told = ToldSet {
        name: set.name.clone(),
        title: shortened(&set.title, MAX_NAME),
        description: best(&description.description, MAX_TEXT),
        keywords: names(&known.about.keywords),
        from: period.map(|period| period.start.to_string()),
        until: period.and_then(|period| period.end.as_ref()).map(ToString::to_string),
        coding_systems: names(&known.about.coding_systems),
        people: ToldCount {
            about: match people.shown() {
                Shown::About(about) => Some(about),
                Shown::FewerThan(_) => None,
            },
            step: people.rule().step(),
            threshold: people.rule().threshold(),
            margin: people.margin_95(),
        },
        conditions: best(&description.conditions, MAX_TEXT),
        min_rows: known.about.least_rows(),
        contact: contact.map(|one| best(&one.name, MAX_NAME)).unwrap_or_default(),
        mail: contact.map(|one| one.email.to_string()).unwrap_or_default(),
        variables: Vec::new(),
        variables_total: u32::try_from(set.dictionary.variables.len()).unwrap_or(u32::MAX),
        version: known.version.to_string(),
        modified: set.since_ms,
        twin: twin::of(app, &set.name)?.map(|drawn| ToldTwin {
            micro_epsilon: drawn.micro_epsilon,
            rows: drawn.rows,
            drawn: drawn.at_ms,
        }),
    };
    for (variables, levels, characters) in SIZES {
        let all = set.dictionary.variables.iter().enumerate().take(variables);
        told.variables = all
            .map(|(place, one)| variable(set, one, known, (place, levels, characters)))
            .collect();
        let size = serde_json::to_vec(&told).map_err(|e| Error::internal(e.to_string()))?.len();
        if size <= MAX_SET {
            break;
        }
    }
    Ok(told)
}

/// What is told of a variable. Bounds and levels that were made of the rows are not.
fn variable(
    set: &Dataset,
    holding: &Variable,
    known: &Described,
    (place, most_levels, characters): (usize, usize, usize),
) -> ToldVariable {
    let finite = |bound: &Option<f64>| bound.filter(|bound| bound.is_finite());
    let (kind, least, most, levels): (_, _, _, &[String]) = match &holding.kind {
        Kind::Number { .. } if set.is_of_rows() => ("number", None, None, &[]),
        Kind::Category { .. } if set.is_of_rows() => ("category", None, None, &[]),
        Kind::Number { min, max } => ("number", finite(min), finite(max), &[]),
        Kind::Category { levels } => ("category", None, None, levels),
    };
    ToldVariable {
        name: holding.name.clone(),
        description: shortened(&holding.description, characters),
        kind: kind.to_owned(),
        least,
        most,
        unit: known.about.units.get(&holding.name).cloned(),
        levels: levels.iter().take(most_levels).map(|one| shortened(one, MAX_NAME)).collect(),
        levels_total: u32::try_from(levels.len()).unwrap_or(u32::MAX),
        completeness: known
            .counted
            .shares
            .get(place)
            .copied()
            .flatten()
            .map(|share| ToldShare { value: share.value(), step: share.step() }),
        checks_passed: known.counted.passed.get(place).cloned().unwrap_or_default(),
    }
}

/// A text with at most so many characters; one that is cut ends in an ellipsis.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    match most {
        0 => String::new(),
        most => text.chars().take(most - 1).chain(['…']).collect(),
    }
}
