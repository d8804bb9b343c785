//! Expressions come from outside: whatever they are, parsing and evaluation end, soon and without
//! a panic.

use consilium_fhirpath::{Env, EvalError, Expr};
use fhir::Resource;
use proptest::prelude::*;

fn patient() -> Resource {
    let text = r#"{"resourceType":"Patient","active":true,"birthDate":"1974-12","name":[
        {"family":"A","given":["B","C"]},{"family":"D","_given":[{"id":"x"}]}],
        "extension":[{"url":"u","valueQuantity":{"value":1.5,"unit":"g"}}]}"#;
    Resource::parse(text).unwrap()
}

fn check(text: &str, expected: &str) {
    let resource = patient();
    let env = Env::new(0).with_resource(&resource);
    let found = match Expr::parse(text) {
        Ok(expr) => match expr.evaluate_resource(&env) {
            Ok(items) => format!("{} items", items.len()),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{}", &text[..text.len().min(80)]);
}

#[test]
fn faults_say_where_and_what() {
    for (text, expected) in [
        ("name.", "line 1, column 6: a value was expected"),
        ("name.\n  where(", "line 2, column 9: a value was expected"),
        ("name.fly()", "line 1, column 6: there is no function `fly`"),
        ("name.where()", "line 1, column 13: `where` has the wrong number of arguments"),
        ("'x", "line 1, column 1: the text is not closed"),
        ("@2020-13", "line 1, column 1: not a valid date or time"),
        ("'a'.matches('(')", "line 1, column 17: not a valid regular expression"),
        ("name = 1 2", "line 1, column 10: unexpected text after the expression"),
        ("%unknown", "there is no variable `%unknown`"),
        ("name.single()", "`single` takes one item, not several"),
        ("name as Nothing", "there is no type `Nothing`"),
        ("active + 1", "`+` does not take `System.Integer`"),
        ("name.memberOf('x')", "`memberOf` is not supported"),
    ] {
        check(text, expected);
    }
}

#[test]
fn nesting_is_limited() {
    let deep = "line 1, column 201: the expression is nested too deeply";
    check(&format!("{}1{}", "(".repeat(5000), ")".repeat(5000)), deep);
    check(&format!("{}1", "-".repeat(5000)), deep);
    let within =
        |n: usize, open: &str, close: &str| format!("{}true{}", open.repeat(n), close.repeat(n));
    check(&within(60, "iif(true, ", ")"), "1 items");
    check(&within(60, "true.select(", ")"), "1 items");
    check(&format!("1{}", "+1".repeat(190)), "1 items");
    let long = Expr::parse(&format!("1{}", "+1".repeat(5000))).unwrap_err();
    assert_eq!(long.reason, "the expression is nested too deeply");
    let long = Expr::parse(&" ".repeat(100_000)).unwrap_err();
    assert_eq!(long.reason, "the expression is longer than 64 KiB");
}

#[test]
fn work_is_limited() {
    let resource = patient();
    let env = Env::new(0).with_resource(&resource);
    let doubled = format!("name{}", ".select($this.combine($this))".repeat(40));
    let numbers = "(1|2|3|4|5|6|7|8|9)";
    let endless = format!("{numbers}.repeat($this + 1)");
    let nested = format!("{numbers}{}", format!(".select({numbers})").repeat(12));
    for text in
        [doubled, endless, nested, format!("'x'{}", ".replace('x','xxxxxxxxxx')".repeat(12))]
    {
        let expr = Expr::parse(&text).unwrap();
        assert_eq!(expr.evaluate_resource(&env).unwrap_err(), EvalError::TooLarge, "{text}");
    }
}

#[test]
fn patterns_cost_what_they_take() {
    let resource = patient();
    let env = Env::new(0).with_resource(&resource);
    let text = |length: usize| format!("'{}'", "a".repeat(length));
    let nested = |times: usize, inner: &str| {
        let numbers = "(1|2|3|4|5|6|7|8|9)";
        format!("{}{inner}{}", format!("{numbers}.select(").repeat(times), ")".repeat(times))
    };
    let hostile = [
        // Many states that a byte of text may be in at once, and no automaton that is small.
        nested(4, &format!("{}.matches('(a|b)*a(a|b){{300}}c')", text(2_000))),
        // Every match is looked for as far as the end.
        format!("{}.replaceMatches('a.*z|a', 'b')", text(50_000)),
        // Patterns that are made anew each time.
        nested(4, "'a'.matches('[a-z]{100}' & $this.toString())"),
    ];
    for text in &hostile {
        let expr = Expr::parse(text).unwrap();
        let start = std::time::Instant::now();
        assert_eq!(expr.evaluate_resource(&env).unwrap_err(), EvalError::TooLarge, "{text:.80}");
        eprintln!("{:?} {text:.80}", start.elapsed());
    }
    // What is usual stays well within.
    let words = "Lorem ipsum dolor  sit amet ".repeat(70);
    for usual in [
        format!("'{words}'.replaceMatches('\\\\s+', ' ')"),
        format!("'{words}'.replaceMatches('(\\\\w+) (\\\\w+)', '$2 $1')"),
        format!("{}.matches('^[A-Za-z0-9+/=]*$')", text(60_000)),
    ] {
        check(&usual, "1 items");
    }
    let many = format!("true{}", " or 'a'.matches('\\\\w{10}')".repeat(150));
    let error = Expr::parse(&many).unwrap_err();
    assert_eq!(error.reason, "the regular expressions of the expression are too large");
}

/// Pieces that fit together often enough to get past the parser.
const PIECES: [&str; 48] = [
    "name",
    "given",
    "family",
    "active",
    "birthDate",
    "extension",
    "value",
    "Patient",
    "$this",
    "$index",
    "%resource",
    "1",
    "2.50",
    "-",
    "'a'",
    "'1 g'",
    "@2020-02",
    "@T10:00",
    "@2020T",
    "4 days",
    "1 'mg'",
    "{}",
    "true",
    ".",
    ".",
    ".",
    ".",
    "(",
    ")",
    " | ",
    " = ",
    " ~ ",
    " + ",
    " * ",
    " / ",
    " and ",
    " is ",
    " as ",
    "Quantity",
    " > ",
    "where(",
    "select(",
    "first()",
    "toString()",
    "toQuantity()",
    "lowBoundary()",
    "descendants()",
    "[0]",
];

proptest! {
    #[test]
    fn any_expression_ends_without_panic(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 1..14),
        noise in "[a-zA-Z0-9$%@'`.()|&<>=~!+*/ {}\\[\\],:\\\\-]{0,20}",
    ) {
        let resource = patient();
        let plain = pieces.concat();
        let open = plain.matches('(').count().saturating_sub(plain.matches(')').count());
        let closed = format!("{plain}{}", ")".repeat(open));
        for text in [closed, format!("{plain}{noise}"), noise] {
            if let Ok(expr) = Expr::parse(&text) {
                for env in [Env::new(0), Env::new(0).strict()] {
                    let _ = expr.evaluate_resource(&env.with_resource(&resource));
                }
            }
        }
    }
}
