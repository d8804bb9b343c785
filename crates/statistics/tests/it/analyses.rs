//! Tables split over sites, and conversations over them with plain and with fixed-point sums.

use consilium_statistics::answer::Answer;
use consilium_statistics::{Analysis, Column, Dictionary, Frame, Kind, Question, Variable};

use crate::network::{self, Adder};

/// Columns of text by name, and the site of each row.
pub struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of the shared folder; none, said aloud, where it is absent.
    pub fn shared(name: &str) -> Option<Self> {
        let root = std::env::var_os("CONSILIUM_SHARED").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            std::path::PathBuf::from,
        );
        let path = root.join("data/statistics").join(name);
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("skipped: `{}` is absent; set CONSILIUM_SHARED", path.display());
            return None;
        };
        let mut lines = text.lines();
        let names = lines.next()?.split(',').map(str::to_owned).collect();
        let rows = lines.map(|line| line.split(',').map(str::to_owned).collect()).collect();
        Some(Self { names, rows })
    }

    pub fn column(&self, name: &str) -> Vec<&str> {
        let at = self.names.iter().position(|known| known == name).unwrap();
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }

    /// Only the rows that have a value here.
    pub fn having(mut self, name: &str) -> Self {
        let at = self.names.iter().position(|known| known == name).unwrap();
        self.rows.retain(|row| !row[at].is_empty());
        self
    }

    /// A column more, made of each row's number.
    pub fn with(mut self, name: &str, make: impl Fn(usize) -> String) -> Self {
        self.names.push(name.to_owned());
        for (at, row) in self.rows.iter_mut().enumerate() {
            row.push(make(at));
        }
        self
    }

    /// The dictionary of some numbers and some categories, and the frame of each site.
    pub fn split(
        &self,
        numbers: &[(&str, f64, f64)],
        categories: &[&str],
        site: impl Fn(usize) -> String,
    ) -> (Dictionary, Vec<Frame>) {
        let number = |(name, min, max): &(&str, f64, f64)| Variable {
            name: (*name).to_owned(),
            kind: Kind::Number { min: Some(*min), max: Some(*max) },
            description: String::new(),
        };
        let category = |name: &&str| {
            let mut levels: Vec<String> =
                self.column(name).into_iter().map(str::to_owned).collect();
            levels.retain(|level| !level.is_empty());
            levels.sort();
            levels.dedup();
            let kind = Kind::Category { levels };
            Variable { name: (*name).to_owned(), kind, description: String::new() }
        };
        let variables: Vec<Variable> =
            numbers.iter().map(number).chain(categories.iter().map(category)).collect();
        let mut sites: Vec<String> = (0..self.rows.len()).map(&site).collect();
        let of_rows = sites.clone();
        sites.sort();
        sites.dedup();
        let frames = sites
            .iter()
            .map(|wanted| {
                let rows: Vec<usize> =
                    (0..of_rows.len()).filter(|row| of_rows[*row] == *wanted).collect();
                let columns = variables.iter().map(|variable| {
                    let text = self.column(&variable.name);
                    let text: Vec<&str> = rows.iter().map(|row| text[*row]).collect();
                    (variable.name.clone(), read(&variable.kind, &text))
                });
                Frame::new(columns.collect()).unwrap()
            })
            .collect();
        (Dictionary { variables }, frames)
    }
}

fn read(kind: &Kind, text: &[&str]) -> Column {
    match kind {
        Kind::Number { .. } => {
            Column::Number(text.iter().map(|value| value.parse().ok()).collect())
        }
        Kind::Category { levels } => {
            let place = |value: &&str| levels.iter().position(|level| level == value);
            Column::Category(text.iter().map(|v| place(v).map(|at| at as u32)).collect())
        }
    }
}

/// The whole conversation with plain sums.
pub fn ask(dictionary: &Dictionary, analysis: Analysis, sites: &[Frame]) -> Answer {
    converse(dictionary, analysis, sites, Adder::Plain)
}

/// The whole conversation with sums of fixed-point numbers.
pub fn ask_fixed(dictionary: &Dictionary, analysis: Analysis, sites: &[Frame]) -> Answer {
    converse(dictionary, analysis, sites, Adder::Grid)
}

fn converse(dictionary: &Dictionary, analysis: Analysis, sites: &[Frame], adder: Adder) -> Answer {
    let most_rows = sites.iter().map(Frame::rows).max().unwrap_or(0).max(1) as u32;
    let question = Question { dictionary: dictionary.clone(), most_rows, analysis };
    let text = serde_json::to_string(&question).unwrap();
    assert_eq!(serde_json::from_str::<Question>(&text).unwrap(), question, "{text}");
    let answer = network::ask(&question, sites, adder).unwrap();
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer, "{text}");
    answer
}

/// Relative difference, absolute below 1.
pub fn close(found: f64, wanted: f64, within: f64, what: &str) {
    let difference = (found - wanted).abs() / wanted.abs().max(1e-3);
    assert!(difference <= within, "{what}: found {found:e}, wanted {wanted:e}, off {difference:e}");
}

/// Numbers that look random and are the same everywhere: row `at` of stream `stream`, in [0, 1).
pub fn made(stream: u64, at: usize) -> f64 {
    let mut z = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
