//! The search of the lattice of levels.

use std::collections::HashMap;

use super::hierarchy::Hierarchy;
use super::loss::Loss;
use super::model::{self, Coded, Model};
use super::{AnonymityError, Column, MAX_NODES};

/// A column at all its levels, as numbers.
pub(super) struct Levels {
    levels: Vec<Level>,
    distinct: usize,
}

struct Level {
    codes: Vec<u32>,
    texts: Vec<String>,
    /// For each code: the distinct values that it stands for, and the rows.
    stands_for: Vec<(usize, usize)>,
}

impl Levels {
    pub(super) fn new(column: &Column, hierarchy: &Hierarchy) -> Self {
        let mut codes: HashMap<&str, u32> = HashMap::new();
        let mut distinct: Vec<&str> = Vec::new();
        let base: Vec<u32> = column
            .values
            .iter()
            .map(|value| {
                *codes.entry(value).or_insert_with(|| {
                    distinct.push(value);
                    distinct.len() as u32 - 1
                })
            })
            .collect();
        let levels = (0..hierarchy.levels()).map(|level| {
            let mut known: HashMap<String, u32> = HashMap::new();
            let mut texts = Vec::new();
            let mut stands_for: Vec<(usize, usize)> = Vec::new();
            let map: Vec<u32> = distinct
                .iter()
                .map(|value| {
                    let text = hierarchy.generalise(value, level);
                    let code = *known.entry(text.clone()).or_insert_with(|| {
                        texts.push(text);
                        stands_for.push((0, 0));
                        texts.len() as u32 - 1
                    });
                    if let Some((values, _)) = stands_for.get_mut(code as usize) {
                        *values += 1;
                    }
                    code
                })
                .collect();
            let codes: Vec<u32> =
                base.iter().filter_map(|&code| map.get(code as usize).copied()).collect();
            for &code in &codes {
                if let Some((_, rows)) = stands_for.get_mut(code as usize) {
                    *rows += 1;
                }
            }
            Level { codes, texts, stands_for }
        });
        Self { levels: levels.collect(), distinct: distinct.len() }
    }

    /// The text of a row at a level.
    pub(super) fn text(&self, row: usize, level: usize) -> Option<String> {
        let level = self.levels.get(level)?;
        level.texts.get(*level.codes.get(row)? as usize).cloned()
    }

    fn code(&self, row: usize, level: usize) -> u32 {
        self.levels.get(level).and_then(|l| l.codes.get(row)).copied().unwrap_or_default()
    }

    /// Loss of granularity of a cell.
    fn granularity(&self, row: usize, level: usize) -> f64 {
        let code = self.code(row, level) as usize;
        let values = self.levels.get(level).and_then(|l| l.stands_for.get(code)).map_or(1, |s| s.0);
        if self.distinct < 2 { 0.0 } else { (values - 1) as f64 / (self.distinct - 1) as f64 }
    }

    /// Bits lost in a cell at a level.
    fn bits(&self, row: usize, level: usize) -> f64 {
        let rows = |level: usize| {
            let code = self.code(row, level) as usize;
            self.levels.get(level).and_then(|l| l.stands_for.get(code)).map_or(1, |s| s.1) as f64
        };
        (rows(level) / rows(0)).log2()
    }
}

/// What the search found.
pub(super) struct Found {
    pub(super) levels: Vec<usize>,
    pub(super) rows: Vec<usize>,
    pub(super) classes: Vec<usize>,
    pub(super) loss: Loss,
    pub(super) searched: (usize, usize),
}

/// Finds the combination of levels with the least loss of granularity that fulfils the model.
pub(super) fn search(
    columns: &[Levels],
    model: &Model,
    sensitive: Option<&Coded>,
    rows: usize,
) -> Result<Found, AnonymityError> {
    let nodes = nodes(columns)?;
    let total = nodes.len();
    let allowed = (model.suppression * rows as f64).floor() as usize;
    let mut failed: Vec<Vec<usize>> = Vec::new();
    let mut best: Option<(f64, Vec<usize>, Classes)> = None;
    let mut looked = 0;
    for node in nodes {
        // What fails stays failed where it is finer still.
        let finer = |than: &Vec<usize>| node.iter().zip(than).all(|(a, b)| a <= b);
        if failed.iter().any(finer) {
            continue;
        }
        let least = granularity(columns, &node, 0..rows) / (rows * columns.len()) as f64;
        let hopeless = best.as_ref().is_some_and(|(loss, ..)| least >= *loss);
        looked += 1;
        let classes = classes(columns, &node, model, sensitive, rows);
        let out = rows - classes.kept.len();
        if out > allowed || classes.kept.is_empty() {
            failed.push(node);
            continue;
        }
        if hopeless {
            continue;
        }
        let kept = granularity(columns, &node, classes.kept.iter().copied());
        let loss = (kept + (out * columns.len()) as f64) / (rows * columns.len()) as f64;
        if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
            best = Some((loss, node, classes));
        }
    }
    let (granularity, levels, classes) = best.ok_or(AnonymityError::Impossible)?;
    let loss = losses(columns, &levels, &classes, granularity, rows);
    let Classes { kept, sizes } = classes;
    Ok(Found { levels, rows: kept, classes: sizes, loss, searched: (looked, total) })
}

/// All combinations of levels, the coarsest first.
fn nodes(columns: &[Levels]) -> Result<Vec<Vec<usize>>, AnonymityError> {
    let total = columns.iter().try_fold(1usize, |total, column| {
        total.checked_mul(column.levels.len()).filter(|&total| total <= MAX_NODES)
    });
    if columns.is_empty() || total.is_none() {
        return Err(AnonymityError::Lattice);
    }
    let mut nodes: Vec<Vec<usize>> = vec![Vec::new()];
    for column in columns {
        let longer = nodes.iter().flat_map(|node| {
            (0..column.levels.len()).map(|level| {
                let mut node = node.clone();
                node.push(level);
                node
            })
        });
        nodes = longer.collect();
    }
    nodes.sort_by_key(|node| std::cmp::Reverse(node.iter().sum::<usize>()));
    Ok(nodes)
}

fn granularity(columns: &[Levels], node: &[usize], rows: impl Iterator<Item = usize>) -> f64 {
    rows.map(|row| {
        columns.iter().zip(node).map(|(c, &level)| c.granularity(row, level)).sum::<f64>()
    })
    .sum()
}

struct Classes {
    /// Rows in classes that fulfil the model.
    kept: Vec<usize>,
    /// The sizes of these classes.
    sizes: Vec<usize>,
}

fn classes(
    columns: &[Levels],
    node: &[usize],
    model: &Model,
    sensitive: Option<&Coded>,
    rows: usize,
) -> Classes {
    let mut groups: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
    for row in 0..rows {
        let key = columns.iter().zip(node).map(|(c, &level)| c.code(row, level)).collect();
        groups.entry(key).or_default().push(row);
    }
    let fulfils = |members: &Vec<usize>| {
        members.len() >= model.k
            && match (&model.sensitive, sensitive) {
                (Some(asked), Some(coded)) => {
                    let mut counts = vec![0; coded.whole.len()];
                    for code in members.iter().filter_map(|&row| coded.codes.get(row)) {
                        if let Some(count) = counts.get_mut(*code as usize) {
                            *count += 1;
                        }
                    }
                    model::holds(asked, &counts, &coded.whole)
                }
                _ => true,
            }
    };
    let good: Vec<Vec<usize>> = groups.into_values().filter(fulfils).collect();
    let mut sizes: Vec<usize> = good.iter().map(Vec::len).collect();
    sizes.sort_unstable();
    let mut kept: Vec<usize> = good.into_iter().flatten().collect();
    kept.sort_unstable();
    Classes { kept, sizes }
}

fn losses(
    columns: &[Levels],
    node: &[usize],
    classes: &Classes,
    granularity: f64,
    rows: usize,
) -> Loss {
    let bits = |row: usize, coarsest: bool| -> f64 {
        let of = columns.iter().zip(node);
        of.map(|(c, &level)| c.bits(row, if coarsest { c.levels.len() - 1 } else { level })).sum()
    };
    let all: f64 = (0..rows).map(|row| bits(row, true)).sum();
    let kept: f64 = classes.kept.iter().map(|&row| bits(row, false)).sum();
    let kept_all: f64 = classes.kept.iter().map(|&row| bits(row, true)).sum();
    let squares: f64 = classes.sizes.iter().map(|&size| (size * size) as f64).sum();
    let out = rows - classes.kept.len();
    Loss {
        granularity,
        entropy: if all > 0.0 { (kept + all - kept_all) / all } else { 0.0 },
        discernibility: squares + (out * rows) as f64,
    }
}
