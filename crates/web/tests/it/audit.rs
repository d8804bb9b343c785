//! An audit of one HTML page: what a parser, a keyboard and a screen reader need.

use std::collections::{HashMap, HashSet};

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document, parse_fragment};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// An element with its attributes and place.
pub struct Element {
    pub name: String,
    pub attributes: HashMap<String, String>,
    pub ancestors: Vec<String>,
    pub text: String,
    pub has_hidden_ancestor: bool,
}

impl Element {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// Every element of a page in document order, and the parser's complaints.
pub fn parse(html: &str) -> (Vec<Element>, Vec<String>) {
    let dom = parse_document(RcDom::default(), without_scripts()).one(html);
    read(&dom)
}

/// As a browser reads a page where scripts do not run: what `noscript` holds counts.
fn without_scripts() -> ParseOpts {
    let mut options = ParseOpts::default();
    options.tree_builder.scripting_enabled = false;
    options
}

/// The same for a piece of a page.
pub fn parse_piece(html: &str) -> (Vec<Element>, Vec<String>) {
    let body = html5ever::QualName::new(None, html5ever::ns!(html), html5ever::local_name!("body"));
    let dom = parse_fragment(RcDom::default(), without_scripts(), body, Vec::new(), true).one(html);
    read(&dom)
}

fn read(dom: &RcDom) -> (Vec<Element>, Vec<String>) {
    let mut elements = Vec::new();
    walk(&dom.document, &mut Vec::new(), false, &mut elements);
    let errors = dom.errors.borrow().iter().map(ToString::to_string).collect();
    (elements, errors)
}

fn walk(node: &Handle, ancestors: &mut Vec<String>, hidden: bool, out: &mut Vec<Element>) {
    let mut hidden = hidden;
    let mut name = None;
    if let NodeData::Element { name: qualified, attrs, .. } = &node.data {
        let attributes: HashMap<String, String> = attrs
            .borrow()
            .iter()
            .map(|a| (a.name.local.to_string(), a.value.to_string()))
            .collect();
        hidden |= attributes.get("aria-hidden").is_some_and(|value| value == "true");
        let element = Element {
            name: qualified.local.to_string(),
            attributes,
            ancestors: ancestors.clone(),
            text: text_of(node),
            has_hidden_ancestor: hidden,
        };
        name = Some(element.name.clone());
        out.push(element);
    }
    if let Some(name) = &name {
        ancestors.push(name.clone());
    }
    for child in node.children.borrow().iter() {
        walk(child, ancestors, hidden, out);
    }
    if name.is_some() {
        ancestors.pop();
    }
}

fn text_of(node: &Handle) -> String {
    let mut out = String::new();
    fn collect(node: &Handle, out: &mut String) {
        if let NodeData::Text { contents } = &node.data {
            out.push_str(&contents.borrow());
        }
        for child in node.children.borrow().iter() {
            collect(child, out);
        }
    }
    collect(node, &mut out);
    out
}

/// Everything that is wrong with a page, in words.
pub fn faults(html: &str) -> Vec<String> {
    let (elements, mut faults) = parse(html);
    if elements.is_empty() {
        faults.push("nothing to audit".into());
    }
    structure(&elements, &mut faults);
    identity(&elements, &mut faults);
    forms(&elements, &mut faults);
    for element in &elements {
        pictures_and_tables(element, &mut faults);
        policy(element, &mut faults);
    }
    headings(&elements, &mut faults);
    if html.contains('\u{27e6}') || html.contains("{ $") || html.contains("{$") {
        faults.push("a text is missing or not filled".into());
    }
    faults
}

fn structure(elements: &[Element], faults: &mut Vec<String>) {
    let count = |name: &str| elements.iter().filter(|e| e.name == name).count();
    for (name, expected) in [("h1", 1), ("main", 1), ("header", 1), ("footer", 1), ("title", 1)] {
        if count(name) != expected {
            faults.push(format!("{} elements `{name}`", count(name)));
        }
    }
    let lang = elements.iter().find(|e| e.name == "html").and_then(|e| e.get("lang"));
    if lang.is_none_or(str::is_empty) {
        faults.push("the page has no language".into());
    }
    let first_link = elements.iter().find(|e| e.name == "a").and_then(|e| e.get("href"));
    if first_link != Some("#main") {
        faults.push("the first link does not skip to the content".into());
    }
    for nav in elements.iter().filter(|e| e.name == "nav") {
        if nav.get("aria-label").is_none_or(str::is_empty) {
            faults.push("a navigation has no name".into());
        }
    }
}

/// Ids are unique, and what points to an id finds it.
fn identity(elements: &[Element], faults: &mut Vec<String>) {
    let mut ids = HashSet::new();
    for id in elements.iter().filter_map(|e| e.get("id")) {
        if id.is_empty() || id.contains(char::is_whitespace) || !ids.insert(id) {
            faults.push(format!("id `{id}` is empty, spaced or not unique"));
        }
    }
    for element in elements {
        for attribute in ["aria-labelledby", "aria-describedby", "for"] {
            for id in element.get(attribute).into_iter().flat_map(str::split_whitespace) {
                if !ids.contains(id) {
                    faults.push(format!("`{attribute}` names `{id}`, which is not there"));
                }
            }
        }
        let target = element.get("href").and_then(|href| href.strip_prefix('#'));
        if target.is_some_and(|id| !ids.contains(id)) {
            faults.push(format!("a link leads to `#{}`, which is not there", target.unwrap()));
        }
    }
}

fn forms(elements: &[Element], faults: &mut Vec<String>) {
    let labelled: HashSet<&str> =
        elements.iter().filter(|e| e.name == "label").filter_map(|e| e.get("for")).collect();
    for control in elements {
        let is_control = matches!(control.name.as_str(), "input" | "select" | "textarea");
        if !is_control || control.get("type") == Some("hidden") {
            continue;
        }
        if !control.get("id").is_some_and(|id| labelled.contains(id)) {
            faults.push(format!("control `{}` has no label", control.get("name").unwrap_or("?")));
        }
    }
    let posts = elements.iter().filter(|e| e.name == "form" && e.get("method") == Some("post"));
    let tokens = elements.iter().filter(|e| e.get("name") == Some("csrf")).count();
    if posts.count() != tokens {
        faults.push("a form that changes something sends no token".into());
    }
    for element in elements {
        if element.name == "form" && element.get("action").is_none_or(str::is_empty) {
            faults.push("a form has no action".into());
        }
        if element.name == "button" && element.text.trim().is_empty() {
            faults.push("a button has no text".into());
        }
        if element.name == "a" && element.text.trim().is_empty() {
            faults.push(format!("link {:?} has no text", element.get("href")));
        }
        if element.get("tabindex").is_some_and(|index| index != "-1") {
            faults.push("the order of the keyboard is changed".into());
        }
    }
}

fn pictures_and_tables(element: &Element, faults: &mut Vec<String>) {
    match element.name.as_str() {
        "svg" if !element.has_hidden_ancestor => {
            let named = element.get("aria-label").is_some_and(|label| !label.trim().is_empty());
            if element.get("role") != Some("img") || !named {
                faults.push("a picture has no text alternative".into());
            }
        }
        "img" if element.get("alt").is_none() => faults.push("an image has no `alt`".into()),
        "th" if !matches!(element.get("scope"), Some("col" | "row")) => {
            faults.push(format!("header `{}` has no scope", element.text));
        }
        "details" if element.get("id").is_none() => {
            faults.push("a `details` has no id and would close when its region is renewed".into());
        }
        "time"
            if element
                .get("datetime")
                .is_none_or(|at| !at.starts_with(|c: char| c.is_ascii_digit())) =>
        {
            faults.push(format!("time `{}` cannot be read by machines", element.text));
        }
        _ => {}
    }
}

/// What the content security policy `default-src 'self'` would block.
fn policy(element: &Element, faults: &mut Vec<String>) {
    if element.name == "style" || (element.name == "script" && element.get("src").is_none()) {
        faults.push(format!("inline `{}`", element.name));
    }
    for (name, value) in &element.attributes {
        if name == "style" || name.starts_with("on") {
            faults.push(format!("inline `{name}`"));
        }
        let is_address = matches!(name.as_str(), "href" | "src" | "action");
        if is_address && !value.starts_with('/') && !value.starts_with('#') {
            faults.push(format!("`{value}` leads away from the node"));
        }
    }
}

/// No level of heading is left out.
fn headings(elements: &[Element], faults: &mut Vec<String>) {
    let levels = elements.iter().filter_map(|e| match e.name.as_str() {
        "h1" => Some(1),
        "h2" => Some(2),
        "h3" => Some(3),
        "h4" => Some(4),
        _ => None,
    });
    let mut last = 0;
    for level in levels {
        if level > last + 1 {
            faults.push(format!("heading of level {level} below level {last}"));
        }
        last = level;
    }
}

#[test]
fn the_audit_finds_what_it_is_for() {
    for (piece, fault) in [
        ("<input name=a>", "no label"),
        ("<p id=x><p id=x>", "not unique"),
        ("<p style='color:red'>", "inline `style`"),
        ("<script>1</script>", "inline `script`"),
        ("<button onclick=x>y</button>", "inline `onclick`"),
        ("<svg></svg>", "text alternative"),
        ("<table><tr><th>x</table>", "scope"),
        ("<a href='https://elsewhere.example'>x</a>", "leads away"),
        ("<form method=post action=/x></form>", "no token"),
        ("<div><h1>1</h1><h3>3</h3></div>", "level 3 below level 1"),
        ("<p></div>", "nexpected"),
    ] {
        let found = faults(&format!("<!doctype html><html lang=en><body>{piece}</body>"));
        assert!(found.iter().any(|found| found.contains(fault)), "{piece}: {found:?}");
    }
}
