//! JSON Patch: what the published suite leaves out.

use consilium_fhir::Document;
use consilium_fhir::patch::json::apply;

fn check(document: &str, patch: &str, expected: &str) {
    let (document, patch) = (Document::parse(document).unwrap(), Document::parse(patch).unwrap());
    let found = apply(&document, &patch).unwrap_or_else(|error| error.to_string());
    assert!(found == expected, "{found:.300}\nnot {expected}\nby {:.300}", patch.text());
}

fn op(operation: &str) -> String {
    format!("[{{{operation}}}]")
}

#[test]
fn digits_escapes_and_space_stay() {
    check(
        "{ \"a\" : [1.50, 1e2,\n \"\\u0041\"], \"b\":{ \"c\" : 1.0 } }",
        &op(r#""op":"add","path":"/b/d","value":2.000"#),
        "{\"a\":[1.50, 1e2,\n \"\\u0041\"],\"b\":{\"c\":1.0,\"d\":2.000}}",
    );
    check(" {\"a\": 1.0}", "[]", " {\"a\": 1.0}");
    check("{\"a\":1.0}", &op(r#""op":"test","path":"/a","value":1"#), "{\"a\":1.0}");
}

#[test]
fn members_keep_their_place() {
    check(
        r#"{"a":1,"b":2,"c":3}"#,
        &op(r#""op":"replace","path":"/b","value":[]"#),
        r#"{"a":1,"b":[],"c":3}"#,
    );
    check(r#"{"a":{"x":1},"b":2}"#, &op(r#""op":"add","path":"/a","value":0"#), r#"{"a":0,"b":2}"#);
    check(
        r#"{"a":[1,2,3]}"#,
        &op(r#""op":"move","from":"/a/0","path":"/a/-""#),
        r#"{"a":[2,3,1]}"#,
    );
    check(
        r#"{"a":[1]}"#,
        &op(r#""op":"copy","from":"","path":"/b""#),
        r#"{"a":[1],"b":{"a":[1]}}"#,
    );
    check(r#"{"a":1}"#, &op(r#""op":"move","from":"/a","path":"/a""#), r#"{"a":1}"#);
    check(r#"{"a":1}"#, &op(r#""op":"add","path":"","value":[2]"#), "[2]");
}

#[test]
fn faults_are_named_and_nothing_happens() {
    let document = r#"{"a":[1,{"b":2}],"c":"x"}"#;
    for (patch, expected) in [
        ("{}", "not a JSON Patch: a patch is an array of operations"),
        ("[1]", "not a JSON Patch: operation 1: must be an object"),
        (
            r#"[{"path":"/a"}]"#,
            "not a JSON Patch: operation 1: `op` is missing, or is not a string",
        ),
        (
            r#"[{"op":"ADD","path":"/a","value":1}]"#,
            "not a JSON Patch: operation 1: `op` must be `add`, `remove`, `replace`, `move`, `copy` or `test`",
        ),
        (r#"[{"op":"add","path":"/a"}]"#, "not a JSON Patch: operation 1: `value` is missing"),
        (
            r#"[{"op":"add","path":"a","value":1}]"#,
            "not a JSON Patch: operation 1: `path` is not a JSON Pointer",
        ),
        (
            r#"[{"op":"move","path":"/a"}]"#,
            "not a JSON Patch: operation 1: `from` is missing, or is not a string",
        ),
        (
            r#"[{"op":"remove","path":"/c"},{"op":"remove","path":"/c"}]"#,
            "operation 2 (`remove` at `/c`): there is nothing at this path",
        ),
        (
            r#"[{"op":"remove","path":""}]"#,
            "operation 1 (`remove` at ``): the whole document cannot be removed",
        ),
        (
            r#"[{"op":"replace","path":"/a/2","value":1}]"#,
            "operation 1 (`replace` at `/a/2`): there is nothing at this path",
        ),
        (
            r#"[{"op":"add","path":"/a/3","value":1}]"#,
            "operation 1 (`add` at `/a/3`): not a place in the array",
        ),
        (
            r#"[{"op":"add","path":"/a/01","value":1}]"#,
            "operation 1 (`add` at `/a/01`): not a place in the array",
        ),
        (
            r#"[{"op":"add","path":"/c/d","value":1}]"#,
            "operation 1 (`add` at `/c/d`): nothing at this path can hold a value",
        ),
        (
            r#"[{"op":"move","from":"/a","path":"/a/0"}]"#,
            "operation 1 (`move` at `/a/0`): a value cannot be moved into itself",
        ),
        (
            r#"[{"op":"copy","from":"/d","path":"/e"}]"#,
            "operation 1 (`copy` at `/e`): there is nothing at `from`",
        ),
        (
            r#"[{"op":"test","path":"/a/1","value":{"b":"2"}}]"#,
            "operation 1 (`test` at `/a/1`): the value is not the one that is expected",
        ),
    ] {
        check(document, patch, expected);
    }
}

#[test]
fn work_is_bounded() {
    let doubling: Vec<_> =
        (0..40).map(|n| format!(r#"{{"op":"copy","from":"","path":"/c{n}"}}"#)).collect();
    let document = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
    check(
        &document,
        &format!("[{}]", doubling.join(",")),
        "operation 17 (`copy` at `/c16`): the patch walks, adds or compares too much",
    );
    let deeper = r#"{"op":"copy","from":"","path":"/a"}"#;
    let deep = vec![deeper; 200].join(",");
    check(
        r#"{"a":{}}"#,
        &format!("[{deep}]"),
        "operation 127 (`copy` at `/a`): the result would be nested more than 128 levels deep",
    );
    let many = vec![r#"{"op":"test","path":"/a","value":1}"#; 10_001].join(",");
    check("{\"a\":1}", &format!("[{many}]"), "not a JSON Patch: more than 10000 operations");
    let long = format!("{{\"a\":[{}0]}}", "0,".repeat(200_000));
    let first = vec![r#"{"op":"add","path":"/a/0","value":1}"#; 1_000].join(",");
    check(
        &long,
        &format!("[{first}]"),
        "operation 500 (`add` at `/a/0`): the patch walks, adds or compares too much",
    );
}
