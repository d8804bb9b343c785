//! One caller before the doors of a hospital: what is looked at behind each, and what is found.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::Value;

use crate::client::{Answer, Client};
use crate::world::{Item, marks};

/// One caller before the doors of one hospital.
pub struct Visit<'a> {
    pub client: &'a Client,
    pub items: &'a [Item],
    /// Marks of what is withheld from the caller.
    pub withheld: BTreeSet<String>,
    /// Whether the caller may use every door, so that what is open must come out; others are
    /// refused at some of them.
    pub is_staff: bool,
    /// Most withheld resources that are asked for one by one.
    pub most_by_item: usize,
    /// What was found that should not be, door first; the first of many.
    pub leaks: Vec<String>,
    /// The doors behind which something was found that should not be, and by what it was found.
    pub leaking: BTreeSet<Checked>,
    /// What is open and did not come out where it should.
    pub missing: Vec<String>,
    /// The doors that were tried, and how many resources were looked for behind each.
    pub tried: BTreeMap<String, Tried>,
    /// By what was looked behind each door.
    pub checked: BTreeSet<Checked>,
    /// What was created by trying, to be taken away again.
    pub made: Vec<(&'static str, String)>,
}

/// A door, and by what a leak is found behind it.
pub type Checked = (String, By);

/// What tells of something withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Its mark stands in an answer.
    Mark,
    /// The answer is another one than for what does not exist.
    Answer,
    /// A number counts it.
    Number,
    /// A search for what only it has finds something.
    Match,
    /// The order or the places of what is open are others.
    Order,
    /// It was changed by somebody who cannot see it.
    Change,
    /// A hospital where it never existed answers otherwise.
    Twin,
}

/// The resources that were looked for behind a door.
#[derive(Clone, Debug)]
pub enum Tried {
    All(usize),
    Some(BTreeSet<String>),
}

impl Tried {
    pub fn cases(&self) -> usize {
        match self {
            Self::All(number) => *number,
            Self::Some(marks) => marks.len(),
        }
    }
}

impl<'a> Visit<'a> {
    pub fn new(client: &'a Client, items: &'a [Item], withheld: BTreeSet<String>) -> Self {
        Self {
            client,
            items,
            withheld,
            is_staff: true,
            most_by_item: usize::MAX,
            leaks: Vec::new(),
            leaking: BTreeSet::new(),
            missing: Vec::new(),
            tried: BTreeMap::new(),
            checked: BTreeSet::new(),
            made: Vec::new(),
        }
    }

    /// How many pairs of a resource and a door were looked at.
    pub fn cases(&self) -> usize {
        self.tried.values().map(Tried::cases).sum()
    }

    pub fn is_open(&self, item: &Item) -> bool {
        !self.withheld.contains(&item.mark)
    }

    /// What is withheld, evenly chosen where it is more than is asked for one by one.
    pub fn hidden(&self) -> Vec<&'a Item> {
        let all: Vec<&Item> = self.items.iter().filter(|item| !self.is_open(item)).collect();
        let step = all.len().div_ceil(self.most_by_item).max(1);
        all.into_iter().step_by(step).collect()
    }

    pub fn of(&self, kind: &str) -> Vec<&'a Item> {
        self.items.iter().filter(|item| item.kind == kind).collect()
    }

    pub fn try_all(&mut self, door: &str, by: By) {
        self.checked.insert((door.to_owned(), by));
        self.tried.insert(door.to_owned(), Tried::All(self.items.len()));
    }

    pub fn try_one(&mut self, door: &str, by: By, item: &Item) {
        self.checked.insert((door.to_owned(), by));
        let some = || Tried::Some(BTreeSet::new());
        let tried = self.tried.entry(door.to_owned()).or_insert_with(some);
        if let Tried::Some(marks) = tried {
            marks.insert(item.mark.clone());
        }
    }

    pub fn leak(&mut self, door: &str, by: By, what: impl std::fmt::Display) {
        self.checked.insert((door.to_owned(), by));
        self.leaking.insert((door.to_owned(), by));
        if self.leaks.len() < 50 {
            self.leaks.push(format!("{door}: {what}"));
        }
    }

    /// Looks through a text for what must not be in it.
    pub fn look(&mut self, door: &str, found: &str) -> BTreeSet<String> {
        let found = marks(found);
        self.try_all(door, By::Mark);
        for mark in &found {
            if self.withheld.contains(mark.as_str()) {
                self.leak(door, By::Mark, format_args!("`{mark}` came out"));
            }
        }
        found
    }

    /// A number must be that of what is open among `expected`. Others than staff may be unable to
    /// see what a question goes by, and find less.
    pub fn count(&mut self, door: &str, what: &str, number: u64, expected: &[&Item]) {
        self.checked.insert((door.to_owned(), By::Number));
        let open = expected.iter().filter(|item| self.is_open(item)).count() as u64;
        if number > open {
            self.leak(door, By::Number, format_args!("{what} counts {number} for {open}"));
        } else if self.is_staff && number < open {
            self.missing.push(format!("{door}: {what} counts {number} for {open}"));
        }
    }

    /// The same where every open one of `expected` must come out.
    pub fn look_for(&mut self, door: &str, found: &str, expected: &[&Item]) {
        let found = self.look(door, found);
        if !self.is_staff {
            return;
        }
        for item in expected {
            if self.is_open(item) && !found.contains(&item.mark) {
                self.missing.push(format!("{door}: {}", item.reference()));
            }
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await
    }

    /// Asks the same of something withheld and of something that does not exist; the answers must
    /// not differ.
    pub async fn alike(
        &mut self,
        door: &str,
        (method, path): (Method, &str),
        item: &Item,
        body: Option<Value>,
    ) {
        let headers: &[(&str, &str)] = match method {
            Method::PATCH => &[("content-type", "application/json-patch+json")],
            _ => &[],
        };
        self.alike_with(door, (method, path), headers, item, body).await;
    }

    /// The same with these headers.
    pub async fn alike_with(
        &mut self,
        door: &str,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        item: &Item,
        body: Option<Value>,
    ) {
        let absent = format!("absent-{}", item.id);
        let said = body.as_ref().map(Value::to_string).unwrap_or_default();
        let names_mark = [path, &said].iter().any(|text| text.contains("{mark}"))
            || headers.iter().any(|(_, value)| value.contains("{mark}"));
        let ask = async |id: &str, mark: &str| {
            let fill = |text: &str| text.replace("{id}", id).replace("{mark}", mark);
            let body = body.as_ref().map(|body| fill(&body.to_string()));
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, fill(value))).collect();
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = self.client.send(method.clone(), &fill(path), body, &headers).await;
            let told = format!("{}{}", told_beside(&answer), answer.text).replace(id, "{id}");
            // What was asked by is repeated in some answers.
            let told = if names_mark { told.replace(mark, "{mark}") } else { told };
            (answer.status, told)
        };
        let nobody = Item::mark(999, 99);
        let (this, that) = (ask(&item.id, &item.mark).await, ask(&absent, &nobody).await);
        self.try_one(door, By::Answer, item);
        let found = marks(&this.1);
        if let Some(mark) = found.iter().find(|mark| self.withheld.contains(*mark)) {
            self.leak(door, By::Mark, format_args!("`{mark}` came out"));
        }
        if this != that {
            let (this, that) = (short(&this), short(&that));
            let what = format!("{} tells itself: {this} for {that}", item.reference());
            self.leak(door, By::Answer, what);
        }
    }

    /// Whether something withheld still stands as it did.
    pub fn unchanged(
        &mut self,
        door: &str,
        item: &Item,
        before: Option<(u64, bool)>,
        stands: &dyn Fn(&Item) -> Option<(u64, bool)>,
    ) {
        self.try_one(door, By::Change, item);
        if stands(item) != before {
            self.leak(door, By::Change, format_args!("{} was changed", item.reference()));
        }
    }

    /// What a search finds must be just what is open among `expected`.
    pub async fn search(&mut self, door: &str, path: &str, expected: &[&Item]) {
        let (mut next, mut found) = (Some(path.to_owned()), String::new());
        while let Some(path) = next {
            let page = self.get(&path).await;
            found.push_str(&page.text);
            if page.status != 200 {
                self.look(door, &found);
                return self.refused(door, &path, &page);
            }
            if let Some(total) = page.json()["total"].as_u64() {
                self.count(door, &path, total, expected);
            }
            next = page.link("next");
        }
        self.look_for(door, &found, expected);
    }

    /// Staff are refused at no door.
    pub fn refused(&mut self, door: &str, path: &str, answer: &Answer) {
        if self.is_staff {
            self.missing.push(format!("{door}: {path} answers {}", answer.status));
        }
    }

    /// A search by something that only what is withheld has must find nothing.
    pub async fn finds_nothing(&mut self, door: &str, path: &str) {
        let page = self.get(path).await;
        self.checked.insert((door.to_owned(), By::Match));
        if page.status != 200 {
            self.look(door, &page.text);
            return;
        }
        let mut found = page.json();
        // The addresses repeat what was asked.
        found.as_object_mut().expect("a Bundle").remove("link");
        let entries = found["entry"].as_array().map_or(0, Vec::len);
        if found["total"].as_u64().is_some_and(|total| total > 0) || entries > 0 {
            self.leak(door, By::Match, format_args!("{path} finds {entries}"));
        }
        self.look(door, &found.to_string());
    }
}

/// The headers of an answer that may tell of a resource.
fn told_beside(answer: &Answer) -> String {
    let telling =
        ["etag", "last-modified", "location", "content-location", "content-type", "allow"];
    let told = telling.iter().filter_map(|name| {
        let value = answer.headers.get(*name)?.to_str().ok()?;
        Some(format!("{name}: {value}; "))
    });
    told.collect()
}

fn short((status, text): &(u16, String)) -> String {
    format!("{status} {}", text.chars().take(160).collect::<String>())
}
