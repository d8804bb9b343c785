//! Inputs: good ones, changed at random.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::targets::Kind;

/// The longest input, in bytes.
const MAX_INPUT: usize = 64 << 10;

/// A source of inputs for one kind of text. The same seed gives the same inputs.
pub struct Corpus {
    chance: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
}

impl Corpus {
    /// Inputs of a kind that follow from a seed.
    pub fn new(kind: Kind, seed: u64) -> Self {
        let (seeds, words) = material(kind);
        let seeds = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
        Self { chance: ChaCha8Rng::seed_from_u64(seed), seeds, words }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..self.chance.random_range(0..8_u32) {
            self.change(&mut input);
            input.truncate(MAX_INPUT);
        }
        input
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        self.seeds.get(at).cloned().unwrap_or_default()
    }

    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.chance.random_range(0..end) }
    }

    /// A stretch of `input` of at most `most` bytes.
    fn stretch(&mut self, input: &[u8], most: usize) -> std::ops::Range<usize> {
        let start = self.below(input.len() + 1);
        let length = self.below(most.min(input.len() - start) + 1);
        start..start + length
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        match self.chance.random_range(0..10_u32) {
            0 => {
                let at = self.below(input.len());
                let byte = self.chance.random_range(0..=255_u8);
                if let Some(old) = input.get_mut(at) {
                    *old = byte;
                }
            }
            1 => {
                let range = self.stretch(input, 64);
                input.drain(range);
            }
            2 => {
                let range = self.stretch(input, 4096);
                let copy = input.get(range).unwrap_or_default().to_vec();
                let at = self.below(input.len() + 1);
                let times = 1 + self.below(4);
                input.splice(at..at, copy.repeat(times));
            }
            3 => {
                let other = self.seed();
                let range = self.stretch(&other, other.len());
                let part = other.get(range).unwrap_or_default().to_vec();
                let range = self.stretch(input, input.len());
                input.splice(range, part);
            }
            4 => {
                let end = self.below(input.len() + 1);
                input.truncate(end);
            }
            5 => {
                let word = self.word();
                let times = 1 + self.below(300);
                let at = self.below(input.len() + 1);
                input.splice(at..at, word.repeat(times));
            }
            6 => {
                let word = self.word();
                let range = self.stretch(input, 16);
                input.splice(range, word);
            }
            _ => {
                let word = self.word();
                let at = self.below(input.len() + 1);
                input.splice(at..at, word);
            }
        }
    }

    fn word(&mut self) -> Vec<u8> {
        let at = self.below(self.words.len());
        self.words.get(at).map(|word| word.as_bytes().to_vec()).unwrap_or_default()
    }
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","meta":{"tag":[{"system":"s","code":"c"}]},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &amp; b</p></div>"},"contained":[{"resourceType":"Organization","id":"o"}],"extension":[{"url":"u","valueQuantity":{"value":1.50,"unit":"g"}}],"active":true,"name":[{"family":"A","given":["B","C",null],"_given":[null,{"id":"x"},{"extension":[{"url":"v","valueCode":"c"}]}]}],"birthDate":"1974-12-25","_birthDate":{"extension":[{"url":"t","valueDateTime":"1974-12-25T14:35:45-05:00"}]},"contact":[{"name":{"text":"n"},"gender":"male"}],"managingOrganization":{"reference":"Organization/1"}}"#;
const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1-8"}]},"valueQuantity":{"value":1e2,"comparator":"<"},"component":[{"code":{"text":"x"},"valueString":"y"}]},"request":{"method":"POST","url":"Observation"}}]}"#;
const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Patient xmlns=\"http://hl7.org/fhir\"><id value=\"p\"/><text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &amp; &#233;<br/></p><!-- c --></div></text><contained><Organization><id value=\"o\"/></Organization></contained><extension url=\"u\"><valueDecimal value=\"1.50\"/></extension><name id=\"n\"><family value=\"A&#10;\"/><given value=\"B\"/><given><extension url=\"v\"><valueCode value=\"c\"/></extension></given></name><birthDate value=\"1974-12-25\" id=\"b\"/></Patient>";

/// Good inputs of a kind, and words that matter in it.
fn material(kind: Kind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        Kind::Json => (&[PATIENT, BUNDLE, "[1e400,-0.0,\"\\ud83d\\ude00\"]"], JSON_WORDS),
        Kind::Xml => (&[XML], XML_WORDS),
        Kind::Search => (SEARCHES, SEARCH_WORDS),
        Kind::FhirPath => (EXPRESSIONS, FHIRPATH_WORDS),
        Kind::JsonPatch => (JSON_PATCHES, JSON_WORDS),
        Kind::FhirPathPatch => (FHIRPATH_PATCHES, FHIRPATH_WORDS),
    }
}

const JSON_WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "1e999999999",
    "-0.0",
    "0.00000000000000000000000000000000000001",
    "123456789012345678901234567890",
    "\"id\":",
    "\"resourceType\":\"Patient\",",
    "\"_given\":[null],",
    "\"extension\":[{\"url\":\"u\"}],",
    "\"path\":\"/name/0\"",
    "/name/-",
    "/~1",
    "\"op\":\"copy\",\"from\":\"\",",
    "{\"a\":",
    "[[",
    "\u{feff}",
    "\u{2028}",
    "é",
];
const XML_WORDS: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "&",
    "&amp;",
    "&#0;",
    "&#x110000;",
    "&nbsp;",
    "&lol;",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?x ?>",
    "<!DOCTYPE x [<!ENTITY a \"b\">]>",
    " xmlns=\"u\"",
    " id=\"i\"",
    " value=\"1\"",
    "<extension url=\"u\">",
    "</extension>",
    "<contained>",
    "<Patient>",
    "<name>",
    "</name>",
    "<div xmlns=\"http://www.w3.org/1999/xhtml\">",
    "</div>",
    "\r\n",
    "\u{0}",
    "é",
    "<given/>",
    "<p>",
    "<text>",
    "xmlns:f=\"http://hl7.org/fhir\"",
    "f:",
];
const SEARCHES: &[&str] = &[
    "name=a&birthdate=ge2000-01-01&_sort=-birthdate,name&_count=10&_total=accurate",
    "identifier=http://s|v,|w&gender:not=male&organization:Organization.name=x&_include=Patient:organization",
    "_has:Observation:patient:code=http://loinc.org|1-8&_revinclude=Observation:subject&_summary=true",
    "_id=a,b&_lastUpdated=lt2020&_elements=name,gender&_profile=http://p&_tag=s|c&_text=a",
    "_filter=name eq \"a\" and (birthdate ge 2000 or not (gender eq male))&address:contains=x",
    "deceased:missing=true&general-practitioner:identifier=s|v&_security=x&phone=1&name:exact=A\\,B",
];
const SEARCH_WORDS: &[&str] = &[
    "&",
    "=",
    ",",
    "|",
    "$",
    "\\",
    ":",
    "::",
    ".",
    "_has:",
    "_filter=",
    "_sort=",
    "_include=",
    ":missing=",
    ":not",
    ":above",
    ":of-type",
    ":iterate",
    "*",
    "ge",
    "ap",
    "1e999",
    "-1",
    "9999-12-31T23:59:59.999999999Z",
    "2020-02-30",
    "subject",
    "Patient",
    "Patient.",
    "organization.",
    "(",
    ")",
    " and ",
    " or ",
    "not ",
    "\"",
    "%",
    "é",
    "\u{0}",
    "_count=99999999999999999999",
];
const EXPRESSIONS: &[&str] = &[
    "Patient.name.where(given.exists()).select(family & ' ' & given.join(','))",
    "name.given.matches('^[A-Z]+$') and birthDate < today()",
    "extension.where(url = 'u').value.value * 2.50 + 1 'g'.value",
    "descendants().ofType(Coding).repeat(children()).aggregate($total + 1, 0)",
    "iif(active, name.first().given[0].substring(1, 2), {}).toInteger().toString()",
    "(1 | 2 | 3).select($this * $this).sum() = 14 implies name.given.toDate() ~ @2020-01-01T10:00Z",
    "name.given.replaceMatches('(?<a>.)', '${a}${a}').indexOf('b').lowBoundary(8)",
    "Patient.contact.name.text.split(',').combine('a' | 'b').isDistinct() xor true",
    "birthDate + 4 months - 1 'wk' > @1974-12 and (1.0).round(2) ~ 1 'cm' / 2",
];
const FHIRPATH_WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{}",
    ".",
    ",",
    "'",
    "`",
    "\\",
    "$this",
    "$total",
    "$index",
    "%resource",
    "@2020",
    "@T",
    "9999999999999999999999999999",
    "0.0000000000000000000000000001",
    " 'kg'",
    " | ",
    " & ",
    " + ",
    " * ",
    " / ",
    " div ",
    " mod ",
    " and ",
    " is ",
    " as ",
    "-",
    "not()",
    "where(",
    "select(",
    "repeat(",
    "aggregate(",
    "matches('(a*)*b')",
    "matches('",
    "replaceMatches('a','",
    "(a{1000}){1000}",
    "descendants()",
    "children()",
    "ofType(",
    "resolve()",
    "toQuantity()",
    "combine($this)",
    "replace('a','aaaaaaaa')",
    "iif(",
    "trace('x')",
    "highBoundary(",
    "name",
    "given",
    "extension",
    "all(",
    "power(",
    "sqrt()",
    "join('",
    "toChars()",
    "\u{0}",
    "é",
];
const JSON_PATCHES: &[&str] = &[
    r#"[{"op":"add","path":"/name/-","value":{"family":"X"}},{"op":"test","path":"/active","value":true}]"#,
    r#"[{"op":"copy","from":"/name/0","path":"/contact/0/name"},{"op":"move","from":"/birthDate","path":"/x~1y"}]"#,
    r#"[{"op":"remove","path":"/name/0/given/1"},{"op":"replace","path":"/name/0/given/0","value":1.50}]"#,
    r#"[{"op":"copy","from":"","path":"/a"},{"op":"copy","from":"","path":"/b"},{"op":"remove","path":"/a"}]"#,
];
const FHIRPATH_PATCHES: &[&str] = &[
    r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient"},{"name":"name","valueString":"contact"},{"name":"value","part":[{"name":"name","valueHumanName":{"text":"x"}},{"name":"gender","valueCode":"male"}]}]}]}"#,
    r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"insert"},{"name":"path","valueString":"Patient.name.given"},{"name":"index","valueInteger":1},{"name":"value","valueString":"x","_valueString":{"id":"i"}}]},{"name":"operation","part":[{"name":"type","valueCode":"move"},{"name":"path","valueString":"Patient.name.given"},{"name":"source","valueInteger":0},{"name":"destination","valueInteger":2}]}]}"#,
    r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.birthDate.extension.value"}]},{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.extension.value"},{"name":"value","valueDecimal":1.50}]}]}"#,
    r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.name.given[2].extension"}]},{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"Patient.contained[0]"},{"name":"name","valueString":"active"},{"name":"value","valueBoolean":true}]}]}"#,
];

/// The resource that expressions and patches are tried on.
pub fn patient() -> &'static str {
    PATIENT
}
