//! A reader of our own Turtle and JSON-LD, written from the grammar and not from the writer.

use std::collections::{BTreeMap, BTreeSet};

pub type Statement = (String, String, String);

/// The statements of a Turtle document without blank nodes, lists and numbers.
pub fn read(text: &str) -> BTreeSet<Statement> {
    let tokens = tokens(text);
    let mut prefixes = BTreeMap::new();
    let mut out = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "@prefix" {
            prefixes.insert(tokens[at + 1].clone(), bare(&tokens[at + 2]));
            assert_eq!(tokens[at + 3], ".");
            at += 4;
            continue;
        }
        let subject = full(&tokens[at], &prefixes);
        at += 1;
        loop {
            let property = full(&tokens[at], &prefixes);
            at += 1;
            loop {
                out.insert((subject.clone(), property.clone(), full(&tokens[at], &prefixes)));
                at += 1;
                if tokens[at] != "," {
                    break;
                }
                at += 1;
            }
            if tokens[at] == "." {
                at += 1;
                break;
            }
            assert_eq!(tokens[at], ";");
            at += 1;
        }
    }
    out
}

fn bare(iri: &str) -> String {
    iri.trim_start_matches('<').trim_end_matches('>').to_owned()
}

/// A term in full: an address, or a literal with its language or type.
fn full(token: &str, prefixes: &BTreeMap<String, String>) -> String {
    if token == "a" {
        return "http://www.w3.org/1999/02/22-rdf-syntax-ns#type".to_owned();
    }
    if token.starts_with('<') {
        return bare(token);
    }
    if token.starts_with('"') {
        // Nothing after the closing quotation mark has one.
        let (literal, rest) = token.split_at(token.rfind('"').unwrap() + 1);
        return match rest.strip_prefix("^^") {
            Some(kind) => format!("{literal}^^{}", full(kind, prefixes)),
            None => token.to_owned(),
        };
    }
    let (prefix, local) = token.split_once(':').unwrap();
    format!("{}{local}", prefixes[&format!("{prefix}:")])
}

fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if " \n\t\r".contains(c) {
            at += 1;
        } else if c == '<' {
            let end = at + chars[at..].iter().position(|c| *c == '>').unwrap() + 1;
            out.push(chars[at..end].iter().collect());
            at = end;
        } else if c == '"' {
            let mut literal = String::from('"');
            at += 1;
            while chars[at] != '"' {
                assert!(!['\n', '\r'].contains(&chars[at]), "a line ends within a literal");
                if chars[at] == '\\' {
                    at += 1;
                    match chars[at] {
                        'n' => literal.push('\n'),
                        'r' => literal.push('\r'),
                        't' => literal.push('\t'),
                        'u' => {
                            let code: String = chars[at + 1..at + 5].iter().collect();
                            let code = u32::from_str_radix(&code, 16).unwrap();
                            literal.push(char::from_u32(code).unwrap());
                            at += 4;
                        }
                        c @ ('"' | '\\') => literal.push(c),
                        c => panic!("no escape in Turtle: {c}"),
                    }
                } else {
                    literal.push(chars[at]);
                }
                at += 1;
            }
            literal.push('"');
            at += 1;
            while at < chars.len() && !" \n".contains(chars[at]) {
                literal.push(chars[at]);
                at += 1;
            }
            out.push(literal);
        } else {
            let end = at + chars[at..].iter().position(|c| " \n".contains(*c)).unwrap();
            out.push(chars[at..end].iter().collect());
            at = end;
        }
    }
    out
}

/// The statements of a flat JSON-LD document.
pub fn read_json_ld(document: &serde_json::Value) -> BTreeSet<Statement> {
    let context = document["@context"].as_object().unwrap();
    let expand = |name: &str| {
        let (prefix, local) = name.split_once(':').unwrap();
        match context.get(prefix) {
            Some(space) => format!("{}{local}", space.as_str().unwrap()),
            None => name.to_owned(),
        }
    };
    let mut out = BTreeSet::new();
    for node in document["@graph"].as_array().unwrap() {
        let subject = node["@id"].as_str().unwrap();
        for (property, values) in node.as_object().unwrap() {
            for value in values.as_array().into_iter().flatten() {
                let (property, value) = if property == "@type" {
                    let class = expand(value.as_str().unwrap());
                    ("http://www.w3.org/1999/02/22-rdf-syntax-ns#type".to_owned(), class)
                } else if let Some(id) = value["@id"].as_str() {
                    (expand(property), id.to_owned())
                } else {
                    let text = value["@value"].as_str().unwrap();
                    let rest = match (value["@language"].as_str(), value["@type"].as_str()) {
                        (Some(language), _) => format!("@{language}"),
                        (_, Some(kind)) => format!("^^{}", expand(kind)),
                        _ => String::new(),
                    };
                    (expand(property), format!("\"{text}\"{rest}"))
                };
                out.insert((subject.to_owned(), property, value));
            }
        }
    }
    out
}
