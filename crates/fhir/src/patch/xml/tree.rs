//! XML as a tree of places in its text, so that a change can be spliced in and everything else
//! stays as it is written.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

use crate::xml::{MAX_ATTRIBUTES, MAX_DEPTH};

/// What is wrong with a text.
pub(super) type Fault = Cow<'static, str>;

/// One attribute of an element.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    /// Its name as it is written.
    pub name: String,
    /// Its value without entities.
    pub value: String,
    /// Where it stands, with the white space before it.
    pub place: Range<usize>,
    /// Where its value stands, between the quotation marks.
    pub inside: Range<usize>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum What {
    Element {
        namespace: String,
        name: String,
        /// The prefix that it is written with; empty without one.
        prefix: String,
        attributes: Vec<Attribute>,
        /// Where its content stands; `None` where it is written as an empty tag.
        inside: Option<Range<usize>>,
    },
    /// Text without entities.
    Text(String),
    Comment,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub what: What,
    pub place: Range<usize>,
    pub parent: Option<usize>,
    pub children: Vec<usize>,
    /// The prefixes that are declared on it; the default namespace has the prefix `""`.
    declared: Vec<(String, String)>,
}

/// A whole text. The first node is the root element.
#[derive(Debug)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Reads a text that holds one element.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        let mut tree = Self { nodes: Vec::new() };
        let mut open: Vec<usize> = Vec::new();
        let mut at = 0;
        loop {
            let event = reader.read_event().map_err(|_| Fault::from("not well-formed XML"))?;
            let end = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
            let place = at..end;
            at = end;
            let written = text.get(place.clone()).unwrap_or_default();
            match event {
                Event::Eof if open.is_empty() && !tree.nodes.is_empty() => return Ok(tree),
                Event::Eof => return Err("the text ends too early".into()),
                Event::DocType(_) => return Err("a document type is not accepted".into()),
                Event::PI(_) => return Err("a processing instruction is not accepted".into()),
                Event::Decl(_) => {}
                Event::End(_) => {
                    let Some(last) = open.pop() else {
                        return Err("not well-formed XML".into());
                    };
                    tree.close(last, &place);
                }
                Event::Start(_) | Event::Empty(_) => {
                    let empty = matches!(event, Event::Empty(_));
                    if open.len() >= MAX_DEPTH {
                        return Err("nested more than 128 levels deep".into());
                    }
                    if open.is_empty() && !tree.nodes.is_empty() {
                        return Err("there is more than one root element".into());
                    }
                    let node = tree.element(written, place, open.last().copied(), empty)?;
                    if !empty {
                        open.push(node);
                    }
                }
                Event::Comment(_) => tree.add(What::Comment, place, open.last().copied()),
                Event::Text(_) | Event::GeneralRef(_) => {
                    let value = unescape(written).map_err(|_| "an entity is not known")?;
                    tree.text(&value, place, open.last().copied())?;
                }
                Event::CData(data) => {
                    let value = String::from_utf8_lossy(&data).into_owned();
                    tree.text(&value, place, open.last().copied())?;
                }
            }
        }
    }

    pub fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    /// The namespace that a prefix stands for at a node.
    pub fn namespace(&self, at: usize, prefix: &str) -> Option<&str> {
        let mut node = self.node(at)?;
        loop {
            if let Some((_, name)) = node.declared.iter().find(|(known, _)| known == prefix) {
                return Some(name);
            }
            node = self.node(node.parent?)?;
        }
    }

    /// The text of a node and of everything in it.
    pub fn value(&self, at: usize) -> String {
        match self.node(at) {
            Some(Node { what: What::Text(text), .. }) => text.clone(),
            Some(node) => node.children.iter().map(|child| self.value(*child)).collect(),
            None => String::new(),
        }
    }

    fn add(&mut self, what: What, place: Range<usize>, parent: Option<usize>) {
        // What stands outside of the root is of no concern.
        let Some(parent) = parent else { return };
        let at = self.nodes.len();
        let (children, declared) = (Vec::new(), Vec::new());
        self.nodes.push(Node { what, place, parent: Some(parent), children, declared });
        if let Some(around) = self.nodes.get_mut(parent) {
            around.children.push(at);
        }
    }

    /// Adds text; pieces that follow each other are one node (XPath 1.0, section 5.7).
    fn text(
        &mut self,
        value: &str,
        place: Range<usize>,
        parent: Option<usize>,
    ) -> Result<(), Fault> {
        let Some(around) = parent else {
            let blank = value.trim_matches([' ', '\t', '\r', '\n', '\u{feff}']).is_empty();
            return if blank { Ok(()) } else { Err("text stands outside of the root".into()) };
        };
        let last = self.node(around).and_then(|node| node.children.last().copied());
        if let Some(Node { what: What::Text(text), place: old, .. }) =
            last.and_then(|last| self.nodes.get_mut(last))
        {
            text.push_str(value);
            old.end = place.end;
            return Ok(());
        }
        self.add(What::Text(value.to_owned()), place, parent);
        Ok(())
    }

    fn element(
        &mut self,
        written: &str,
        place: Range<usize>,
        parent: Option<usize>,
        empty: bool,
    ) -> Result<usize, Fault> {
        let (written_name, attributes) = tag(written, place.start)?;
        let declared = attributes
            .iter()
            .filter_map(|one| {
                let prefix = match one.name.as_str() {
                    "xmlns" => "",
                    name => name.strip_prefix("xmlns:")?,
                };
                Some((prefix.to_owned(), one.value.clone()))
            })
            .collect();
        let (prefix, name) = written_name.split_once(':').unwrap_or(("", &written_name));
        let (prefix, name) = (prefix.to_owned(), name.to_owned());
        let at = self.nodes.len();
        let inside = (!empty).then_some(place.end..place.end);
        let namespace = String::new();
        let what = What::Element { namespace, name, prefix: prefix.clone(), attributes, inside };
        self.nodes.push(Node { what, place, parent, children: Vec::new(), declared });
        let bound = self.namespace(at, &prefix).map(str::to_owned);
        if bound.is_none() && !prefix.is_empty() {
            return Err("a prefix has no namespace".into());
        }
        if let Some(Node { what: What::Element { namespace, .. }, .. }) = self.nodes.get_mut(at) {
            *namespace = bound.unwrap_or_default();
        }
        if let Some(around) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
            around.children.push(at);
        }
        Ok(at)
    }

    fn close(&mut self, at: usize, end_tag: &Range<usize>) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.place.end = end_tag.end;
            if let What::Element { inside: Some(inside), .. } = &mut node.what {
                inside.end = end_tag.start;
            }
        }
    }
}

/// Name and attributes of a start tag that begins at `start`.
fn tag(written: &str, start: usize) -> Result<(String, Vec<Attribute>), Fault> {
    let bad = || Fault::from("an attribute is not well-formed");
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let end = written.trim_end_matches('>').trim_end_matches('/').len();
    let inner = written.get(1..end).ok_or_else(bad)?;
    let name_end = inner.find(is_space).unwrap_or(inner.len());
    let (name, mut rest) = inner.split_at(name_end);
    let mut attributes: Vec<Attribute> = Vec::new();
    loop {
        let trimmed = rest.trim_start_matches(is_space);
        if trimmed.is_empty() {
            return Ok((name.to_owned(), attributes));
        }
        if attributes.len() >= MAX_ATTRIBUTES {
            return Err("an element has more than 64 attributes".into());
        }
        let offset = |left: &str| start + 1 + inner.len() - left.len();
        let (key, behind) = trimmed.split_once('=').ok_or_else(bad)?;
        let value = behind.trim_start_matches(is_space);
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(bad)?;
        let value = value.get(1..).ok_or_else(bad)?;
        let length = value.find(quote).ok_or_else(bad)?;
        let (raw, left) = value.split_at(length);
        let left = left.get(1..).ok_or_else(bad)?;
        let key = key.trim_end_matches(is_space);
        if key.is_empty() || attributes.iter().any(|known| known.name == key) {
            return Err(bad());
        }
        attributes.push(Attribute {
            name: key.to_owned(),
            value: unescape(raw).map_err(|_| "an entity is not known")?.into_owned(),
            place: offset(rest)..offset(left),
            inside: offset(value)..offset(value) + length,
        });
        rest = left;
    }
}
