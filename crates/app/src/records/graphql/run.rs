//! Running a query: selections over the base, resources, their elements and pages of searches.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use fhir::definitions::Type;
use fhir::json::quote;
use fhir::{Id, Kind as JsonKind, Resource, Value};
use fhirpath::{Env, Expr, Item as PathItem, Node, Target};
use store::{Key, Seq, Snapshot};

use super::arguments::{self, Wanted};
use super::budget::{Budget, MAX_FAULTS};
use super::directives::{Shape, Slice, expression, kept, shape};
use super::find::{Page, registry};
use super::listing::{Listing, listing};
use super::output::{Object, Out};
use super::query::{Field as Asked, Plan, Selection, Set, short};
use super::schema::{Field, Link, Of, resource_type};
use super::values::Given;
use super::{Fault, Focus, Step};
use crate::authorise::Permit;
use crate::{App, Caller, Error, Kind, Result};

/// A query that runs.
pub struct Run<'r, 'q> {
    pub(super) app: &'r App,
    pub(super) caller: &'r Caller,
    plan: &'r Plan<'r, 'q>,
    pub(super) snapshot: Box<dyn Snapshot>,
    pub(super) budget: Budget,
    pub(super) patients: BTreeSet<Id>,
    pub(super) has_read_audit: bool,
    pub(super) permits: HashMap<(&'static str, bool), Result<Permit>>,
    pub(super) by_key: HashMap<(Key, Option<u64>), Option<Arc<Resource>>>,
    pub(super) by_seq: HashMap<Seq, Option<Arc<Resource>>>,
    expressions: HashMap<String, Rc<Expr>>,
    faults: Vec<Fault>,
    path: Vec<Step>,
}

/// An element of a resource, or a resource.
#[derive(Clone, Copy)]
struct At<'a> {
    value: Value<'a>,
    of: &'static Type,
    /// The stored resource that it is in.
    holder: &'a Resource,
    /// Whether it is that resource.
    is_root: bool,
}

/// What fields are selected from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Query,
    At(At<'a>),
    Page(&'a Page),
    Edge(&'a Arc<Resource>, &'static Type),
}

/// A value of a field.
enum Item<'a> {
    /// JSON text.
    Text(Cow<'a, str>),
    At(At<'a>),
    Resource(Arc<Resource>, &'static Type),
    Page(Rc<Page>),
    Edge(Arc<Resource>, &'static Type),
}

/// What flattened fields hand down to what takes their place.
#[derive(Clone, Copy, Default)]
struct Flow<'a> {
    /// Whether values are collected from several places.
    is_listed: bool,
    /// What slices add to names.
    suffix: &'a str,
}

/// Fields of one name in the answer that ask for the same.
struct Group<'r, 'q> {
    key: &'q str,
    field: &'r Asked<'q>,
    sets: Vec<&'r Set<'q>>,
    /// Whether another field has the same name in the answer and asks for something else.
    has_rival: bool,
}

impl Source<'_> {
    fn of(self) -> Of {
        match self {
            Self::Query => Of::Query,
            Self::At(at) => Of::Type(at.of),
            Self::Page(page) => Of::Connection(page.of),
            Self::Edge(_, of) => Of::Edge(of),
        }
    }
}

impl<'r, 'q> Run<'r, 'q> {
    /// A run over the store as it is now.
    pub fn new(app: &'r App, caller: &'r Caller, plan: &'r Plan<'r, 'q>) -> Result<Self> {
        Ok(Self {
            app,
            caller,
            plan,
            snapshot: app.store().snapshot()?,
            budget: Budget::new(app.now_ms()),
            patients: BTreeSet::new(),
            has_read_audit: false,
            permits: HashMap::new(),
            by_key: HashMap::new(),
            by_seq: HashMap::new(),
            expressions: HashMap::new(),
            faults: Vec::new(),
            path: Vec::new(),
        })
    }

    /// The patients that were touched so far.
    pub fn patients(&self) -> &BTreeSet<Id> {
        &self.patients
    }

    /// Whether entries of the audit were read.
    pub fn has_read_audit(&self) -> bool {
        self.has_read_audit
    }

    /// What went wrong in places.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Answers the query. An error means that all of it is given up.
    pub fn start(&mut self, focus: &Focus) -> Result<Object> {
        let mut object = Object::default();
        let sets = [self.plan.set];
        match focus {
            Focus::System => self.select(Source::Query, &sets, Flow::default(), &mut object)?,
            Focus::Resource(key) => {
                let found = self.read(key.clone(), None)?.ok_or_else(Error::not_found)?;
                let at = root(&found).ok_or_else(Error::not_found)?;
                self.select(Source::At(at), &sets, Flow::default(), &mut object)?;
            }
        }
        Ok(object)
    }

    fn select(
        &mut self,
        from: Source<'_>,
        sets: &[&'r Set<'q>],
        flow: Flow<'_>,
        into: &mut Object,
    ) -> Result<()> {
        let mut groups = Vec::new();
        for set in sets {
            self.collect(from.of(), set, &mut Vec::new(), &mut groups)?;
        }
        for group in &groups {
            let key = format!("{}{}", group.key, flow.suffix);
            self.path.push(Step::Name(key.clone()));
            let done = self.field(from, group, flow, into);
            let kept = self.absorb(done, group, &key, into);
            self.path.pop();
            kept?;
        }
        Ok(())
    }

    /// Notes what went wrong with one field and goes on without it, unless there is no going on.
    fn absorb(
        &mut self,
        done: Result<()>,
        group: &Group<'r, 'q>,
        key: &str,
        into: &mut Object,
    ) -> Result<()> {
        let Err(error) = done else { return Ok(()) };
        if matches!(error.kind, Kind::TooCostly | Kind::Internal | Kind::Busy) {
            return Err(error);
        }
        into.fail(key);
        if self.faults.len() < MAX_FAULTS {
            let at = Some((group.field.position.line, group.field.position.column));
            self.faults.push(Fault { error, at, path: self.path.clone() });
        }
        Ok(())
    }

    /// The fields that are selected from something of a type, fragments put in (GraphQL, October
    /// 2021, 6.3.2).
    fn collect(
        &self,
        of: Of,
        set: &'r Set<'q>,
        seen: &mut Vec<&'q str>,
        groups: &mut Vec<Group<'r, 'q>>,
    ) -> Result<()> {
        let variables = &self.plan.variables;
        for selection in &set.items {
            match selection {
                Selection::Field(field) if kept(&field.directives, variables)? => {
                    add(groups, field);
                }
                Selection::InlineFragment(fragment) if kept(&fragment.directives, variables)? => {
                    let on = fragment.type_condition.as_ref();
                    let on = on.map(|graphql_parser::query::TypeCondition::On(name)| *name);
                    if on.is_none_or(|on| of.is(on)) {
                        self.collect(of, &fragment.selection_set, seen, groups)?;
                    }
                }
                Selection::FragmentSpread(spread) if kept(&spread.directives, variables)? => {
                    let name = spread.fragment_name;
                    let fragment = self.plan.fragments.get(name);
                    if let Some(fragment) = fragment.filter(|_| !seen.contains(&name)) {
                        seen.push(name);
                        if of.is(fragment.on) {
                            self.collect(of, fragment.set, seen, groups)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        from: Source<'_>,
        group: &Group<'r, 'q>,
        flow: Flow<'_>,
        into: &mut Object,
    ) -> Result<()> {
        let name = group.field.name;
        let field = from.of().field(name).ok_or_else(|| {
            let message = format!("`{}` has no field `{}`", from.of().name(), short(name));
            Error::invalid("not-supported", message)
        })?;
        let shape = shape(&group.field.directives, &self.plan.variables)?;
        if group.has_rival {
            let message = format!(
                "`{}` is asked for twice in different ways; give one an alias",
                short(group.key)
            );
            return Err(Error::invalid("value", message));
        }
        match (from, field) {
            (Source::At(at), Field::Element(_, choice)) => {
                let items = self.elements(at, choice.member, field, group)?;
                self.place(items, field, group, &shape, flow, into)
            }
            (Source::At(at), Field::Beside(_, sibling)) => {
                let items = self.elements(at, sibling, field, group)?;
                self.place(items, field, group, &shape, flow, into)
            }
            (Source::At(at), Field::Target) => {
                let items = self.target(at, group)?.into_iter().collect();
                self.place(items, field, group, &shape, flow, into)
            }
            _ => {
                let items = self.others(from, field, group)?;
                self.place(items, field, group, &shape, flow, into)
            }
        }
    }

    /// The values of a field that is no element.
    fn others<'s>(
        &mut self,
        from: Source<'s>,
        field: Field,
        group: &Group<'r, 'q>,
    ) -> Result<Vec<Item<'s>>> {
        let text = |text: String| Ok(vec![Item::Text(text.into())]);
        match (field, from) {
            (Field::TypeName, _) => text(quote(&from.of().name())),
            (Field::ResourceType, Source::At(at)) => text(quote(at.of.name)),
            (Field::One(of), _) => {
                let id = self.argument(group, "id").and_then(|id| id.text());
                let id = id.and_then(|id| Id::new(&id).ok()).ok_or_else(Error::not_found)?;
                let resource_type = fhir::resource_type(of.name).ok_or_else(Error::not_found)?;
                let found = self.read(Key { resource_type, id }, None)?;
                Ok(vec![Item::Resource(found.ok_or_else(Error::not_found)?, of)])
            }
            (Field::List(of), _) => {
                let wanted = self.wanted(of, from, group)?;
                let found = self.list(of, &wanted)?;
                let found = self.passing(found, wanted.expression.as_deref())?;
                Ok(found.into_iter().map(|one| Item::Resource(one, of)).collect())
            }
            (Field::Connection(of), _) => {
                let wanted = self.wanted(of, from, group)?;
                let mut page = match &wanted.cursor {
                    Some(cursor) if wanted.params.is_empty() && wanted.count.is_none() => {
                        self.turn(of, cursor)?
                    }
                    Some(_) => {
                        let message = "a cursor goes without other arguments of the search";
                        return Err(Error::invalid("value", message));
                    }
                    None => self.page(of, &wanted)?,
                };
                let found = std::mem::take(&mut page.resources);
                page.resources = self.passing(found, wanted.expression.as_deref())?;
                Ok(vec![Item::Page(Rc::new(page))])
            }
            (_, Source::Page(page)) => self.of_page(page, field),
            (Field::Mode, _) => text("\"match\"".into()),
            (Field::Match(of), Source::Edge(resource, _)) => {
                Ok(vec![Item::Resource(resource.clone(), of)])
            }
            _ => Ok(Vec::new()),
        }
    }

    fn of_page<'s>(&self, page: &'s Page, field: Field) -> Result<Vec<Item<'s>>> {
        let number = |number: usize| vec![Item::Text(number.to_string().into())];
        let last = page.total.saturating_sub(1).checked_div(page.count).unwrap_or(0) * page.count;
        let next = page.offset.saturating_add(page.count);
        Ok(match field {
            Field::Count => number(page.total),
            Field::Offset => number(page.offset),
            Field::PageSize => number(page.count),
            Field::Link(link) => {
                let to = match link {
                    Link::First => Some(0),
                    Link::Previous => {
                        (page.offset > 0).then(|| page.offset.saturating_sub(page.count))
                    }
                    Link::Next => (next < page.total).then_some(next),
                    Link::Last => Some(last),
                };
                let to = to.filter(|_| page.count > 0);
                to.map(|to| Item::Text(quote(&page.cursor(self.app, to)).into()))
                    .into_iter()
                    .collect()
            }
            Field::Edges(of) => {
                page.resources.iter().map(|one| Item::Edge(one.clone(), of)).collect()
            }
            _ => Vec::new(),
        })
    }

    fn argument(&self, group: &Group<'r, 'q>, name: &str) -> Option<Given> {
        let given = group.field.arguments.iter().find(|(known, _)| *known == name);
        given.and_then(|(_, value)| Given::read(value, &self.plan.variables))
    }

    /// What a search is asked, from a resource or from the base.
    fn wanted(&self, of: &'static Type, from: Source<'_>, group: &Group<'r, 'q>) -> Result<Wanted> {
        let registry = registry(self.app);
        let arguments = &group.field.arguments;
        let mut wanted = arguments::wanted(&registry, of, arguments, &self.plan.variables)?;
        if let Source::At(at) = from {
            let name = wanted.reference.take().unwrap_or_default();
            let code = arguments::reference(&registry, of, &name, at.of)?;
            let id = at.holder.id().filter(|_| at.is_root).ok_or_else(|| {
                let message = "a contained resource cannot be referred to from outside";
                Error::invalid("not-supported", message)
            })?;
            wanted.params.push((code, format!("{}/{id}", at.of.name)));
        }
        Ok(wanted)
    }

    /// The elements under a member that the field's arguments ask for.
    fn elements<'a>(
        &mut self,
        at: At<'a>,
        member: &str,
        field: Field,
        group: &Group<'r, 'q>,
    ) -> Result<Vec<Item<'a>>> {
        let Some(held) = at.value.get(member) else { return Ok(Vec::new()) };
        let values: Vec<Value<'a>> = held.each().collect();
        let of = match field.of() {
            None => return Ok(values.into_iter().map(|v| Item::Text(v.raw().into())).collect()),
            Some(Of::Type(of)) => Some(of),
            Some(_) => None,
        };
        let listing = match of {
            Some(of) => listing(of, &group.field.arguments, &self.plan.variables)?,
            None => Listing::default(),
        };
        let mut chosen = Vec::with_capacity(values.len());
        for value in values {
            if matches!(field, Field::Beside(..)) && value.kind() == JsonKind::Null {
                chosen.push(Item::Text("null".into()));
                continue;
            }
            // Of whatever type a contained resource is, it says.
            let of = of.or_else(|| resource_type(&value.str_at("resourceType")?));
            let Some(of) = of.filter(|_| value.kind() == JsonKind::Object) else { continue };
            if listing.has_members(value) {
                let at = At { value, of, holder: at.holder, is_root: false };
                if self.passes(at, listing.expression.as_deref())? {
                    chosen.push(Item::At(at));
                }
            }
        }
        Ok(listing.cut(chosen))
    }

    /// The resource that a Reference leads to; nothing where that is none of the type asked for,
    /// or where it is optional and cannot be had.
    fn target<'a>(&mut self, at: At<'a>, group: &Group<'r, 'q>) -> Result<Option<Item<'a>>> {
        let wanted = self.argument(group, "type").and_then(|given| given.text());
        let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        let is_optional = match self.argument(group, "optional") {
            Some(Given::Null) | None => false,
            Some(given) => given.truth("optional")?,
        };
        let text = at.value.str_at("reference").unwrap_or_default();
        if let Some(id) = text.strip_prefix('#') {
            let contained = at.holder.get("contained").into_iter().flat_map(Value::items);
            let mut named = contained.filter(|one| one.get("id").is_some_and(|v| v.is_str(id)));
            let found = named.next().and_then(|value| {
                let of = resource_type(&value.str_at("resourceType")?)?;
                Some(At { value, of, holder: at.holder, is_root: false })
            });
            return match found {
                Some(found) => Ok(is_wanted(found.of.name).then_some(Item::At(found))),
                None if is_optional => Ok(None),
                None => Err(unresolved()),
            };
        }
        let Some((key, version)) = self.local(&text) else {
            return if is_optional { Ok(None) } else { Err(unresolved()) };
        };
        if !is_wanted(key.resource_type) {
            return Ok(None);
        }
        let of = resource_type(key.resource_type).ok_or_else(unresolved)?;
        match self.read(key, version) {
            Ok(Some(found)) => Ok(Some(Item::Resource(found, of))),
            Ok(None) if is_optional => Ok(None),
            Err(error) if is_optional && error.kind == Kind::Forbidden => Ok(None),
            Ok(None) => Err(unresolved()),
            Err(error) => Err(error),
        }
    }

    /// Which resource of this node a reference names, and which version of it.
    fn local(&self, text: &str) -> Option<(Key, Option<u64>)> {
        let base = format!("{}/fhir/", self.app.org().base_url);
        let text = text.strip_prefix(&base).unwrap_or(text);
        let version = text.rsplit_once("/_history/").map(|(_, version)| version.parse::<u64>());
        let version = version.transpose().ok()?;
        let target = Target::parse(text);
        if target.url.is_some() {
            return None;
        }
        let key = Key { resource_type: target.resource_type?, id: Id::new(target.id?).ok()? };
        Some((key, version))
    }

    fn parsed(&mut self, text: &str) -> Result<Rc<Expr>> {
        if let Some(known) = self.expressions.get(text) {
            return Ok(known.clone());
        }
        let parsed = Rc::new(expression("fhirpath", text)?);
        self.expressions.insert(text.to_owned(), parsed.clone());
        Ok(parsed)
    }

    /// Whether the expression, if there is one, is true of it.
    fn passes(&mut self, at: At<'_>, text: Option<&str>) -> Result<bool> {
        let Some(text) = text else { return Ok(true) };
        let parsed = self.parsed(text)?;
        self.evaluated(at, &parsed, |found| matches!(found, [PathItem::Boolean(true)]))
    }

    fn passing(
        &mut self,
        found: Vec<Arc<Resource>>,
        text: Option<&str>,
    ) -> Result<Vec<Arc<Resource>>> {
        if text.is_none() {
            return Ok(found);
        }
        let mut chosen = Vec::new();
        for one in found {
            let passes = match root(&one) {
                Some(at) => self.passes(at, text)?,
                None => false,
            };
            if passes {
                chosen.push(one);
            }
        }
        Ok(chosen)
    }

    fn evaluated<T>(
        &mut self,
        at: At<'_>,
        expression: &Expr,
        read: impl FnOnce(&[PathItem<'_>]) -> T,
    ) -> Result<T> {
        let now_ms = self.app.now_ms();
        self.budget.expression(now_ms)?;
        let env = Env::new(now_ms).with_resource(at.holder);
        let focus: Vec<PathItem<'_>> =
            Node::element(Some(at.value), None, at.of).map(PathItem::Node).into_iter().collect();
        let found = expression.evaluate(&env, &focus).map_err(|e| {
            Error::invalid("value", format!("an expression cannot be evaluated: {e}"))
        })?;
        let found: Vec<PathItem<'_>> =
            found.into_iter().map(|item| item.to_system().unwrap_or(item)).collect();
        Ok(read(&found))
    }

    /// Puts the values of a field into the answer.
    fn place(
        &mut self,
        items: Vec<Item<'_>>,
        field: Field,
        group: &Group<'r, 'q>,
        shape: &Shape,
        flow: Flow<'_>,
        into: &mut Object,
    ) -> Result<()> {
        let is_listed = flow.is_listed || (field.is_list() && !shape.first);
        let is_list = is_listed && !shape.singleton;
        let kind = field.kind();
        let is_open = !items.is_empty() || matches!(field, Field::List(_) | Field::Edges(_));
        if is_open && !shape.flatten && shape.slice.is_none() {
            into.open(&format!("{}{}", group.key, flow.suffix), is_list, kind)?;
        }
        let most = if shape.first { 1 } else { usize::MAX };
        for (index, item) in items.into_iter().take(most).enumerate() {
            let suffix = format!("{}{}", flow.suffix, self.sliced(shape, &item, index)?);
            let key = format!("{}{suffix}", group.key);
            let inner = Flow { is_listed, suffix: &suffix };
            let value = match item {
                Item::Text(_) if shape.flatten => {
                    let message = "`@flatten` is for values that have fields";
                    return Err(Error::invalid("value", message));
                }
                Item::Text(text) => {
                    self.budget.value(text.len())?;
                    Out::Text(text.into_owned())
                }
                complex if shape.flatten => {
                    // The answer has no place for the field itself.
                    let own = self.path.pop();
                    let done = self.inside(&complex, &group.sets, inner, into);
                    self.path.extend(own);
                    done?;
                    continue;
                }
                complex => {
                    self.budget.value(0)?;
                    let mut object = Object::default();
                    if is_list {
                        self.path.push(Step::Index(into.count(&key)));
                    }
                    let done = self.inside(&complex, &group.sets, Flow::default(), &mut object);
                    if is_list {
                        self.path.pop();
                    }
                    done?;
                    Out::Object(object)
                }
            };
            into.add(&key, is_list, kind, value)?;
        }
        Ok(())
    }

    fn inside(
        &mut self,
        item: &Item<'_>,
        sets: &[&'r Set<'q>],
        flow: Flow<'_>,
        into: &mut Object,
    ) -> Result<()> {
        match item {
            Item::Text(_) => Ok(()),
            Item::At(at) => self.select(Source::At(*at), sets, flow, into),
            Item::Resource(resource, of) => {
                let at = At { value: resource.root(), of, holder: resource, is_root: true };
                self.select(Source::At(at), sets, flow, into)
            }
            Item::Page(page) => self.select(Source::Page(page), sets, flow, into),
            Item::Edge(resource, of) => self.select(Source::Edge(resource, of), sets, flow, into),
        }
    }

    /// What `@slice` adds to the name of a value.
    fn sliced(&mut self, shape: &Shape, item: &Item<'_>, index: usize) -> Result<String> {
        let expression = match &shape.slice {
            None => return Ok(String::new()),
            Some(Slice::Index) => return Ok(format!(".{index}")),
            Some(Slice::Path(expression)) => expression,
        };
        let read = |found: &[PathItem<'_>]| {
            found.first().and_then(|item| item.as_text().map(Cow::into_owned)).unwrap_or_default()
        };
        let name = match item {
            Item::At(at) => self.evaluated(*at, expression, read)?,
            Item::Resource(resource, of) => {
                let at = At { value: resource.root(), of, holder: resource, is_root: true };
                self.evaluated(at, expression, read)?
            }
            _ => {
                let message = "`@slice` with an expression is for elements that have fields";
                return Err(Error::invalid("value", message));
            }
        };
        Ok(format!(".{}", short(&name)))
    }
}

/// A reference that leads nowhere, or to what the caller may not see: one message for both.
fn unresolved() -> Error {
    let message = "the reference leads to no resource that you may see here";
    Error::new(Kind::NotFound, message)
}

fn root(resource: &Resource) -> Option<At<'_>> {
    let of = resource_type(resource.type_name())?;
    Some(At { value: resource.root(), of, holder: resource, is_root: true })
}

/// Adds a field to those of the same name in the answer.
fn add<'r, 'q>(groups: &mut Vec<Group<'r, 'q>>, field: &'r Asked<'q>) {
    let key = field.alias.unwrap_or(field.name);
    let set = &field.selection_set;
    let mut has_rival = false;
    for group in groups.iter_mut().filter(|group| group.key == key) {
        if is_same(group.field, field) {
            group.sets.push(set);
            return;
        }
        // `resource(type: A)` beside `resource(type: B)` is how FHIR tells types apart, and
        // flattened or sliced fields do not claim the name.
        let both_targets = group.field.name == "resource" && field.name == "resource";
        has_rival |= !both_targets && !is_nameless(group.field) && !is_nameless(field);
    }
    groups.push(Group { key, field, sets: vec![set], has_rival });
}

fn is_nameless(field: &Asked<'_>) -> bool {
    field.directives.iter().any(|directive| matches!(directive.name, "flatten" | "slice"))
}

fn is_same<'q>(one: &Asked<'q>, other: &Asked<'q>) -> bool {
    let plain = |field: &Asked<'_>| -> Vec<String> {
        let mut all: Vec<String> = field
            .directives
            .iter()
            .filter(|directive| !matches!(directive.name, "skip" | "include"))
            .map(|directive| format!("{}{:?}", directive.name, directive.arguments))
            .collect();
        all.sort();
        all
    };
    one.name == other.name && one.arguments == other.arguments && plain(one) == plain(other)
}
