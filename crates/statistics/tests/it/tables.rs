//! Tables for tests: those of the shared folder, and made-up ones.

use std::path::PathBuf;

use consilium_statistics::{Column, Dictionary, Frame, Kind, Variable, csv};

/// A shared table with a column of sites appended by a rule of the row's number and its fields, or
/// `None` and a word about it where the folder is absent.
pub fn shared(name: &str, site: impl Fn(usize, &[&str]) -> String) -> Option<csv::Table> {
    shared_with(name, "in_site", site)
}

/// The same with further columns: `header` names them, `more` gives their fields.
pub fn shared_with(
    name: &str,
    header: &str,
    more: impl Fn(usize, &[&str]) -> String,
) -> Option<csv::Table> {
    let root = match std::env::var_os("CONSILIUM_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let path = root.join("data/statistics").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: `{}` is absent; set CONSILIUM_SHARED", path.display());
        return None;
    };
    let mut lines = text.lines();
    let mut out = format!("{},{header}\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        out.push_str(&format!("{line},{}\n", more(row, &fields)));
    }
    Some(csv::read(&out, "in_site").unwrap())
}

/// The rows of every site.
pub fn frames(table: &csv::Table) -> Vec<Frame> {
    table.sites.iter().map(|(_, frame)| frame.clone()).collect()
}

/// A table of numbers under these names without bounds, dealt to sites.
pub fn numbers(
    names: &[&str],
    rows: &[Vec<Option<f64>>],
    site: &[usize],
) -> (Dictionary, Vec<Frame>) {
    let variables = names
        .iter()
        .map(|name| Variable {
            name: (*name).to_owned(),
            kind: Kind::Number { min: None, max: None },
            description: String::new(),
        })
        .collect();
    let sites = site.iter().copied().max().map_or(1, |last| last + 1);
    let frames = (0..sites)
        .map(|own| {
            let columns = names.iter().enumerate().map(|(place, name)| {
                let values = rows.iter().zip(site).filter(|(_, site)| **site == own);
                let values = values.map(|(row, _)| row[place]).collect();
                ((*name).to_owned(), Column::Number(values))
            });
            Frame::new(columns.collect()).unwrap()
        })
        .collect();
    (Dictionary { variables }, frames)
}
