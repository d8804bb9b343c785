//! The whole matrix of the policies as a table that people review.
//!
//! Every role, action, relation and purpose is asked, and every condition is tried; nothing is
//! derived from the policy text. Purposes that are treated alike everywhere share a column.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::engine::{Engine, with_conditions_met};
use crate::purpose::Purpose;
use crate::question::{Action, Content, Question, Relation, Role};
use crate::states;

const HEAD: &str = "\
# Who may do what: role × purpose × relation × action, as decided by the policies of this folder.
# Made by `cargo xtask policy`; not edited by hand. A change here is a change of policy: review it.
#
# relation   self: the patient whose record it is; member: staff of the organisation that holds
#            the record; peer: staff of another organisation; none: neither, or no record;
#            proxy: somebody who acts for the patient and may at this moment
# node       own: people of the organisation whose node decides; other: people of the other
#            organisations; any: both alike
# yes        allowed                           no        refused
# 2F         second factor, at most 300 s old  evidence  an appointment, encounter or order named,
#                                                        or a reason stated
# hour       the second factor may be an hour old
# agreement  an agreement in force, or the network's common one, covers asker, holder and purpose
# switch     emergency override enabled here   grant     emergency override granted and running
# persons    who patients are and the directory, nothing clinical
# directory  the directory of this institution's people and places alone
# entrusted  the proxy was given this right beside that of seeing
#
# What has no line or no column is refused.
";

/// One thing that may be asked of somebody, and how to take it from a question.
struct Condition {
    word: &'static str,
    without: fn(Question) -> Question,
}

const CONDITIONS: &[Condition] = &[
    Condition { word: "2F", without: |q| Question { mfa_age_s: None, ..q } },
    Condition { word: "evidence", without: |q| Question { evidence: false, ..q } },
    Condition { word: "agreement", without: |q| Question { agreement: false, ..q } },
    Condition {
        word: "switch",
        without: |mut q| {
            q.break_glass.enabled = false;
            q
        },
    },
    Condition {
        word: "grant",
        without: |mut q| {
            q.break_glass.granted = false;
            q
        },
    },
    Condition { word: "entrusted", without: |q| Question { entrusted: false, ..q } },
];

/// Kinds of content, the most delicate first, with the word for what is refused of the ones before.
const CONTENTS: &[(Content, Option<&str>)] = &[
    (Content::Clinical, None),
    (Content::Demographic, Some("persons")),
    (Content::Directory, Some("directory")),
];

/// Whose people a line is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Own,
    Other,
    Any,
}

type Line = (Role, Action, Relation, Node);
/// What each purpose takes, in the order of the published list.
type Cells = Vec<Vec<&'static str>>;

/// Prints the matrix of `engine`. The text ends with a line break.
pub fn print(engine: &Engine) -> String {
    let mut cells: BTreeMap<Line, Cells> = BTreeMap::new();
    for &role in Role::ALL {
        for &action in Action::ALL {
            for &relation in Relation::ALL {
                let line = |same_organisation| -> Cells {
                    let of = |purpose| {
                        let question = Question::new(role, action, purpose, relation);
                        cell(engine, Question { same_organisation, ..question })
                    };
                    Purpose::all().map(of).collect()
                };
                let (own, other) = (line(true), line(false));
                let lines = match own == other {
                    true => vec![(Node::Any, own)],
                    false => vec![(Node::Own, own), (Node::Other, other)],
                };
                for (node, line) in lines {
                    if line.iter().any(|cell| *cell != ["no"]) {
                        cells.insert((role, action, relation, node), line);
                    }
                }
            }
        }
    }
    let columns = columns(&cells);
    let mut out = String::from(HEAD);
    for column in &columns {
        if let [first, _, ..] = &**column {
            let codes: Vec<_> = column.iter().map(|at| code(*at)).collect();
            let _ = writeln!(out, "# {}+: {}", code(*first), codes.join(" "));
        }
    }
    for &role in Role::ALL {
        let lines: Vec<_> = cells.iter().filter(|(line, _)| line.0 == role).collect();
        section(&mut out, role, &lines, &columns);
    }
    out + &states::print(engine)
}

/// What one question takes: `["no"]`, `["yes"]`, or the conditions that cannot be left out.
fn cell(engine: &Engine, question: Question) -> Vec<&'static str> {
    let met = with_conditions_met(&question);
    let allowed = |question: &Question| engine.decide(question).allowed;
    // What the least guarded content takes is said of it alone.
    let open = CONTENTS.iter().find_map(|(content, word)| {
        let best = Question { content: *content, ..met };
        (engine.covers(&best) && allowed(&best)).then_some((best, word))
    });
    let Some((best, content)) = open else { return vec!["no"] };
    let needed = |condition: &&Condition| !allowed(&(condition.without)(best));
    let (mut words, mut least) = (Vec::new(), best);
    for condition in CONDITIONS {
        if needed(&condition) {
            words.push(condition.word);
        } else {
            least = (condition.without)(least);
        }
    }
    // Conditions that can stand in for each other would make the list above too short.
    if !allowed(&least) {
        words.push("or-other");
    }
    let old = |age_s| allowed(&Question { mfa_age_s: Some(age_s), ..best });
    if words.contains(&"2F") {
        match (old(300), old(301), old(3600), old(3601)) {
            (true, false, ..) => {}
            (true, true, true, false) => words.push("hour"),
            _ => words.push("other-age"),
        }
    }
    words.extend(*content);
    if words.is_empty() {
        words.push("yes");
    }
    words
}

/// Groups of purposes, by their place in the published list, that have the same cells everywhere;
/// purposes refused everywhere are left out.
fn columns(cells: &BTreeMap<Line, Cells>) -> Vec<Vec<usize>> {
    let column = |at: usize| -> Vec<_> { cells.values().map(|line| line.get(at)).collect() };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in 0..Purpose::all().count() {
        let this = column(at);
        if this.iter().all(|cell| cell.is_none_or(|cell| *cell == ["no"])) {
            continue;
        }
        let same =
            |group: &&mut Vec<usize>| group.first().is_some_and(|first| column(*first) == this);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

fn section(out: &mut String, role: Role, lines: &[(&Line, &Cells)], columns: &[Vec<usize>]) {
    let shown = |line: &Cells, column: &Vec<usize>| -> String {
        column.first().and_then(|at| line.get(*at)).map(|cell| cell.join("+")).unwrap_or_default()
    };
    let columns: Vec<_> = columns
        .iter()
        .filter(|column| lines.iter().any(|(_, line)| shown(line, column) != "no"))
        .collect();
    let mut head = ["action", "relation", "node"].map(str::to_owned).to_vec();
    head.extend(columns.iter().filter_map(|column| {
        let more = if column.len() > 1 { "+" } else { "" };
        column.first().map(|first| format!("{}{more}", code(*first)))
    }));
    let mut rows = vec![head];
    for ((_, action, relation, node), line) in lines {
        let node = match node {
            Node::Own => "own",
            Node::Other => "other",
            Node::Any => "any",
        };
        let mut row = vec![action.to_string(), relation.to_string(), node.to_owned()];
        row.extend(columns.iter().map(|column| shown(line, column)));
        rows.push(row);
    }
    aligned(out, &role.to_string(), &rows);
}

/// Prints rows under a heading, their columns below each other.
pub(crate) fn aligned(out: &mut String, heading: &str, rows: &[Vec<String>]) {
    let _ = writeln!(out, "\n{heading}");
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(String::len).max();
    for row in rows {
        let mut text = String::from(" ");
        for (at, word) in row.iter().enumerate() {
            let _ = write!(text, " {word:<width$}", width = width(at).unwrap_or(0) + 1);
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
}

fn code(at: usize) -> &'static str {
    Purpose::all().nth(at).map_or("", Purpose::code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_table_is_what_the_policies_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/decisions.txt");
        let printed = print(&Engine::new().expect("policies"));
        if std::env::var_os("CONSILIUM_BLESS").is_some() {
            std::fs::write(path, &printed).expect("write decisions.txt");
        }
        // A cell whose conditions could stand in for each other would say too little.
        let lines = printed.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            assert!(!line.contains("or-other") && !line.contains("other-age"), "{line}");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == printed,
            "policies/decisions.txt is not what the policies say; run `cargo xtask policy` \
             (or this test with CONSILIUM_BLESS=1), review the difference and commit it"
        );
    }
}
