//! A lossless JSON document (RFC 8259) over its own text.
//!
//! Parsing checks the whole grammar once and builds a flat table of nodes in document order. A
//! [`Value`] is a cheap cursor into that table. Nothing is converted: a number is the digits that
//! were written (FHIR R4 section 2.6.2 asks that `1.50` and `1.5` stay distinct), a string is
//! decoded only when it is asked for.
//!
//! What is refused: anything that is not JSON, a member name that occurs twice in one object
//! (FHIR R4 JSON format: property names are unique), nesting beyond [`MAX_DEPTH`], and a text
//! beyond [`MAX_BYTES`].

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// The deepest nesting of arrays and objects that is accepted.
pub const MAX_DEPTH: usize = 128;
/// The longest text that is accepted, in bytes.
pub const MAX_BYTES: usize = 1 << 30;
/// Objects with more members than this are checked for duplicate names through a hash set.
const SMALL_OBJECT: usize = 32;

/// What kind of JSON value a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, kept as its digits.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Byte range in the text; for strings without the quotes.
    start: u32,
    end: u32,
    /// Index of the first node after this one and everything in it.
    next: u32,
    kind: Kind,
    /// A string that contains at least one escape.
    escaped: bool,
}

/// Why a text is not acceptable JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct ParseError {
    /// Line of the fault, from 1.
    pub line: usize,
    /// Column of the fault in bytes, from 1.
    pub column: usize,
    /// What is wrong; never contains content of the document.
    pub reason: &'static str,
}

/// A parsed JSON text.
#[derive(Clone, Debug)]
pub struct Document {
    text: String,
    nodes: Vec<Node>,
    has_siblings: bool,
}

impl Document {
    /// Parses `text`, which must be one JSON value with nothing but white space around it.
    pub fn parse(text: impl Into<String>) -> Result<Self, ParseError> {
        let text = text.into();
        let (nodes, has_siblings) = Parser::new(&text).run()?;
        Ok(Self { text, nodes, has_siblings })
    }

    /// Parses UTF-8 bytes.
    pub fn parse_bytes(bytes: Vec<u8>) -> Result<Self, ParseError> {
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                Err(position(error.as_bytes(), at, "not valid UTF-8"))
            }
        }
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { doc: self, at: 0 }
    }

    /// Whether a member's name may begin with `_`, which is where FHIR keeps ids and extensions of primitives.
    /// Where none does, nobody needs to look for one.
    pub fn has_siblings(&self) -> bool {
        self.has_siblings
    }

    /// The text exactly as it was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Gives the text back.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// A cursor at one value of a [`Document`].
#[derive(Clone, Copy)]
pub struct Value<'a> {
    doc: &'a Document,
    at: u32,
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.raw())
    }
}

impl<'a> Value<'a> {
    fn node(self) -> &'a Node {
        &self.doc.nodes[self.at as usize]
    }

    /// The kind of this value.
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// The document this value is part of.
    pub fn document(self) -> &'a Document {
        self.doc
    }

    /// A number that identifies this value within its document: its place in document order.
    pub fn index(self) -> u32 {
        self.at
    }

    /// The value's text as written, quotes of a string included.
    pub fn raw(self) -> &'a str {
        &self.doc.text[self.range()]
    }

    /// Byte range of [`Value::raw`] in the document's text.
    pub fn range(self) -> Range<usize> {
        let node = self.node();
        match node.kind {
            Kind::String => node.start as usize - 1..node.end as usize + 1,
            _ => node.start as usize..node.end as usize,
        }
    }

    /// The member `name` of an object; `None` for a missing member or another kind of value.
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.members().find(|member| member.is_named(name)).map(|member| member.value)
    }

    /// Follows `names` through nested objects.
    pub fn path(self, names: &[&str]) -> Option<Value<'a>> {
        names.iter().try_fold(self, |value, name| value.get(name))
    }

    /// Members of an object in written order; nothing for other kinds.
    pub fn members(self) -> Members<'a> {
        let node = self.node();
        let end = if node.kind == Kind::Object { node.next } else { self.at + 1 };
        Members { doc: self.doc, at: self.at + 1, end }
    }

    /// Items of an array in order; nothing for other kinds.
    pub fn items(self) -> Items<'a> {
        let node = self.node();
        let end = if node.kind == Kind::Array { node.next } else { self.at + 1 };
        Items { doc: self.doc, at: self.at + 1, end }
    }

    /// Items of an array, or the value itself when it is anything else: FHIR elements that may
    /// repeat and those that may not are read alike.
    pub fn each(self) -> impl Iterator<Item = Value<'a>> {
        let single = (self.kind() != Kind::Array).then_some(self);
        self.items().chain(single)
    }

    /// The decoded string, borrowed where it holds no escapes.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let node = self.node();
        if node.kind != Kind::String {
            return None;
        }
        let raw = &self.doc.text[node.start as usize..node.end as usize];
        Some(if node.escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }

    /// The decoded string of member `name`.
    pub fn str_at(self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.as_str()
    }

    /// Whether this is the string `other`.
    pub fn is_str(self, other: &str) -> bool {
        let node = self.node();
        if node.kind != Kind::String {
            return false;
        }
        let range = node.start as usize..node.end as usize;
        if node.escaped {
            return unescape(&self.doc.text[range]) == other;
        }
        // Most are told apart by their length.
        range.len() == other.len() && self.doc.text.as_bytes()[range] == *other.as_bytes()
    }

    /// The boolean.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// The digits of a number as written.
    pub fn as_number(self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then(|| self.raw())
    }
}

/// One member of an object.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    key: Value<'a>,
    /// The member's value.
    pub value: Value<'a>,
}

impl<'a> Member<'a> {
    /// The decoded name.
    pub fn name(&self) -> Cow<'a, str> {
        self.key.as_str().unwrap_or_default()
    }

    /// Whether the member is called `name`.
    pub fn is_named(&self, name: &str) -> bool {
        self.key.is_str(name)
    }

    /// The name as written, quotes included.
    pub fn raw_name(&self) -> &'a str {
        self.key.raw()
    }

    /// Byte range from the opening quote of the name to the end of the value.
    pub fn range(&self) -> Range<usize> {
        self.key.range().start..self.value.range().end
    }
}

/// Iterator over the members of an object.
#[derive(Clone)]
pub struct Members<'a> {
    doc: &'a Document,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        if self.at >= self.end {
            return None;
        }
        let key = Value { doc: self.doc, at: self.at };
        let value = Value { doc: self.doc, at: self.at + 1 };
        self.at = value.node().next;
        Some(Member { key, value })
    }
}

/// Iterator over the items of an array.
#[derive(Clone)]
pub struct Items<'a> {
    doc: &'a Document,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { doc: self.doc, at: self.at };
        self.at = value.node().next;
        Some(value)
    }
}

/// Writes `text` as a JSON string, quotes included.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    // What the count stops at is one byte long, so both parts are texts.
    let (same, rest) = text.split_at(plain(text.as_bytes()));
    out.push_str(same);
    for c in rest.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Decodes a string body that the parser has already found well formed.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.as_bytes()[at + 1];
        let mut used = at + 2;
        match code {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let high = hex4(&rest[at + 2..]);
                used = at + 6;
                let mut point = high;
                if (0xd800..0xdc00).contains(&high) {
                    // The parser has made sure that the low half follows.
                    let low = hex4(&rest[at + 8..]);
                    point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                    used = at + 12;
                }
                out.push(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => out.push(other as char),
        }
        rest = &rest[used..];
    }
    out.push_str(rest);
    out
}

fn hex4(text: &str) -> u32 {
    text.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

fn position(bytes: &[u8], at: usize, reason: &'static str) -> ParseError {
    let before = &bytes[..at.min(bytes.len())];
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
    ParseError { line, column, reason }
}

type Fault = (usize, &'static str);

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    has_siblings: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let nodes = Vec::with_capacity(text.len() / 12 + 4);
        Self { text, bytes: text.as_bytes(), at: 0, nodes, has_siblings: false }
    }

    /// The nodes, and whether a name may begin with `_`.
    fn run(mut self) -> Result<(Vec<Node>, bool), ParseError> {
        self.document().map_err(|(at, reason)| position(self.bytes, at, reason))?;
        Ok((self.nodes, self.has_siblings))
    }

    fn document(&mut self) -> Result<(), Fault> {
        if self.bytes.len() > MAX_BYTES {
            return Err((0, "the text is longer than 1 GiB"));
        }
        self.space();
        self.value(0)?;
        self.space();
        if self.at < self.bytes.len() {
            return Err((self.at, "unexpected text after the value"));
        }
        Ok(())
    }

    fn peek(&self) -> u8 {
        // 0 stands for the end; it is no valid character outside a string anywhere in JSON.
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn open(&mut self, kind: Kind, start: usize) -> usize {
        let node = Node { start: start as u32, end: 0, next: 0, kind, escaped: false };
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn close(&mut self, node: usize) {
        let next = self.nodes.len() as u32;
        self.nodes[node].end = self.at as u32;
        self.nodes[node].next = next;
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek() {
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => self.string(),
            b't' => self.word(Kind::Bool, "true"),
            b'f' => self.word(Kind::Bool, "false"),
            b'n' => self.word(Kind::Null, "null"),
            b'-' | b'0'..=b'9' => self.number(),
            0 if self.at >= self.bytes.len() => Err((self.at, "the text ends too early")),
            _ => Err((self.at, "a value was expected")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err((self.at, "nested more than 128 levels deep"));
        }
        let node = self.open(Kind::Object, self.at);
        self.at += 1;
        self.space();
        let mut members = 0;
        if self.peek() == b'}' {
            self.at += 1;
            self.close(node);
            return Ok(());
        }
        loop {
            if self.peek() != b'"' {
                return Err((self.at, "a member name in quotes was expected"));
            }
            // An escape at its beginning may stand for `_`.
            self.has_siblings |= matches!(self.bytes.get(self.at + 1), Some(b'_' | b'\\'));
            self.string()?;
            self.space();
            if self.peek() != b':' {
                return Err((self.at, "a colon was expected after the member name"));
            }
            self.at += 1;
            self.space();
            self.value(depth)?;
            members += 1;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err((self.at, "a comma or a closing brace was expected")),
            }
            self.space();
        }
        self.at += 1;
        self.close(node);
        self.unique_names(node, members)
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err((self.at, "nested more than 128 levels deep"));
        }
        let node = self.open(Kind::Array, self.at);
        self.at += 1;
        self.space();
        if self.peek() == b']' {
            self.at += 1;
            self.close(node);
            return Ok(());
        }
        loop {
            self.value(depth)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err((self.at, "a comma or a closing bracket was expected")),
            }
            self.space();
        }
        self.at += 1;
        self.close(node);
        Ok(())
    }

    fn word(&mut self, kind: Kind, word: &'static str) -> Result<(), Fault> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err((self.at, "a value was expected"));
        }
        let node = self.open(kind, self.at);
        self.at += word.len();
        self.close(node);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let node = self.open(Kind::Number, self.at);
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return Err((self.at, "a digit was expected")),
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.some_digits()?;
        }
        self.close(node);
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        if !self.peek().is_ascii_digit() {
            return Err((self.at, "a digit was expected"));
        }
        self.digits();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        let node = self.open(Kind::String, self.at + 1);
        self.at += 1;
        let mut escaped = false;
        loop {
            self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.bytes.get(self.at) {
                None => return Err((self.at, "the text ends inside a string")),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..0x20) => {
                    return Err((self.at, "a control character must be escaped in a string"));
                }
                Some(_) => self.at += 1,
            }
        }
        self.close(node);
        self.nodes[node].escaped = escaped;
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let high = self.unicode_escape()?;
                if (0xdc00..0xe000).contains(&high) {
                    return Err((self.at, "a lone half of a surrogate pair"));
                }
                if (0xd800..0xdc00).contains(&high) {
                    let pair = self.bytes[self.at..].starts_with(b"\\u");
                    let low = if pair { self.unicode_escape()? } else { 0 };
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err((self.at, "a lone half of a surrogate pair"));
                    }
                }
            }
            _ => return Err((self.at, "an unknown escape in a string")),
        }
        Ok(())
    }

    /// Reads `\uXXXX` at the cursor and returns the code unit.
    fn unicode_escape(&mut self) -> Result<u32, Fault> {
        let digits = self.text.get(self.at + 2..self.at + 6);
        let valid = digits.filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match valid {
            Some(digits) => {
                self.at += 6;
                Ok(hex4(digits))
            }
            None => Err((self.at, "four hexadecimal digits were expected after \\u")),
        }
    }

    fn unique_names(&self, object: usize, members: usize) -> Result<(), Fault> {
        let name = |at: usize| {
            let node = &self.nodes[at];
            let raw = &self.text[node.start as usize..node.end as usize];
            if node.escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) }
        };
        let end = self.nodes[object].next as usize;
        let names = || {
            let mut at = object + 1;
            std::iter::from_fn(move || {
                (at < end).then(|| {
                    let key = at;
                    at = self.nodes[at + 1].next as usize;
                    key
                })
            })
        };
        let fault = |at: usize| (self.nodes[at].start as usize, "a member name occurs twice");
        if members > SMALL_OBJECT {
            let mut seen = HashSet::with_capacity(members);
            return names().find(|&at| !seen.insert(name(at))).map_or(Ok(()), |at| Err(fault(at)));
        }
        // One bit for each name that came; only where it is set already can the name be the same.
        let mut came = 0_u64;
        for (i, at) in names().enumerate() {
            let bit = 1 << sketch(name(at).as_bytes());
            if came & bit != 0 && names().take(i).any(|earlier| name(earlier) == name(at)) {
                return Err(fault(at));
            }
            came |= bit;
        }
        Ok(())
    }
}

/// How many bytes at the start of `bytes` mean themselves in a string: no quote, no backslash, no
/// control character. Eight at a time, by the borrow that a subtraction leaves in the highest bit
/// of a byte; what it wrongly leaves in bytes behind the first that counts is never looked at.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = quote | backslash | below(word, 0x20);
        if found != 0 {
            return 8 * at + (found.trailing_zeros() / 8) as usize;
        }
    }
    let one = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
    8 * words.len() + one
}

/// A number from 0 to 63 that differs for most names that stand together in an object.
fn sketch(name: &[u8]) -> u32 {
    let at = |index: usize| u32::from(name.get(index).copied().unwrap_or_default());
    let mixed = at(0) ^ (at(name.len() / 2) << 8) ^ (at(name.len().wrapping_sub(1)) << 16);
    (mixed ^ ((name.len() as u32) << 24)).wrapping_mul(0x9e37_79b1) >> 26
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> String {
        Document::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn names_that_may_be_of_siblings_are_known() {
        for (text, has) in [
            (r#"{"a": "_b", "c": ["_"]}"#, false),
            (r#"{"a": {"_b": 1}}"#, true),
            (r#"[{"\u005fb": 1}]"#, true),
            (r#"{"a_": 1, "": 2}"#, false),
        ] {
            assert_eq!(Document::parse(text).unwrap().has_siblings(), has, "{text}");
        }
        let escaped = Document::parse(r#"{"\u005fb": "\u0041"}"#).unwrap();
        let value = escaped.root().get("_b").unwrap();
        assert!(value.is_str("A") && !value.is_str("B") && !value.is_str("AB"));
    }

    proptest! {
        #[test]
        fn plain_bytes_are_counted_as_one_by_one(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let one = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
            prop_assert_eq!(plain(&bytes), bytes.iter().take_while(one).count());
        }

        #[test]
        fn a_quoted_text_is_read_as_it_was(text in any::<String>()) {
            let read = Document::parse(quote(&text)).unwrap();
            prop_assert_eq!(read.root().as_str().unwrap(), text);
        }

        #[test]
        fn a_name_that_occurs_twice_is_found(
            names in prop::collection::vec("[a-c]{0,3}", 0..40),
        ) {
            let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":1")).collect();
            let once: HashSet<_> = names.iter().collect();
            let read = Document::parse(format!("{{{}}}", members.join(",")));
            prop_assert_eq!(read.is_ok(), once.len() == names.len());
        }
    }

    #[test]
    fn keeps_digits_order_and_space() {
        let text = " {\"b\": 1.50, \"a\":[1e2 , -0.0],\n\"c\":\"\\u00e9\\n\"} ";
        let doc = Document::parse(text).unwrap();
        assert_eq!(doc.text(), text);
        let root = doc.root();
        assert_eq!(root.get("b").unwrap().as_number(), Some("1.50"));
        let names: Vec<_> = root.members().map(|m| m.name().into_owned()).collect();
        assert_eq!(names, ["b", "a", "c"]);
        assert_eq!(root.get("a").unwrap().items().count(), 2);
        assert_eq!(root.str_at("c").unwrap(), "é\n");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        assert_eq!(refused("{\"a\":1,\n\"a\":2}"), "line 2, column 2: a member name occurs twice");
        assert_eq!(refused("[1,]"), "line 1, column 4: a value was expected");
        assert_eq!(refused("01"), "line 1, column 2: unexpected text after the value");
        assert_eq!(refused("\"\\ud800\""), "line 1, column 8: a lone half of a surrogate pair");
        assert_eq!(refused(""), "line 1, column 1: the text ends too early");
        assert!(refused(&"[".repeat(1000)).contains("128 levels"));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..20)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn rebuild(value: Value<'_>) -> serde_json::Value {
        match value.kind() {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool => value.as_bool().into(),
            Kind::Number => serde_json::from_str(value.raw()).unwrap(),
            Kind::String => value.as_str().unwrap().into_owned().into(),
            Kind::Array => value.items().map(rebuild).collect(),
            Kind::Object => serde_json::Value::Object(
                value.members().map(|m| (m.name().into_owned(), rebuild(m.value))).collect(),
            ),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_valid_texts(value in json()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let doc = Document::parse(text).unwrap();
                prop_assert_eq!(&rebuild(doc.root()), &value);
            }
        }

        #[test]
        fn agrees_with_serde_json_on_damaged_texts(value in json(), at in any::<prop::sample::Index>(), with in "[\\PC]") {
            let text = value.to_string();
            let mut chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            chars[at] = with.chars().next().unwrap();
            let text: String = chars.into_iter().collect();
            match (Document::parse(text.clone()), serde_json::from_str::<serde_json::Value>(&text)) {
                (Ok(doc), Ok(expected)) => prop_assert_eq!(rebuild(doc.root()), expected),
                (Err(_), Err(_)) => {}
                (Err(e), Ok(_)) => prop_assert!(
                    e.reason == "a member name occurs twice", "refused {text:?}: {e}"
                ),
                // serde_json limits the size of a number; the grammar does not.
                (Ok(_), Err(e)) => prop_assert!(
                    e.to_string().contains("number out of range"), "accepted {text:?}: {e}"
                ),
            }
        }

        #[test]
        fn quoting_round_trips(text in any::<String>()) {
            let doc = Document::parse(quote(&text)).unwrap();
            prop_assert_eq!(doc.root().as_str().unwrap(), text);
        }
    }
}
