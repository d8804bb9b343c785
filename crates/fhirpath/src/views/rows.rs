//! The rows of one resource.
//!
//! Selects that stand side by side are cross joined by walking: each row of the first is completed
//! with each row of the rest in turn, in one buffer. Nothing is collected, so a product of large
//! lists costs time, which is bounded, and no memory.

use std::cell::Cell as Count;
use std::ops::ControlFlow;

use fhir::Resource;

use super::cell::{Cell, write_row};
use super::tree::Several;
use super::{Iterate, Joined, Path, Select, View};
use crate::item::{Item, Node};
use crate::{Env, EvalError, Expr, MAX_ITEMS};

/// The most expressions evaluated and rows made for one resource.
pub const MAX_STEPS: u64 = 1_000_000;

/// Why a resource could not be turned into rows. Messages never hold content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A path could not be evaluated.
    #[error("{0}")]
    Path(#[from] EvalError),
    /// Several values where the column holds one.
    #[error("the column `{0}` has several values; set `collection`, or take one of them")]
    Several(String),
    /// A value that no table can hold.
    #[error("the column `{0}` has a value that cannot be shown in a table")]
    NoCell(String),
    /// A condition that is neither true nor false.
    #[error("a path in `where` must be true, false or empty")]
    NotBoolean,
    /// More than [`MAX_STEPS`].
    #[error("one resource makes too many rows with this view")]
    TooLarge,
}

/// An early end: a fault, or whoever takes the rows wants no more.
enum Stop {
    Fault(RowError),
    Enough,
}

impl<E: Into<RowError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

type Walked = Result<(), Stop>;
/// Where a row goes on from a point of the walk.
type Next<'n, 'a> = dyn FnMut(&mut [Cell<'a>]) -> Walked + 'n;

impl View {
    /// Hands the rows of a resource to `take` one after the other, until it breaks; nothing for a
    /// resource of another type or one that the view's conditions leave out. `now_ms` is the time
    /// for `now()` and its kin, in milliseconds since the Unix epoch.
    pub fn rows<'a>(
        &'a self,
        resource: &'a Resource,
        now_ms: i64,
        take: &mut dyn FnMut(&[Cell<'a>]) -> ControlFlow<()>,
    ) -> Result<(), RowError> {
        if resource.type_name() != self.resource_type {
            return Ok(());
        }
        let Some(root) = Node::resource(resource.root()) else { return Ok(()) };
        let env = Env::new(now_ms).with_resource(resource).at_row(0);
        let focus = Item::Node(root);
        for condition in &self.conditions {
            if !holds(condition, &env, &focus)? {
                return Ok(());
            }
        }
        let walk = Walk { view: self, steps: Count::new(0) };
        let mut row = vec![Cell::Null; self.columns.len()];
        let done =
            walk.selects(&self.selects, &focus, &env, &mut row, &mut |row| match take(row) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Stop::Enough),
            });
        match done {
            Ok(()) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Fault(error)) => Err(error),
        }
    }

    /// The names of the columns in JSON form, for [`View::write_row`].
    pub fn json_names(&self) -> Vec<String> {
        self.columns.iter().map(|column| fhir::json::quote(&column.name)).collect()
    }

    /// Appends a row as a JSON object.
    pub fn write_row(names: &[String], row: &[Cell<'_>], out: &mut String) {
        write_row(names, row, out);
    }
}

fn holds<'a>(condition: &'a Expr, env: &Env<'a>, focus: &Item<'a>) -> Result<bool, RowError> {
    match condition.evaluate(env, std::slice::from_ref(focus))?.as_slice() {
        [] => Ok(false),
        [item] => item.as_boolean().ok_or(RowError::NotBoolean),
        _ => Err(RowError::NotBoolean),
    }
}

struct Walk<'a> {
    view: &'a View,
    steps: Count<u64>,
}

impl<'a> Walk<'a> {
    fn charge(&self) -> Walked {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS { Err(RowError::TooLarge.into()) } else { Ok(()) }
    }

    fn evaluate(
        &self,
        path: &'a Expr,
        env: &Env<'a>,
        focus: &Item<'a>,
    ) -> Result<Vec<Item<'a>>, Stop> {
        self.charge()?;
        Ok(path.evaluate(env, std::slice::from_ref(focus))?)
    }

    /// Joins selects that stand side by side.
    fn selects(
        &self,
        selects: &'a [Select],
        focus: &Item<'a>,
        env: &Env<'a>,
        row: &mut [Cell<'a>],
        next: &mut Next<'_, 'a>,
    ) -> Walked {
        match selects.split_first() {
            None => {
                self.charge()?;
                next(row)
            }
            Some((first, rest)) => self.select(first, focus, env, row, &mut |row| {
                self.selects(rest, focus, env, row, next)
            }),
        }
    }

    /// The rows of one select at one place.
    fn select(
        &self,
        select: &'a Select,
        focus: &Item<'a>,
        env: &Env<'a>,
        row: &mut [Cell<'a>],
        next: &mut Next<'_, 'a>,
    ) -> Walked {
        let foci = match &select.iterate {
            Iterate::Once => return self.at(select, focus, env, row, next),
            Iterate::Each(path) => self.evaluate(path, env, focus)?,
            Iterate::EachOrNull(path) => {
                let foci = self.evaluate(path, env, focus)?;
                if foci.is_empty() {
                    return self.null_row(select, row, next);
                }
                foci
            }
            Iterate::Repeat(paths) => self.descend(paths, env, focus)?,
        };
        for (index, focus) in foci.iter().enumerate() {
            self.at(select, focus, &env.at_row(index), row, next)?;
        }
        Ok(())
    }

    /// The row of an iteration that found nothing: null, and 0 where the place is counted.
    fn null_row(&self, select: &Select, row: &mut [Cell<'a>], next: &mut Next<'_, 'a>) -> Walked {
        self.charge()?;
        if let Some(cells) = row.get_mut(select.places.clone()) {
            cells.fill(Cell::Null);
        }
        for place in &select.numbered {
            if let Some(cell) = row.get_mut(*place) {
                *cell = Cell::Number("0".into());
            }
        }
        next(row)
    }

    /// Depth first: each child found is followed at once by what lies below it.
    fn descend(
        &self,
        paths: &'a [Expr],
        env: &Env<'a>,
        root: &Item<'a>,
    ) -> Result<Vec<Item<'a>>, Stop> {
        let mut found = Vec::new();
        let mut waiting = self.children(paths, env, root)?;
        waiting.reverse();
        while let Some(item) = waiting.pop() {
            let mut below = self.children(paths, env, &item)?;
            found.push(item);
            below.reverse();
            waiting.extend(below);
            if found.len() + waiting.len() > MAX_ITEMS {
                return Err(RowError::TooLarge.into());
            }
        }
        Ok(found)
    }

    fn children(
        &self,
        paths: &'a [Expr],
        env: &Env<'a>,
        item: &Item<'a>,
    ) -> Result<Vec<Item<'a>>, Stop> {
        let mut found = Vec::new();
        for path in paths {
            found.extend(self.evaluate(path, env, item)?);
        }
        Ok(found)
    }

    /// The rows of a select for one item: its own columns, joined with what is nested in it.
    fn at(
        &self,
        select: &'a Select,
        focus: &Item<'a>,
        env: &Env<'a>,
        row: &mut [Cell<'a>],
        next: &mut Next<'_, 'a>,
    ) -> Walked {
        let one_by_one = match focus {
            Item::Node(node) => {
                self.steps.set(self.steps.get() + select.plain.steps());
                self.charge()?;
                let several = |several: Several| RowError::Several(self.name(several.place));
                select.plain.fill(*node, row).map_err(several)?;
                &[]
            }
            _ => select.plain_paths.as_slice(),
        };
        for path in one_by_one.iter().chain(&select.columns) {
            let cell = self.cell(path, env, focus)?;
            if let Some(place) = row.get_mut(path.place) {
                *place = cell;
            }
        }
        self.joined(&select.joined, focus, env, row, next)
    }

    fn joined(
        &self,
        joined: &'a [Joined],
        focus: &Item<'a>,
        env: &Env<'a>,
        row: &mut [Cell<'a>],
        next: &mut Next<'_, 'a>,
    ) -> Walked {
        let Some((first, rest)) = joined.split_first() else {
            self.charge()?;
            return next(row);
        };
        let mut rest = |row: &mut [Cell<'a>]| self.joined(rest, focus, env, row, next);
        match first {
            Joined::Select(select) => self.select(select, focus, env, row, &mut rest),
            Joined::Union(branches) => {
                for branch in branches {
                    self.select(branch, focus, env, row, &mut rest)?;
                }
                Ok(())
            }
        }
    }

    fn name(&self, place: usize) -> String {
        self.view.columns.get(place).map(|column| column.name.clone()).unwrap_or_default()
    }

    fn cell(&self, path: &'a Path, env: &Env<'a>, focus: &Item<'a>) -> Result<Cell<'a>, Stop> {
        let found = self.evaluate(&path.expression, env, focus)?;
        let one =
            |item: &Item<'a>| Cell::of(item).ok_or_else(|| RowError::NoCell(self.name(path.place)));
        match found.as_slice() {
            items if path.collection => {
                Ok(Cell::List(items.iter().map(one).collect::<Result<_, _>>()?))
            }
            [] => Ok(Cell::Null),
            [item] => Ok(one(item)?),
            _ => Err(RowError::Several(self.name(path.place)).into()),
        }
    }
}
