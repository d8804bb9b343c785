//! JSON Patch (RFC 6902), without loss: digits, and all that a patch does not touch, stay as they
//! are written.

use std::borrow::Cow;

use super::equality::equal;
use super::pointer::{Pointer, index};
use crate::json::{Document, Kind, MAX_DEPTH, Value};
use crate::tree::Tree;

/// The most operations that one patch may have.
pub const MAX_OPERATIONS: usize = 10_000;
/// The most bytes that the operations of one patch may add and compare together.
pub const MAX_ADDED_BYTES: usize = 64 << 20;
/// The most members and items that the operations of one patch may walk past together.
pub const MAX_STEPS: usize = 100_000_000;

/// Why a patch was not applied. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The document is no JSON Patch.
    #[error("not a JSON Patch: {0}")]
    NotAPatch(Cow<'static, str>),
    /// An operation could not be carried out.
    #[error("operation {number} (`{operation}` at `{path}`): {fault}")]
    Failed {
        /// Which one, from 1.
        number: usize,
        /// What it was to do.
        operation: &'static str,
        /// Where, as the patch says it.
        path: String,
        /// What is wrong.
        fault: PatchFault,
    },
}

/// What is wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchFault {
    /// The path leads nowhere.
    #[error("there is nothing at this path")]
    NoTarget,
    /// The `from` leads nowhere.
    #[error("there is nothing at `from`")]
    NoSource,
    /// What should hold the value is neither an array nor an object, or is missing.
    #[error("nothing at this path can hold a value")]
    NoHolder,
    /// No place of the array.
    #[error("not a place in the array")]
    NoPlace,
    /// `test` found another value.
    #[error("the value is not the one that is expected")]
    TestFailed,
    /// A value cannot be moved into itself.
    #[error("a value cannot be moved into itself")]
    IntoItself,
    /// Removing everything leaves no document.
    #[error("the whole document cannot be removed")]
    WholeDocument,
    /// The result would be nested too deeply.
    #[error("the result would be nested more than 128 levels deep")]
    TooDeep,
    /// The patch is too much work.
    #[error("the patch walks, adds or compares too much")]
    TooLarge,
}

enum Operation<'a> {
    Add(Value<'a>),
    Remove,
    Replace(Value<'a>),
    Move(Pointer),
    Copy(Pointer),
    Test(Value<'a>),
}

/// Applies a patch and returns the text of the result. Either every operation is carried out, or
/// none. Any JSON document can be patched; that the result still is a resource, of the same type
/// and id, is for the caller to see to.
pub fn apply(document: &Document, patch: &Document) -> Result<String, PatchError> {
    let operations = patch.root();
    if operations.kind() != Kind::Array {
        return Err(PatchError::NotAPatch("a patch is an array of operations".into()));
    }
    if operations.items().nth(MAX_OPERATIONS).is_some() {
        return Err(PatchError::NotAPatch("more than 10000 operations".into()));
    }
    // All operations are read before the first is carried out.
    let read = operations
        .items()
        .enumerate()
        .map(|(at, value)| operation(value).map_err(|reason| not_a_patch(at + 1, &reason)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut work =
        Work { root: Tree::Written(document.root()), budget: MAX_ADDED_BYTES, steps: MAX_STEPS };
    for (at, (text, path, operation)) in read.into_iter().enumerate() {
        let name = operation.name();
        work.carry_out(&path, operation).map_err(|fault| PatchError::Failed {
            number: at + 1,
            operation: name,
            path: text.into_owned(),
            fault,
        })?;
    }
    Ok(match work.root {
        Tree::Written(root) if std::ptr::eq(root.document(), document) => {
            document.text().to_owned()
        }
        changed => changed.to_text(),
    })
}

fn not_a_patch(number: usize, reason: &str) -> PatchError {
    PatchError::NotAPatch(format!("operation {number}: {reason}").into())
}

type Read<'a> = (Cow<'a, str>, Pointer, Operation<'a>);

fn operation(value: Value<'_>) -> Result<Read<'_>, Cow<'static, str>> {
    if value.kind() != Kind::Object {
        return Err("must be an object".into());
    }
    let text = |name: &str| {
        value.str_at(name).ok_or_else(|| format!("`{name}` is missing, or is not a string"))
    };
    let pointer = |name: &str| {
        let text = text(name)?;
        Pointer::parse(&text).ok_or_else(|| format!("`{name}` is not a JSON Pointer"))
    };
    let given = || value.get("value").ok_or("`value` is missing");
    let op = text("op")?;
    let path = pointer("path")?;
    let operation = match op.as_ref() {
        "add" => Operation::Add(given()?),
        "remove" => Operation::Remove,
        "replace" => Operation::Replace(given()?),
        "move" => Operation::Move(pointer("from")?),
        "copy" => Operation::Copy(pointer("from")?),
        "test" => Operation::Test(given()?),
        _ => {
            return Err("`op` must be `add`, `remove`, `replace`, `move`, `copy` or `test`".into());
        }
    };
    Ok((text("path")?, path, operation))
}

impl Operation<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Remove => "remove",
            Self::Replace(_) => "replace",
            Self::Move(_) => "move",
            Self::Copy(_) => "copy",
            Self::Test(_) => "test",
        }
    }
}

/// A document in the course of being patched.
struct Work<'a> {
    root: Tree<'a>,
    /// Bytes that may still be added or compared.
    budget: usize,
    /// Members and items that may still be walked past.
    steps: usize,
}

type Done<T = ()> = Result<T, PatchFault>;

impl<'a> Work<'a> {
    fn carry_out(&mut self, path: &Pointer, operation: Operation<'a>) -> Done {
        match operation {
            Operation::Add(value) => self.add(path, Tree::Written(value)),
            Operation::Remove => self.remove(path, PatchFault::NoTarget).map(|_| ()),
            Operation::Replace(value) => {
                self.charge(path, &Tree::Written(value))?;
                *self.find(path.names(), PatchFault::NoTarget)? = Tree::Written(value);
                Ok(())
            }
            Operation::Move(from) => {
                if from.holds(path) {
                    return Err(PatchFault::IntoItself);
                }
                if from == *path {
                    return self.find(path.names(), PatchFault::NoSource).map(|_| ());
                }
                let value = self.remove(&from, PatchFault::NoSource)?;
                self.add(path, value)
            }
            Operation::Copy(from) => {
                let value = self.find(from.names(), PatchFault::NoSource)?.clone();
                self.add(path, value)
            }
            Operation::Test(expected) => self.test(path, expected),
        }
    }

    /// Counts the work of putting a value at a path, and refuses what would nest too deeply.
    fn charge(&mut self, path: &Pointer, value: &Tree<'_>) -> Done {
        let (depth, bytes) = value.measure();
        if path.names().len() + depth > MAX_DEPTH {
            return Err(PatchFault::TooDeep);
        }
        self.budget = self.budget.checked_sub(bytes).ok_or(PatchFault::TooLarge)?;
        Ok(())
    }

    fn add(&mut self, path: &Pointer, value: Tree<'a>) -> Done {
        self.charge(path, &value)?;
        let Some((holder, name)) = path.split() else {
            self.root = value;
            return Ok(());
        };
        let holder = self.holder(holder, PatchFault::NoHolder)?;
        if let Some(items) = holder.items_mut() {
            let at = if name == "-" { Some(items.len()) } else { index(name) };
            let at = at.filter(|&at| at <= items.len()).ok_or(PatchFault::NoPlace)?;
            items.insert(at, value);
            return Ok(());
        }
        if holder.set(name.to_owned().into(), value) { Ok(()) } else { Err(PatchFault::NoHolder) }
    }

    fn remove(&mut self, path: &Pointer, missing: PatchFault) -> Done<Tree<'a>> {
        let Some((holder, name)) = path.split() else { return Err(PatchFault::WholeDocument) };
        let holder = self.holder(holder, missing)?;
        if let Some(items) = holder.items_mut() {
            let at = index(name).filter(|&at| at < items.len()).ok_or(missing)?;
            return Ok(items.remove(at));
        }
        holder.take(name).ok_or(missing)
    }

    fn test(&mut self, path: &Pointer, expected: Value<'a>) -> Done {
        let found = self.find(path.names(), PatchFault::NoTarget)?;
        let (_, bytes) = found.measure();
        let same = match found {
            Tree::Written(value) => equal(*value, expected),
            changed => {
                let document =
                    Document::parse(changed.to_text()).map_err(|_| PatchFault::TooDeep)?;
                equal(document.root(), expected)
            }
        };
        self.budget = self.budget.checked_sub(bytes).ok_or(PatchFault::TooLarge)?;
        if same { Ok(()) } else { Err(PatchFault::TestFailed) }
    }

    /// Follows a pointer, and counts what it walks past.
    fn find(&mut self, names: &[String], missing: PatchFault) -> Done<&mut Tree<'a>> {
        let steps = &mut self.steps;
        names.iter().try_fold(&mut self.root, |tree, name| {
            *steps = steps.checked_sub(length(tree)).ok_or(PatchFault::TooLarge)?;
            let inner = match tree.kind() {
                Kind::Array => {
                    index(name).and_then(|at| tree.items_mut().and_then(|items| items.get_mut(at)))
                }
                Kind::Object => tree.get_mut(name),
                _ => None,
            };
            inner.ok_or(missing)
        })
    }

    /// Follows a pointer to what holds a value, which is about to be walked through.
    fn holder(&mut self, names: &[String], missing: PatchFault) -> Done<&mut Tree<'a>> {
        let length = length(self.find(names, missing)?);
        self.steps = self.steps.checked_sub(length).ok_or(PatchFault::TooLarge)?;
        self.find(names, missing)
    }
}

/// How many members or items a value has, among which one is looked for.
fn length(tree: &mut Tree<'_>) -> usize {
    match tree.kind() {
        Kind::Array => tree.items_mut().map_or(0, |items| items.len()),
        Kind::Object => tree.members_mut().map_or(0, |members| members.len()),
        _ => 0,
    }
}
