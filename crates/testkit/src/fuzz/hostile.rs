//! Inputs made by hand to be as bad as can be: depth, length, repetition, expansion.

use super::targets::Kind;

/// The inputs of a kind, by name.
pub fn inputs(kind: Kind) -> Vec<(&'static str, Vec<u8>)> {
    let texts = match kind {
        Kind::Json => json(),
        Kind::Xml => xml(),
        Kind::Search => search(),
        Kind::FhirPath => fhirpath(),
        Kind::JsonPatch => json_patch(),
        Kind::FhirPathPatch => fhirpath_patch(),
    };
    let mut inputs: Vec<_> = texts.into_iter().map(|(name, t)| (name, t.into_bytes())).collect();
    inputs.push(("nothing", Vec::new()));
    inputs.push(("not UTF-8", b"\"\xff\xfe\"".to_vec()));
    inputs.push(("overlong UTF-8", b"{\"a\":\"\xc0\xaf\"}".to_vec()));
    inputs
}

type Texts = Vec<(&'static str, String)>;

fn json() -> Texts {
    let members = |name: fn(u32) -> String| {
        let members: Vec<_> = (0..200_000).map(|n| format!("\"{}\":0", name(n))).collect();
        format!("{{\"resourceType\":\"Patient\",{}}}", members.join(","))
    };
    vec![
        ("a million open arrays", "[".repeat(1_000_000)),
        ("a million open objects", "{\"a\":".repeat(1_000_000)),
        ("a number of a million digits", "9".repeat(1_000_000)),
        ("a huge exponent", format!("{{\"a\":1e{}}}", "9".repeat(100_000))),
        ("many members", members(|n| n.to_string())),
        ("a member many times", members(|_| "x".into())),
        ("escaped names", members(|n| format!("\\u{:04x}{n}", 97 + n % 26))),
        ("a million escapes", format!("\"{}\"", "\\u0000".repeat(1_000_000))),
        ("a long string", format!("{{\"resourceType\":\"{}\"}}", "x".repeat(5_000_000))),
        ("a million items", format!("[{}0]", "0,".repeat(1_000_000))),
        ("as deep as allowed", format!("{}{}", "[".repeat(128), "]".repeat(128))),
    ]
}

fn xml() -> Texts {
    let patient = |body: &str| format!("<Patient xmlns=\"http://hl7.org/fhir\">{body}</Patient>");
    let mut laughs = String::from("<!DOCTYPE x [<!ENTITY l0 \"lol\">");
    for n in 1..30 {
        laughs += &format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10));
    }
    let attributes: String = (0..200_000).map(|n| format!(" a{n}=\"1\"")).collect();
    let spaces: String = (0..200_000).map(|n| format!(" xmlns:a{n}=\"u{n}\"")).collect();
    let div = |body: &str| {
        patient(&format!("<text><div xmlns=\"http://www.w3.org/1999/xhtml\">{body}</div></text>"))
    };
    vec![
        ("a billion laughs", laughs + "]>" + &patient("<gender value=\"&l29;\"/>")),
        ("external entity", "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><x/>".into()),
        ("deep extensions", patient(&"<extension url=\"u\">".repeat(500_000))),
        ("deep narrative", div(&"<p>".repeat(500_000))),
        ("many attributes", patient(&format!("<name{attributes}/>"))),
        ("many namespaces", patient(&format!("<name{spaces}/>"))),
        ("attributes in narrative", div(&format!("<p{attributes}/>"))),
        ("namespaces in narrative", div(&format!("<p{spaces}/>"))),
        ("many elements", patient(&"<name/>".repeat(300_000))),
        ("many ampersands", div(&"&".repeat(500_000))),
        ("many references", div(&"&#97;".repeat(300_000))),
        ("many comments", patient(&"<!---->".repeat(300_000))),
        ("an open comment", patient(&"<!--".repeat(300_000))),
        ("a long name", format!("<{}", "x".repeat(3_000_000))),
        ("a long value", patient(&format!("<gender value=\"{}\"/>", "&amp;".repeat(500_000)))),
    ]
}

fn search() -> Texts {
    vec![
        ("many parameters", "name=a&".repeat(100_000)),
        ("many values", format!("name={}", "a,".repeat(200_000))),
        ("a deep chain", format!("{}name=a", "organization.".repeat(50_000))),
        ("a deep reverse chain", format!("{}code=a", "_has:Observation:patient:".repeat(10_000))),
        ("a deep filter", format!("_filter={}name eq a", "(".repeat(200_000))),
        ("a long filter", format!("_filter={}name eq a", "name eq a and ".repeat(50_000))),
        ("many negations", format!("_filter={}(name eq a)", "not ".repeat(100_000))),
        ("a long sort", format!("_sort={}", "name,".repeat(100_000))),
        ("a long value", format!("name={}", "\\,".repeat(500_000))),
        ("many includes", "_include=Patient:organization&".repeat(10_000)),
        ("a long number", format!("birthdate=ge{}", "9".repeat(100_000))),
        ("a huge exponent", "_lastUpdated=1e999999999".into()),
    ]
}

fn fhirpath() -> Texts {
    let numbers = "(1|2|3|4|5|6|7|8|9|10)";
    let text = "('x'.replace('x','aaaaaaaaaaaaaaaa').replace('a','aaaaaaaaaaaaaaaa')\
        .replace('a','aaaaaaaaaaaaaaaa').replace('a','aaaaaaaaaaaaaaaa'))";
    let nested = |n: usize, inner: &str| {
        format!("{}{inner}{}", format!("{numbers}.select(").repeat(n), ")".repeat(n))
    };
    let mut texts = vec![
        ("deep brackets", format!("{}1{}", "(".repeat(30_000), ")".repeat(30_000))),
        ("many signs", format!("{}1", "-".repeat(60_000))),
        ("a long sum", format!("1{}", "+1".repeat(30_000))),
        ("a long path", format!("name{}", ".given".repeat(10_000))),
        ("nested loops", nested(12, "$this")),
        ("doubling", format!("name{}", ".select($this.combine($this))".repeat(40))),
        ("endless repeat", format!("{numbers}.repeat($this + 1)")),
        ("endless text", format!("{numbers}.repeat($this.toString() & 'x')")),
        ("doubled text", nested(3, "'x'").to_string() + ".aggregate($total & $total, 'x')"),
        ("text in loops", nested(5, &format!("{text}.upper()"))),
        ("text replaced in loops", nested(5, &format!("{text}.replace('a', 'b')"))),
        ("characters in loops", nested(4, &format!("{text}.toChars()"))),
        ("joined text", nested(5, "'x'").to_string() + ".join('xxxxxxxxxxxxxxxxxxxxxxxxxxxx')"),
        ("searching text", nested(5, &format!("{text}.indexOf('aaaaaaaaaaaaaaaaaaaaab')"))),
        ("huge power", "10.power(1000000)".into()),
        ("huge factor", ["9999999999999999"; 2_000].join("*")),
        ("long digits", "9".repeat(60_000)),
        ("huge rounding", "1.round(2147483647)".into()),
        ("huge boundary", "1.lowBoundary(2147483647)".into()),
        ("huge dates", "@9999-12-31 + 9223372036854775807 years".into()),
        ("distinct", format!("{}.distinct().count()", nested(5, "$this + 1"))),
        ("union", nested(5, "$this") + " | " + &nested(5, "$this")),
        ("intersect", format!("{0}.intersect({0})", nested(5, "$this.toString()"))),
        ("subset of", format!("{0}.subsetOf({0})", nested(5, "%resource.descendants().first()"))),
    ];
    for (name, pattern) in [
        ("nested stars", "(a*)*b"),
        ("nested counts", "((a{1,500}){1,500}){1,500}"),
        ("long alternatives", "(a|aa)+$"),
        ("classes", "[\\\\w\\\\d\\\\s\\\\p{L}]{1000}"),
        ("many states", ".{0,400}x"),
        ("deep groups", "((((((((((((((((((((a))))))))))))))))))))"),
    ] {
        texts.push((name, format!("{text}.matches('{pattern}')")));
        texts.push((name, nested(4, &format!("{text}.matches('{pattern}')"))));
        texts.push((name, nested(4, &format!("{text}.matches('{pattern}' & $this.toString())"))));
        texts.push((name, nested(4, &format!("{text}.replaceMatches('{pattern}', 'bbbb')"))));
    }
    let deep_group = format!("'a'.matches('{}a{}')", "(".repeat(20_000), ")".repeat(20_000));
    texts.push(("very deep groups", deep_group));
    texts
}

fn json_patch() -> Texts {
    let list = |operation: &str, times: usize| format!("[{}]", vec![operation; times].join(","));
    let doubling: Vec<_> =
        (0..60).map(|n| format!("{{\"op\":\"copy\",\"from\":\"\",\"path\":\"/c{n}\"}}")).collect();
    let long = format!("[{}0]", "0,".repeat(200_000));
    let grown = format!("{{\"op\":\"add\",\"path\":\"/a\",\"value\":{long}}}");
    let first = ",{\"op\":\"add\",\"path\":\"/a/0\",\"value\":0}".repeat(9_000);
    let tests = format!(",{{\"op\":\"test\",\"path\":\"/a\",\"value\":{long}}}").repeat(20);
    let copies = ",{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}".repeat(9_000);
    vec![
        ("doubling", format!("[{}]", doubling.join(","))),
        ("deepening", list("{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a\"}", 10_000)),
        ("many operations", list("{\"op\":\"remove\",\"path\":\"/a\"}", 100_000)),
        (
            "a long pointer",
            list(&format!("{{\"op\":\"remove\",\"path\":\"{}\"}}", "/a".repeat(500_000)), 1),
        ),
        ("insertion in front", format!("[{grown}{first}]")),
        ("many comparisons", format!("[{grown}{tests}]")),
        ("many copies", format!("[{grown}{copies}]")),
    ]
}

fn fhirpath_patch() -> Texts {
    let operation = |kind: &str, path: &str, rest: &str| {
        format!(
            "{{\"name\":\"operation\",\"part\":[{{\"name\":\"type\",\"valueCode\":\"{kind}\"}},\
             {{\"name\":\"path\",\"valueString\":\"{path}\"}}{rest}]}}"
        )
    };
    let patch = |operations: &[String]| {
        format!("{{\"resourceType\":\"Parameters\",\"parameter\":[{}]}}", operations.join(","))
    };
    let value = |value: &str| format!(",{{\"name\":\"value\",{value}}}");
    let named = |name: &str| format!(",{{\"name\":\"name\",\"valueString\":\"{name}\"}}");
    let big = value(&format!("\"valueHumanName\":{{\"family\":\"{}\"}}", "x".repeat(1_000_000)));
    let deep = value(&format!(
        "\"part\":[{}{{\"name\":\"url\",\"valueUri\":\"u\"}}{}]",
        "{\"name\":\"extension\",\"part\":[".repeat(60),
        "]}".repeat(60)
    ));
    let slow = "descendants().descendants().descendants().where(descendants().exists())";
    vec![
        ("many operations", patch(&vec![operation("delete", "Patient.active", ""); 5_000])),
        ("much text", patch(&vec![operation("add", "Patient", &(named("name") + &big)); 30])),
        ("deep parts", patch(&[operation("add", "Patient", &(named("extension") + &deep))])),
        ("slow paths", patch(&vec![operation("delete", slow, ""); 900])),
        (
            "growing lists",
            patch(&vec![
                operation(
                    "add",
                    "Patient",
                    &(named("name") + &value("\"valueHumanName\":{}"))
                );
                900
            ]),
        ),
    ]
}
