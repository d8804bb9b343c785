//! `htmlChecks()`: whether a narrative keeps to the permitted part of XHTML (FHIR R4, Narrative:
//! rules txt-1 and txt-2).

const ELEMENTS: [&str; 63] = [
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
    "kbd",
    "address",
    "del",
    "ins",
    "bdo",
    "area",
    "map",
    "label",
    "legend",
    "fieldset",
    "s",
    "strike",
    "u",
    "center",
    "font",
];

const ATTRIBUTES: [&str; 43] = [
    "title",
    "style",
    "class",
    "id",
    "lang",
    "xml:lang",
    "xml:space",
    "dir",
    "accesskey",
    "tabindex",
    "span",
    "width",
    "align",
    "valign",
    "char",
    "charoff",
    "abbr",
    "axis",
    "headers",
    "scope",
    "rowspan",
    "colspan",
    "href",
    "hreflang",
    "name",
    "rel",
    "rev",
    "shape",
    "coords",
    "type",
    "src",
    "alt",
    "longdesc",
    "height",
    "border",
    "summary",
    "cellspacing",
    "cellpadding",
    "frame",
    "rules",
    "bgcolor",
    "cite",
    "datetime",
];

/// Whether the text is one `div` with some content, made of permitted elements and attributes
/// only, properly nested.
pub fn is_sound(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut content = false;
    let mut ended = false;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else { return false };
        let (before, tag) = rest.split_at(at);
        let blank = before.trim().is_empty();
        if ended || open.is_empty() && !blank {
            return false;
        }
        content |= !blank;
        if let Some(comment) = tag.strip_prefix("<!--") {
            let Some(end) = comment.find("-->") else { return false };
            rest = comment.get(end + 3..).unwrap_or_default();
            continue;
        }
        let Some(end) = tag_end(tag) else { return false };
        let inner = tag.get(1..end).unwrap_or_default();
        rest = tag.get(end + 1..).unwrap_or_default();
        if let Some(name) = inner.strip_prefix('/') {
            if open.pop() != Some(name.trim_end()) {
                return false;
            }
            ended = open.is_empty();
            continue;
        }
        let (inner, closed) = match inner.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let end = inner.find(char::is_whitespace).unwrap_or(inner.len());
        let (name, attributes) = inner.split_at(end);
        let permitted = ELEMENTS.contains(&name) && are_permitted(attributes);
        if !permitted || open.is_empty() && name != "div" {
            return false;
        }
        content |= name == "img";
        if !closed {
            open.push(name);
        } else if open.is_empty() {
            return false;
        }
    }
    ended && content
}

/// Where a tag ends, quotes respected.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

/// Whether all attributes are written properly, permitted and without script.
fn are_permitted(attributes: &str) -> bool {
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else { return false };
        let (name, after) = (name.trim(), after.trim_start());
        let Some(quote) = after.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return false;
        };
        let Some((value, next)) = after.get(1..).and_then(|after| after.split_once(quote)) else {
            return false;
        };
        let namespace = name == "xmlns" || name.starts_with("xmlns:");
        let script = value.trim_start().to_ascii_lowercase().starts_with("javascript:");
        if script || !(namespace || ATTRIBUTES.contains(&name)) {
            return false;
        }
        rest = next.trim_start();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_harmless_narratives() {
        for good in [
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x <b>y</b><br/></p></div>",
            "<div><!-- note --><img src='#pic' alt='a > b'/></div>",
        ] {
            assert!(is_sound(good), "{good}");
        }
        for bad in [
            "",
            "text",
            "<div/>",
            "<div> </div>",
            "<p>x</p>",
            "<div>x",
            "<div><p>x</div></p>",
            "<div>x</div><div>y</div>",
            "<div><script>x</script></div>",
            "<div onclick=\"x\">x</div>",
            "<div><a href=\"javascript:x()\">x</a></div>",
            "<div><a href=x>x</a></div>",
        ] {
            assert!(!is_sound(bad), "{bad}");
        }
    }
}
