//! XML Patch (RFC 5261) on the XML form of a resource. What a patch does not touch stays as it is
//! written: operations are splices of the text.
//!
//! Offered are `add`, `replace` and `remove` of elements, attributes, text and comments, with
//! selectors as [`selector`] reads them. Processing instructions, `id()`, `ws` and the change of
//! namespace declarations are refused by name: a resource has none of them.

mod selector;
mod tree;

use std::ops::Range;

use quick_xml::escape::escape;
use selector::{Found, select};
use tree::{Fault, Node, Tree, What};

use crate::json::Value;
use crate::xml::{self, Layout};

/// The most operations that one patch may have.
pub const MAX_OPERATIONS: usize = 1_000;
/// The most bytes that the operations of one patch may read together: the text once for each.
pub const MAX_READ_BYTES: usize = 256 << 20;

/// Why a patch was not applied. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlPatchError {
    /// The document is no XML Patch.
    #[error("not an XML Patch: {0}")]
    NotAPatch(Fault),
    /// The resource cannot be written as XML.
    #[error("the resource cannot be patched as XML: {0}")]
    Target(Fault),
    /// An operation could not be carried out.
    #[error("operation {number} (`{operation}`): {fault}")]
    Failed {
        /// Which one, from 1.
        number: usize,
        /// What it was to do.
        operation: String,
        /// What is wrong.
        fault: Fault,
    },
    /// What the patch leaves is no resource.
    #[error("the patch leaves no resource behind: {0}")]
    Result(String),
}

/// Applies a patch to a resource and returns it as JSON.
pub fn apply(resource: Value<'_>, patch: &str) -> Result<String, XmlPatchError> {
    let text = xml::write(resource, Layout::Compact)
        .map_err(|fault| XmlPatchError::Target(fault.to_string().into()))?;
    let text = apply_text(text, patch)?;
    xml::read(&text).map_err(|fault| {
        // Lines and columns are those of a text that the client has never seen.
        XmlPatchError::Result(xml::XmlError { position: None, ..fault }.to_string())
    })
}

/// Checks that a text is a patch.
pub fn check(patch: &str) -> Result<(), XmlPatchError> {
    parse(patch).map(drop)
}

/// Applies a patch to any XML text.
pub fn apply_text(mut text: String, patch: &str) -> Result<String, XmlPatchError> {
    let (patch_tree, operations) = parse(patch)?;
    let mut left = MAX_READ_BYTES;
    for (number, at) in operations.into_iter().enumerate() {
        let operation = match patch_tree.node(at).map(|node| &node.what) {
            Some(What::Element { name, .. }) => name.chars().take(20).collect(),
            _ => String::new(),
        };
        let failed = |fault: Fault| XmlPatchError::Failed { number: number + 1, operation, fault };
        left = match left.checked_sub(text.len()) {
            Some(left) => left,
            None => return Err(failed("the patch is too costly; send fewer operations".into())),
        };
        let target = match Tree::parse(&text) {
            Ok(target) => target,
            Err(fault) if number == 0 => return Err(XmlPatchError::Target(fault)),
            Err(fault) => return Err(failed(fault)),
        };
        let doing = Operation { patch, tree: &patch_tree, at, target: &target };
        match doing.splice() {
            Ok((place, new)) => text.replace_range(place, &new),
            Err(fault) => return Err(failed(fault)),
        }
    }
    Ok(text)
}

/// The patch with the places of its operations.
fn parse(patch: &str) -> Result<(Tree, Vec<usize>), XmlPatchError> {
    let tree = Tree::parse(patch).map_err(XmlPatchError::NotAPatch)?;
    let mut operations = Vec::new();
    for child in tree.node(0).into_iter().flat_map(|root| &root.children) {
        match tree.node(*child).map(|node| &node.what) {
            Some(What::Element { name, .. })
                if matches!(name.as_str(), "add" | "replace" | "remove") =>
            {
                operations.push(*child);
            }
            Some(What::Element { name, .. }) => {
                let name: String = name.chars().take(40).collect();
                let fault = format!("`{name}` is not `add`, `replace` or `remove`");
                return Err(XmlPatchError::NotAPatch(fault.into()));
            }
            Some(What::Text(text)) if !text.trim().is_empty() => {
                let fault = "text stands beside the operations".into();
                return Err(XmlPatchError::NotAPatch(fault));
            }
            _ => {}
        }
    }
    if operations.is_empty() {
        return Err(XmlPatchError::NotAPatch("it has no operations".into()));
    }
    if operations.len() > MAX_OPERATIONS {
        let fault = format!("it has more than {MAX_OPERATIONS} operations");
        return Err(XmlPatchError::NotAPatch(fault.into()));
    }
    Ok((tree, operations))
}

/// One operation on one text.
struct Operation<'a> {
    patch: &'a str,
    tree: &'a Tree,
    at: usize,
    target: &'a Tree,
}

type Splice = (Range<usize>, String);

impl Operation<'_> {
    /// The place in the target and what comes there.
    fn splice(&self) -> Result<Splice, Fault> {
        let Some(Node { what: What::Element { name, attributes, .. }, .. }) =
            self.tree.node(self.at)
        else {
            return Err("not an operation".into());
        };
        let allowed: &[&str] = match name.as_str() {
            "add" => &["sel", "pos", "type"],
            _ => &["sel"],
        };
        for attribute in attributes.iter().filter(|one| !one.name.starts_with("xmlns")) {
            if !allowed.contains(&attribute.name.as_str()) {
                let name: String = attribute.name.chars().take(40).collect();
                return Err(format!("the attribute `{name}` is not offered here").into());
            }
        }
        let given = |wanted: &str| {
            let found = attributes.iter().find(|one| one.name == wanted);
            found.map(|one| one.value.trim())
        };
        let selector = given("sel").ok_or("the attribute `sel` is missing")?;
        let found = select(self.target, selector, self.tree, self.at)?;
        match name.as_str() {
            "add" => self.add(&found, given("pos"), given("type")),
            "replace" => self.replace(&found),
            _ => self.remove(&found),
        }
    }

    fn add(&self, found: &Found, pos: Option<&str>, kind: Option<&str>) -> Result<Splice, Fault> {
        let Found::Node(at) = *found else {
            return Err("nothing can be added to an attribute".into());
        };
        let node = self.target.node(at).ok_or("the selector finds nothing")?;
        if let Some(kind) = kind {
            return match pos {
                None => self.add_attribute(node, kind),
                Some(_) => Err("`pos` and `type` exclude each other".into()),
            };
        }
        if let Some("before" | "after") = pos {
            let around = node.parent.ok_or("the root element has no neighbours")?;
            let place = if pos == Some("before") { node.place.start } else { node.place.end };
            return Ok((place..place, self.content(Some(around))?));
        }
        let What::Element { inside, .. } = &node.what else {
            return Err("only an element holds others".into());
        };
        let new = self.content(Some(at))?;
        let prepends = match pos {
            None => false,
            Some("prepend") => true,
            Some(_) => return Err("`pos` is `before`, `after` or `prepend`".into()),
        };
        Ok(match inside {
            Some(inside) if prepends => (inside.start..inside.start, new),
            Some(inside) => (inside.end..inside.end, new),
            None => {
                let slash = node.place.end - "/>".len();
                (slash..node.place.end, format!(">{new}</{}>", written_name(node)))
            }
        })
    }

    /// `type="@name"`, or `type="namespace::prefix"`.
    fn add_attribute(&self, node: &Node, kind: &str) -> Result<Splice, Fault> {
        let name = match (kind.strip_prefix('@'), kind.strip_prefix("namespace::")) {
            (Some(name), _) => name.to_owned(),
            (_, Some(prefix)) => format!("xmlns:{prefix}"),
            _ => return Err("`type` is `@` and the name of an attribute".into()),
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if name.is_empty() || !name.chars().all(plain) {
            return Err("`type` is `@` and the name of an attribute".into());
        }
        let What::Element { attributes, inside, .. } = &node.what else {
            return Err("only an element has attributes".into());
        };
        if attributes.iter().any(|one| one.name == name) {
            return Err("the element has this attribute already; use `replace`".into());
        }
        let close = match inside {
            Some(inside) => inside.start - ">".len(),
            None => node.place.end - "/>".len(),
        };
        Ok((close..close, format!(" {name}=\"{}\"", escape(self.text_only()?))))
    }

    fn replace(&self, found: &Found) -> Result<Splice, Fault> {
        match *found {
            Found::Attribute(at, place) => {
                let attribute = attribute(self.target, at, place)?;
                // Either quotation mark is escaped, so that the one in use is not ended.
                Ok((attribute.inside.clone(), escape(self.text_only()?).into_owned()))
            }
            Found::Node(at) => {
                let node = self.target.node(at).ok_or("the selector finds nothing")?;
                let children = self.children();
                match &node.what {
                    What::Text(_) => {
                        let new = escape(self.text_only()?).into_owned();
                        return Ok((node.place.clone(), new));
                    }
                    What::Element { .. } => {
                        let nodes = children.iter().filter(|n| !matches!(n.what, What::Text(_)));
                        if nodes.count() != 1 {
                            return Err("an element is replaced by one element".into());
                        }
                    }
                    What::Comment if children.iter().all(|n| !matches!(n.what, What::Comment)) => {
                        return Err("a comment is replaced by a comment".into());
                    }
                    What::Comment => {}
                }
                Ok((node.place.clone(), self.content(node.parent)?.trim().to_owned()))
            }
        }
    }

    fn remove(&self, found: &Found) -> Result<Splice, Fault> {
        if !self.children().is_empty() {
            return Err("`remove` has no content".into());
        }
        match *found {
            Found::Attribute(at, place) => {
                Ok((attribute(self.target, at, place)?.place.clone(), String::new()))
            }
            Found::Node(at) => {
                let node = self.target.node(at).ok_or("the selector finds nothing")?;
                if node.parent.is_none() {
                    return Err("the root element cannot be removed".into());
                }
                Ok((node.place.clone(), String::new()))
            }
        }
    }

    fn children(&self) -> Vec<&Node> {
        let own = self.tree.node(self.at).map_or(&[][..], |node| &node.children);
        own.iter().filter_map(|child| self.tree.node(*child)).collect()
    }

    /// The content, which must be text.
    fn text_only(&self) -> Result<String, Fault> {
        if self.children().iter().any(|child| !matches!(child.what, What::Text(_))) {
            return Err("a value is plain text".into());
        }
        Ok(self.tree.value(self.at))
    }

    /// The content as it is to stand inside an element of the target.
    fn content(&self, around: Option<usize>) -> Result<String, Fault> {
        let namespace = match around.and_then(|at| self.target.node(at)).map(|node| &node.what) {
            Some(What::Element { namespace, prefix, .. }) if prefix.is_empty() => {
                Some(namespace.as_str())
            }
            _ => None,
        };
        let mut out = String::new();
        for child in self.tree.node(self.at).into_iter().flat_map(|node| &node.children) {
            self.copy(*child, namespace, &mut out)?;
        }
        Ok(out)
    }

    /// Writes a node of the patch; prefixes become default namespaces.
    fn copy(&self, at: usize, around: Option<&str>, out: &mut String) -> Result<(), Fault> {
        let Some(node) = self.tree.node(at) else { return Ok(()) };
        let What::Element { namespace, name, attributes, .. } = &node.what else {
            out.push_str(self.patch.get(node.place.clone()).unwrap_or_default());
            return Ok(());
        };
        out.push_str(&format!("<{name}"));
        if around != Some(namespace) {
            out.push_str(&format!(" xmlns=\"{}\"", escape(namespace.as_str())));
        }
        for attribute in attributes {
            if attribute.name == "xmlns" || attribute.name.starts_with("xmlns:") {
                continue;
            }
            if attribute.name.split_once(':').is_some_and(|(prefix, _)| prefix != "xml") {
                return Err("an attribute with a prefix is not offered".into());
            }
            out.push_str(self.patch.get(attribute.place.clone()).unwrap_or_default());
        }
        if node.children.is_empty() {
            out.push_str("/>");
            return Ok(());
        }
        out.push('>');
        for child in &node.children {
            self.copy(*child, Some(namespace), out)?;
        }
        out.push_str(&format!("</{name}>"));
        Ok(())
    }
}

fn attribute(tree: &Tree, at: usize, place: usize) -> Result<&tree::Attribute, Fault> {
    match tree.node(at).map(|node| &node.what) {
        Some(What::Element { attributes, .. }) => attributes.get(place),
        _ => None,
    }
    .ok_or("the selector finds nothing".into())
}

/// The name in the tags of an element.
fn written_name(node: &Node) -> String {
    match &node.what {
        What::Element { name, prefix, .. } if prefix.is_empty() => name.clone(),
        What::Element { name, prefix, .. } => format!("{prefix}:{name}"),
        _ => String::new(),
    }
}
