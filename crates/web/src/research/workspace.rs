//! The workspace: SQL over the records of this institution, and what it found as a table and bars.

use app::workspace::{Answered, Frame, Values, View};
use askama::Template;

use super::found::number;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::Words;

/// Most lines of the table on the page; the file has all.
pub const MOST_LINES: usize = 500;
/// Most bars of the picture.
const MOST_BARS: usize = 40;
/// How bars are laid out: names beside them, or above them on a phone.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Whether it is the one for phones.
    narrow: bool,
    /// Width of the frame, where bars begin in it, and where they end at most.
    frame: (f64, f64, f64),
    /// From one bar to the next.
    step: f64,
    /// From the name's line to the bar's.
    below: f64,
}

const WIDE: Layout = Layout { narrow: false, frame: (640.0, 200.0, 560.0), step: 26.0, below: 0.0 };
const NARROW: Layout = Layout { narrow: true, frame: (320.0, 4.0, 250.0), step: 46.0, below: 20.0 };
/// Most letters of a name.
const MOST_LETTERS: usize = 26;

/// Queries to begin with: the key of what they tell, and the text.
pub const EXAMPLES: [(&str, &str); 4] = [
    (
        "workspace-example-people",
        "SELECT gender, count(*) AS people\nFROM patient\nGROUP BY gender\nORDER BY people DESC",
    ),
    (
        "workspace-example-conditions",
        "SELECT code_display AS condition, count(DISTINCT patient_key) AS people\nFROM condition\n\
         GROUP BY code_display\nORDER BY people DESC\nLIMIT 20",
    ),
    (
        "workspace-example-pressure",
        "SELECT p.gender, avg(o.value) AS systolic, count(DISTINCT o.patient_key) AS people\n\
         FROM observation_component o\nJOIN patient p ON p.patient_key = o.patient_key\n\
         WHERE o.code = '8480-6'\nGROUP BY p.gender",
    ),
    (
        "workspace-example-cohort",
        "SELECT gender, count(*) AS people\nFROM patient\nWHERE patient_key IN\n  \
         (SELECT patient_key FROM condition WHERE code = '44054006')\nGROUP BY gender",
    ),
];

/// What asking sends.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct SqlForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The query.
    #[serde(default)]
    pub sql: String,
    /// `csv` for a file.
    #[serde(rename = "as", default)]
    pub form: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceView {
    /// The projects in which the reader may ask: id and title.
    pub projects: Vec<(String, String)>,
    /// The one in which they do.
    pub project: Option<(String, String)>,
    /// The tables.
    pub views: Vec<View>,
    /// Why there is none, in words.
    pub closed: Option<String>,
    /// Why the query is not answered, in words that name the rule.
    pub fault: Option<String>,
    /// What was typed.
    pub sql: Field,
    /// What was found.
    pub result: Option<ResultView>,
}

/// What a query found.
#[derive(Clone, Debug, Default)]
pub struct ResultView {
    /// Names of the columns.
    pub head: Vec<String>,
    /// The lines, at most [`MOST_LINES`].
    pub rows: Vec<Vec<String>>,
    /// How many lines there are.
    pub all: u64,
    /// Groups of fewer people are not among them.
    pub least: u64,
    /// When the records were as they were asked, where that is not now.
    pub as_of_ms: Option<i64>,
    /// What can be drawn: for wide pages and for phones, or nothing.
    pub bars: Vec<Bars>,
}

/// A number for each group, as bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Whether it is the one for phones.
    pub narrow: bool,
    /// How wide the frame is.
    pub width: u32,
    /// What the groups and the numbers are.
    pub of: (String, String),
    /// How high the frame is.
    pub height: u32,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// A bar. Coordinates are texts of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// Its left end.
    pub x: String,
    /// Its upper edge.
    pub y: String,
    /// Its width.
    pub width: String,
    /// How far down the name stands.
    pub above: String,
    /// How far down the number stands.
    pub line: String,
    /// Where the number stands.
    pub end: String,
    /// The group.
    pub name: String,
    /// The number.
    pub value: String,
}

impl ResultView {
    /// An answer in the reader's language.
    pub fn of(answer: &Answered, w: &Words<'_>) -> Self {
        let frame = &answer.frame;
        let line =
            |at: usize| frame.columns.iter().map(|column| shown(&column.values, at, w)).collect();
        Self {
            head: frame.columns.iter().map(|column| column.name.clone()).collect(),
            rows: (0..frame.rows.min(MOST_LINES)).map(line).collect(),
            all: frame.rows as u64,
            least: answer.min_cell.into(),
            as_of_ms: answer.as_of_ms,
            bars: [WIDE, NARROW].into_iter().filter_map(|one| bars(frame, w, one)).collect(),
        }
    }

    /// The cells of a line with the names of their columns.
    pub fn cells<'a>(&'a self, row: &'a [String]) -> Vec<(&'a str, &'a str)> {
        self.head.iter().map(String::as_str).zip(row.iter().map(String::as_str)).collect()
    }
}

fn shown(values: &Values, at: usize, w: &Words<'_>) -> String {
    let missing = || "–".to_owned();
    match values {
        Values::Booleans(values) => match values.get(at).copied().flatten() {
            Some(true) => w.say("workspace-true").to_string(),
            Some(false) => w.say("workspace-false").to_string(),
            None => missing(),
        },
        Values::Integers(values) => {
            values.get(at).copied().flatten().map_or_else(missing, |value| value.to_string())
        }
        Values::Numbers(values) => values.get(at).copied().flatten().map_or_else(missing, number),
        Values::Texts(values) => values.get(at).cloned().flatten().unwrap_or_else(missing),
    }
}

/// The first column of numbers for the groups that a column of texts or of yes and no names.
fn bars(frame: &Frame, w: &Words<'_>, layout: Layout) -> Option<Bars> {
    let is_name = |values: &Values| matches!(values, Values::Texts(_) | Values::Booleans(_));
    let mut names = frame.columns.iter().filter(|column| is_name(&column.values));
    let (groups, None) = (names.next()?, names.next()) else { return None };
    let figures = frame.columns.iter().find(|column| !is_name(&column.values))?;
    let figure = |at: usize| match &figures.values {
        Values::Integers(values) => values.get(at).copied().flatten().map(|value| value as f64),
        Values::Numbers(values) => values.get(at).copied().flatten(),
        _ => None,
    };
    let values: Vec<f64> = (0..frame.rows).map(figure).collect::<Option<Vec<f64>>>()?;
    if values.is_empty() || values.len() > MOST_BARS || !values.iter().all(|v| v.is_finite()) {
        return None;
    }
    let low = values.iter().copied().fold(0.0, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    let span = (high - low).max(f64::MIN_POSITIVE);
    let (width, left, right) = layout.frame;
    let place = |value: f64| left + (value - low) / span * (right - left);
    let bar = |(at, value): (usize, &f64)| {
        let (from, to) = (place(value.min(0.0)), place(value.max(0.0)));
        let top = layout.step * at as f64 + 4.0;
        let y = top + layout.below;
        Bar {
            x: format!("{from:.1}"),
            y: format!("{y:.1}"),
            width: format!("{:.1}", (to - from).max(1.0)),
            above: format!("{:.1}", top + 14.0),
            line: format!("{:.1}", y + 14.0),
            end: format!("{:.1}", to + 6.0),
            name: shown(&groups.values, at, w).chars().take(MOST_LETTERS).collect(),
            value: shown(&figures.values, at, w),
        }
    };
    Some(Bars {
        of: (groups.name.clone(), figures.name.clone()),
        narrow: layout.narrow,
        width: width as u32,
        height: (layout.step * values.len() as f64 + 8.0) as u32,
        bars: values.iter().enumerate().map(bar).collect(),
    })
}

/// An answer as comma-separated values (RFC 4180), numbers as they are. Texts that a spreadsheet
/// would take for a formula have an apostrophe before them.
pub fn csv(frame: &Frame) -> String {
    let head: Vec<String> = frame.columns.iter().map(|column| quoted(&column.name)).collect();
    let mut out = head.join(",");
    out.push_str("\r\n");
    for at in 0..frame.rows {
        let cell = |values: &Values| match values {
            Values::Booleans(values) => {
                values.get(at).copied().flatten().map_or_else(String::new, |v| v.to_string())
            }
            Values::Integers(values) => {
                values.get(at).copied().flatten().map_or_else(String::new, |v| v.to_string())
            }
            Values::Numbers(values) => {
                values.get(at).copied().flatten().map_or_else(String::new, |v| v.to_string())
            }
            Values::Texts(values) => {
                values.get(at).and_then(Option::as_deref).map_or_else(String::new, quoted)
            }
        };
        let cells: Vec<String> = frame.columns.iter().map(|one| cell(&one.values)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

fn quoted(text: &str) -> String {
    let text = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[derive(Template)]
#[template(path = "research/workspace.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a WorkspaceView,
}

/// The page.
pub fn render(v: &WorkspaceView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use app::workspace::NamedColumn;

    use super::*;

    fn frame(names: &[Option<&str>], values: &[Option<f64>]) -> Frame {
        let texts = names.iter().map(|name| name.map(str::to_owned)).collect();
        let column = |name: &str, values| NamedColumn { name: name.into(), values };
        Frame {
            columns: vec![
                column("group", Values::Texts(texts)),
                column("n", Values::Numbers(values.to_vec())),
            ],
            rows: names.len(),
        }
    }

    #[test]
    fn a_file_keeps_its_columns_apart_and_is_no_formula() {
        let found = frame(&[Some("a,\"b\""), Some("=1+1"), None], &[Some(1.5), None, Some(-2.0)]);
        let text = "group,n\r\n\"a,\"\"b\"\"\",1.5\r\n'=1+1,\r\n,-2\r\n";
        assert_eq!(csv(&found), text);
    }

    #[test]
    fn bars_stand_on_zero_and_only_where_every_group_has_a_number() {
        let zone = jiff::tz::TimeZone::UTC;
        let w = Words::new(crate::lang::Lang::EnUs, &zone);
        let drawn =
            bars(&frame(&[Some("a"), Some("b")], &[Some(10.0), Some(-10.0)]), &w, WIDE).unwrap();
        let of = |at: usize| (drawn.bars[at].x.as_str(), drawn.bars[at].width.as_str());
        assert_eq!((of(0), of(1)), (("380.0", "180.0"), ("200.0", "180.0")));
        let below = bars(&frame(&[Some("a")], &[Some(10.0)]), &w, NARROW).unwrap();
        assert_eq!((below.bars[0].above.as_str(), below.bars[0].line.as_str()), ("18.0", "38.0"));
        assert_eq!(bars(&frame(&[Some("a"), Some("b")], &[Some(1.0), None]), &w, WIDE), None);
        let many: Vec<Option<&str>> = vec![Some("a"); MOST_BARS + 1];
        assert_eq!(bars(&frame(&many, &vec![Some(1.0); MOST_BARS + 1]), &w, WIDE), None);
    }
}
