//! XML: its forms, and what is refused and how.

use consilium_fhir::{Document, xml};

use crate::canonical;

fn read(text: &str) -> String {
    xml::read(text).unwrap_or_else(|error| error.to_string())
}

fn write(text: &str) -> String {
    let document = Document::parse(text).unwrap();
    xml::write(document.root(), xml::Layout::Compact).unwrap_or_else(|error| error.to_string())
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// Both directions give exactly the other form.
fn both(json: &str, body: &str) {
    let text = format!("{HEAD}{body}");
    assert_eq!(write(json), text);
    assert_eq!(read(&text), json);
}

#[test]
fn forms_of_elements() {
    both(
        r#"{"resourceType":"Patient","id":"a","active":true,"multipleBirthInteger":2}"#,
        r#"<Patient xmlns="http://hl7.org/fhir"><id value="a"/><active value="true"/><multipleBirthInteger value="2"/></Patient>"#,
    );
    both(
        r#"{"resourceType":"Patient","extension":[{"id":"e","url":"u","valueDecimal":1.50}],"name":[{"id":"n","given":["A",null,"C"],"_given":[{"id":"g"},{"extension":[{"url":"u","valueCode":"x"}]},null]}],"_birthDate":{"extension":[{"url":"v","valueDecimal":-1.0E+20}]}}"#,
        r#"<Patient xmlns="http://hl7.org/fhir"><extension id="e" url="u"><valueDecimal value="1.50"/></extension><name id="n"><given id="g" value="A"/><given><extension url="u"><valueCode value="x"/></extension></given><given value="C"/></name><birthDate><extension url="v"><valueDecimal value="-1.0E+20"/></extension></birthDate></Patient>"#,
    );
    both(
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"r","resource":{"resourceType":"Patient","contained":[{"resourceType":"Basic"},{"resourceType":"List","id":"l"}]}}]}}]}"#,
        r#"<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><resource><Parameters><parameter><name value="r"/><resource><Patient><contained><Basic/></contained><contained><List><id value="l"/></List></contained></Patient></resource></parameter></Parameters></resource></entry></Bundle>"#,
    );
    both(
        "{\"resourceType\":\"Patient\",\"text\":{\"status\":\"generated\",\"div\":\"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\">a &amp; b<br/>\\n\\r\\n &lt; &#160;<!-- c --></div>\"},\"implicitRules\":\"x\"}".replace(",\"implicitRules\":\"x\"", "").as_str(),
        "<Patient xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\">a &amp; b<br/>\n&#13;\n &lt; &#160;<!-- c --></div></text></Patient>",
    );
    both(
        r#"{"resourceType":"Patient","name":[{"text":" <\"&'>\t\r\n é \u007f"}]}"#.replace("\\u007f", "\u{7f}").as_str(),
        "<Patient xmlns=\"http://hl7.org/fhir\"><name><text value=\" &lt;&quot;&amp;'&gt;&#9;&#13;&#10; é \u{7f}\"/></name></Patient>",
    );
}

#[test]
fn reads_what_others_write() {
    let text = "\u{feff}<?xml version='1.0'?>\n<!-- c --><?style x?>\n<f:Patient xmlns:f='http://hl7.org/fhir' \
        xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b'>\n  \
        <f:birthDate value='2000'></f:birthDate>\n <f:name><f:given value='A\nB&#x43;&apos;'/></f:name>\
        <f:active value=' true '/><f:multipleBirthInteger value='+2'/><f:name/>\n</f:Patient>\n";
    assert_eq!(
        read(text),
        r#"{"resourceType":"Patient","active":true,"name":[{"given":["A BC'"]},{}],"birthDate":"2000","multipleBirthInteger":2}"#
    );
}

#[test]
fn pretty_is_indented() {
    let json = r#"{"resourceType":"Patient","name":[{"family":"A"}],"contained":[{"resourceType":"Basic","id":"b"}]}"#;
    let document = Document::parse(json).unwrap();
    let text = xml::write(document.root(), xml::Layout::Pretty).unwrap();
    let expected = "\n<Patient xmlns=\"http://hl7.org/fhir\">\n  <contained>\n    <Basic>\n      <id \
        value=\"b\"/>\n    </Basic>\n  </contained>\n  <name>\n    <family value=\"A\"/>\n  \
        </name>\n</Patient>\n";
    assert_eq!(text, format!("{HEAD}{expected}"));
}

#[test]
fn narrative_of_json_is_made_fit_for_xml() {
    let patient = |div: &str| {
        let div = consilium_fhir::json::quote(div);
        write(&format!(r#"{{"resourceType":"Patient","text":{{"div":{div}}}}}"#))
    };
    let inner = |text: &str| {
        format!("{HEAD}<Patient xmlns=\"http://hl7.org/fhir\"><text>{text}</text></Patient>")
    };
    let xhtml = "<div xmlns=\"http://www.w3.org/1999/xhtml\">";
    assert_eq!(patient("<div>&nbsp;&copy;</div>\n"), inner(&format!("{xhtml}&#160;&#169;</div>")));
    assert_eq!(patient("<div/>"), inner("<div xmlns=\"http://www.w3.org/1999/xhtml\"/>"));
    for (div, expected) in [
        ("<div><br></div>", "an end tag does not match its start tag"),
        ("<div>", "the text ends too early"),
        ("<p/>", "narrative starts with `<div>`"),
        ("text", "narrative starts with `<div>`"),
        ("<div/><div/>", "narrative ends with `</div>`"),
        ("<div>&unknown;</div>", "narrative names a character that XML does not know"),
        ("<div a='1' a='2'/>", "an attribute is not well-formed"),
        ("<div><s:g/></div>", "narrative uses a prefix without a namespace"),
        ("<!DOCTYPE div><div/>", "narrative starts with `<div>`"),
        ("<div xmlns='u'/>", "narrative is of another namespace than XHTML"),
        ("<div>\u{1}</div>", "holds a control character that XML cannot carry"),
    ] {
        assert_eq!(patient(div), format!("`Patient.text.div`: {expected}"), "{div}");
    }
}

#[test]
fn what_json_has_and_definitions_do_not_is_refused_by_its_path() {
    for (json, expected) in [
        ("[]", "a resource is a JSON object"),
        ("{}", "`resourceType` is missing"),
        (r#"{"resourceType":"Nothing"}"#, "there is no resource type `Nothing`"),
        (r#"{"resourceType":"Patient","x":1}"#, "`Patient`: there is no element `x`"),
        (
            r#"{"resourceType":"Patient","name":[{},{"x":1}]}"#,
            "`Patient.name[1]`: there is no element `x`",
        ),
        (r#"{"resourceType":"Patient","_name":[]}"#, "`Patient`: there is no element `_name`"),
        (
            r#"{"resourceType":"Patient","active":"true"}"#,
            "`Patient.active`: must be `true` or `false`",
        ),
        (r#"{"resourceType":"Patient","gender":1}"#, "`Patient.gender`: must be a string"),
        (
            r#"{"resourceType":"Patient","name":{}}"#,
            "`Patient.name`: must be an array with at least one item",
        ),
        (
            r#"{"resourceType":"Patient","name":[]}"#,
            "`Patient.name`: must be an array with at least one item",
        ),
        (r#"{"resourceType":"Patient","birthDate":null}"#, "`Patient.birthDate`: must be a string"),
        (
            r#"{"resourceType":"Patient","name":[{"given":[null]}]}"#,
            "`Patient.name[0].given[0]`: has neither a value nor extensions",
        ),
        (
            r#"{"resourceType":"Patient","name":[{"text":"\u0001"}]}"#,
            "`Patient.name[0].text`: holds a control character that XML cannot carry",
        ),
    ] {
        assert_eq!(write(json), expected);
    }
}

#[test]
fn what_xml_has_and_definitions_do_not_is_refused_by_place_and_path() {
    let patient = |body: &str| format!("<Patient xmlns=\"http://hl7.org/fhir\">{body}</Patient>");
    for (text, expected) in [
        (String::new(), "line 1, column 1: there is no resource"),
        (
            "<Patient/>".into(),
            "line 1, column 1: `Patient` is not of the namespace `http://hl7.org/fhir`",
        ),
        (
            "<Nothing xmlns=\"http://hl7.org/fhir\"/>".into(),
            "line 1, column 1: there is no resource type `Nothing`",
        ),
        (patient("\n<x/>"), "line 2, column 1: `Patient`: there is no element `x`"),
        (
            patient("<name>\n<x/></name>"),
            "line 2, column 1: `Patient.name[0]`: there is no element `x`",
        ),
        (
            patient("<active value='yes'/>"),
            "line 1, column 38: `Patient.active`: must be `true` or `false`",
        ),
        (
            patient("<multipleBirthInteger value='01'/>"),
            "line 1, column 38: `Patient.multipleBirthInteger`: must be a number",
        ),
        (
            patient("<active/>"),
            "line 1, column 47: `Patient.active`: has neither a value nor extensions",
        ),
        (
            patient("<active val='x'/>"),
            "line 1, column 38: `Patient.active`: there is no attribute `val`",
        ),
        (
            patient("<name id='1' id='2'/>"),
            "line 1, column 38: `Patient.name[0]`: an attribute is not well-formed, or occurs twice",
        ),
        (
            patient("<gender value='male'/><gender value='male'/>"),
            "line 1, column 60: `Patient`: `gender` occurs more than once",
        ),
        (patient("text"), "line 1, column 38: `Patient`: text stands outside of an attribute"),
        (patient("&amp;"), "line 1, column 38: `Patient`: text stands outside of an attribute"),
        (patient("<contained/>"), "line 1, column 50: `Patient.contained[0]`: holds no resource"),
        (
            patient("<contained><Basic/><Basic/></contained>"),
            "line 1, column 57: `Patient.contained[0]`: holds more than one resource",
        ),
        (
            patient("<extension><url value='u'/></extension>"),
            "line 1, column 49: `Patient.extension[0]`: `url` is an attribute here",
        ),
        (
            patient("<text><div/></text>"),
            "line 1, column 44: `Patient.text`: `div` is not of the right namespace",
        ),
        (format!("{0}{0}", patient("")), "line 1, column 48: there is more than one resource"),
        (
            "<Patient xmlns=\"http://hl7.org/fhir\">".into(),
            "line 1, column 38: `Patient`: the text ends before an element does",
        ),
        (
            patient("<name></text>"),
            "line 1, column 44: `Patient.name[0]`: an end tag does not match its start tag",
        ),
        (
            "<?xml version='1.0' encoding='latin1'?><a/>".into(),
            "line 1, column 1: the encoding must be UTF-8",
        ),
    ] {
        assert_eq!(read(&text), expected, "{text}");
    }
}

#[test]
fn entities_and_depth_are_bounded() {
    let laughs = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]>\
        <Patient xmlns=\"http://hl7.org/fhir\"><gender value=\"&b;\"/></Patient>";
    assert_eq!(read(laughs), "line 1, column 1: a document type is not accepted");
    let entity = "<Patient xmlns=\"http://hl7.org/fhir\"><gender value=\"&b;\"/></Patient>";
    assert!(read(entity).ends_with("an attribute is not well-formed"), "{}", read(entity));
    let deep = |n: usize| {
        let open = "<extension url=\"u\">".repeat(n);
        format!(
            "<Patient xmlns=\"http://hl7.org/fhir\">{open}{}</Patient>",
            "</extension>".repeat(n)
        )
    };
    assert!(read(&deep(127)).starts_with('{'));
    assert!(read(&deep(100_000)).ends_with("nested more than 128 levels deep"));
    let wide = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect::<String>();
    let wide = format!("<Patient xmlns=\"http://hl7.org/fhir\"><name{wide}/></Patient>");
    assert!(read(&wide).ends_with("there is no attribute `a0`"));
    let narrative = format!(
        "<Patient xmlns=\"http://hl7.org/fhir\"><text><div xmlns=\"http://www.w3.org/1999/xhtml\">{}",
        "<p>".repeat(100_000)
    );
    assert!(read(&narrative).ends_with("narrative is nested more than 128 levels deep"));
}

#[test]
fn both_ways_meet() {
    let text = r#"{"name":[{"family":"A"}],"id":"1","resourceType":"Patient"}"#;
    let document = Document::parse(text).unwrap();
    let back = Document::parse(read(&write(text))).unwrap();
    assert_eq!(canonical(back.root()), canonical(document.root()));
}
