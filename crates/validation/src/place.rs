//! Where in a resource the walk is.

use std::fmt;

/// A step from a parent to one of its elements. Kept on the stack; a text is made of it only for
/// a finding.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    name: &'p str,
    index: Option<usize>,
    depth: usize,
}

impl<'p> Place<'p> {
    /// The resource that was given.
    pub fn root(type_name: &'p str) -> Self {
        Self { parent: None, name: type_name, index: None, depth: 0 }
    }

    /// An element below; `index` where it may repeat.
    pub fn child(&'p self, name: &'p str, index: Option<usize>) -> Place<'p> {
        Place { parent: Some(self), name, index, depth: self.depth + 1 }
    }

    /// How many steps it is from the resource.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The path without indexes, as contexts of extensions are written.
    pub fn plain(&self) -> String {
        match self.parent {
            Some(parent) => format!("{}.{}", parent.plain(), self.name),
            None => self.name.to_owned(),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}
