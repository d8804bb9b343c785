//! XML Patch: the cases that HL7 published, and what they leave out.

use consilium_fhir::Document;
use consilium_fhir::patch::xml::{apply, apply_text};
use quick_xml::NsReader;
use quick_xml::events::Event;

/// A text as events, whatever its prefixes, quotation marks and white space.
fn canonical(text: &str) -> Vec<String> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut out = Vec::new();
    loop {
        let (namespace, event) = reader.read_resolved_event().unwrap();
        let namespace = format!("{namespace:?}");
        match event {
            Event::Eof => return out,
            Event::Start(tag) => {
                let mut attributes: Vec<String> = tag
                    .attributes()
                    .map(|one| one.unwrap())
                    .filter(|one| !one.key.as_ref().starts_with(b"xmlns"))
                    .map(|one| {
                        String::from_utf8_lossy(one.key.as_ref()).into_owned()
                            + "="
                            + &String::from_utf8_lossy(&one.value)
                    })
                    .collect();
                attributes.sort();
                let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
                out.push(format!("{namespace} {name} {attributes:?}"));
            }
            Event::End(_) => out.push("/".into()),
            Event::Text(text) => {
                let text = String::from_utf8_lossy(&text).trim().to_owned();
                if !text.is_empty() {
                    out.push(format!("text {text}"));
                }
            }
            Event::Comment(text) => {
                out.push(format!("comment {}", String::from_utf8_lossy(&text).trim()));
            }
            other => out.push(format!("{other:?}")),
        }
    }
}

/// What stands between two texts.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.rsplit_once(end).map(|(inner, _)| inner)
}

#[test]
fn the_published_cases() {
    let Some(path) = crate::shared("conformance/patch/xml-patch-tests.xml") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    // Some cases stand in comments.
    let mut active = String::new();
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once("<!--") {
        active.push_str(before);
        let (comment, behind) = behind.split_once("-->").unwrap();
        if !comment.contains("<case") {
            active.push_str(&format!("<!--{comment}-->"));
        }
        rest = behind;
    }
    active.push_str(rest);
    let mut ran = 0;
    for case in active.split("<case name=\"").skip(1) {
        let name = case.split('"').next().unwrap();
        let target = between(case, "<target>", "</target>").unwrap().trim();
        let start = case.find("<patch ").unwrap();
        let end = case.find("</patch>").unwrap() + "</patch>".len();
        let found = apply_text(target.to_owned(), &case[start..end]);
        match between(case, "<patched>", "</patched>") {
            Some(patched) => {
                let found = found.unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(canonical(&found), canonical(patched.trim()), "{name}");
            }
            None => assert!(found.is_err(), "{name}: {found:?}"),
        }
        ran += 1;
    }
    assert_eq!(ran, 29);
}

fn check(operations: &str, expected: &str) {
    let resource = Document::parse(
        r#"{"resourceType":"Patient","id":"p","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p title='q'>a &lt; b</p></div>"},"extension":[{"url":"urn:a","valueDecimal":1.50}],"active":true,"name":[{"family":"One","given":["A","B"]}]}"#,
    );
    let resource = resource.unwrap();
    let patch = format!("<diff>{operations}</diff>");
    let found = apply(resource.root(), &patch).unwrap_or_else(|error| error.to_string());
    assert!(found.contains(expected), "{operations}\n{found}\nnot {expected}");
}

#[test]
fn prefixes_places_and_narrative() {
    check(
        "<remove sel='f:Patient/f:active'/>",
        r#"'q'>a &lt; b</p></div>"},"extension":[{"url":"urn:a","valueDecimal":1.50}],"name""#,
    );
    check("<remove sel='Patient/*[3]'/>", r#""div":"<div"#);
    check(
        "<replace sel='f:Patient/f:name/f:given[@value=\"B\"]/@value'>&lt;&quot;&amp;</replace>",
        r#"["A","<\"&"]"#,
    );
    check(
        "<add sel='f:Patient/f:name'><x:given xmlns:x='http://hl7.org/fhir' value='C'/></add>",
        r#"["A","B","C"]"#,
    );
    check(
        "<add sel='f:Patient/f:name' pos='prepend'><use xmlns='http://hl7.org/fhir' value='old'/></add>",
        r#""name":[{"use":"old""#,
    );
    check("<add sel='f:Patient/f:name/f:family' type='@id'>n1</add>", r#""_family":{"id":"n1"}"#);
    check(
        "<add sel='f:Patient/f:active'><extension xmlns='http://hl7.org/fhir' url='urn:b'><valueCode value='x'/></extension></add>",
        r#""_active":{"extension":[{"url":"urn:b","valueCode":"x"}]}"#,
    );
    check("<replace sel='f:Patient/f:text/h:div/h:p/text()'>new</replace>", "'q'>new</p>");
    check(
        "<replace sel='f:Patient/f:extension/@url'>urn:c</replace>",
        r#"{"url":"urn:c","valueDecimal":1.50}"#,
    );
    check("<remove sel='f:Patient/f:name[f:family=\"\"]/f:given[2]'/>", r#""given":["A"]"#);
}

#[test]
fn faults_are_named_and_nothing_happens() {
    for (operations, expected) in [
        ("", "it has no operations"),
        ("<move sel='a'/>", "`move` is not"),
        ("text", "text stands beside"),
        ("<remove/>", "`sel` is missing"),
        ("<remove sel='f:Patient/f:name/f:given'/>", "finds 2 nodes"),
        ("<remove sel='f:Patient/f:photo'/>", "finds nothing"),
        ("<remove sel='//f:given'/>", "`//`"),
        ("<remove sel='f:Patient/f:name[last()]'/>", "cannot be followed from `last()]`"),
        ("<remove sel='f:Patient/f:name[0]'/>", "count from 1"),
        ("<remove sel='f:Patient/f:name[1'/>", "cannot be followed"),
        ("<remove sel='f:Patient/parent::node()'/>", "cannot be followed"),
        ("<remove sel='q:Patient'/>", "prefix `q`"),
        ("<remove sel='f:Patient'/>", "root element cannot be removed"),
        ("<add sel='f:Patient' pos='before'/>", "no neighbours"),
        ("<add sel='f:Patient' pos='inside'/>", "`pos` is"),
        ("<add sel='f:Patient/f:active' type='@value'>x</add>", "use `replace`"),
        ("<add sel='f:Patient/f:active' type='value'>x</add>", "`type` is"),
        ("<replace sel='f:Patient/f:active'/>", "replaced by one element"),
        ("<replace sel='f:Patient/f:active/@value'><x/></replace>", "plain text"),
        ("<replace sel='f:Patient/f:active/@value'>maybe</replace>", "must be `true` or `false`"),
        ("<remove sel='f:Patient/f:active'>x</remove>", "has no content"),
        ("<?x y?><remove sel='f:Patient/f:active'/>", "processing instruction"),
    ] {
        check(operations, expected);
    }
    let deep = "<a>".repeat(200) + &"</a>".repeat(200);
    check(&deep, "128 levels");
    let many = "<remove sel='f:Patient/f:active'/>".repeat(1001);
    check(&many, "more than 1000 operations");
}
