//! JSON laid out for people. Only white space between tokens changes: names, strings and digits
//! stay as they are written.

use crate::json::{Kind, Value};

/// Lays a value out: one member or item a line, indented by two spaces a level, `": "` behind
/// names. Empty arrays and objects stay on one line.
pub fn pretty(value: Value<'_>) -> String {
    let mut out = String::with_capacity(value.raw().len() * 3 / 2);
    write(value, 0, &mut out);
    out
}

fn write(value: Value<'_>, level: usize, out: &mut String) {
    let (open, close) = match value.kind() {
        Kind::Object => ('{', '}'),
        Kind::Array => ('[', ']'),
        _ => return out.push_str(value.raw()),
    };
    out.push(open);
    let mut empty = true;
    let mut next = |out: &mut String| {
        if !std::mem::take(&mut empty) {
            out.push(',');
        }
        line(level + 1, out);
    };
    for item in value.items() {
        next(out);
        write(item, level + 1, out);
    }
    for member in value.members() {
        next(out);
        out.push_str(member.raw_name());
        out.push_str(": ");
        write(member.value, level + 1, out);
    }
    if !empty {
        line(level, out);
    }
    out.push(close);
}

fn line(level: usize, out: &mut String) {
    out.push('\n');
    for _ in 0..level {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Document;

    #[test]
    fn changes_white_space_and_nothing_else() {
        let text = r#" {"a" :[1.50, {}, [ ]],"b\u0041":{"c":"x\/y" , "d":-0.0e1}} "#;
        let document = Document::parse(text).unwrap();
        let expected = "{\n  \"a\": [\n    1.50,\n    {},\n    []\n  ],\n  \"b\\u0041\": {\n    \"c\": \
                        \"x\\/y\",\n    \"d\": -0.0e1\n  }\n}";
        assert_eq!(pretty(document.root()), expected);
        let again = Document::parse(expected).unwrap();
        assert_eq!(pretty(again.root()), expected);
        let packed = |text: &str| text.replace([' ', '\n'], "");
        assert_eq!(packed(expected), packed(text));
    }
}
