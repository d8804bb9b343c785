//! The agreements of this institution, and the members with whom there is none.

use askama::Template;
use policy::agreement::State;

use super::wording;
use crate::chrome::{Chrome, Role};
use crate::error::WebError;
use crate::words::Words;

/// The page.
#[derive(Clone, Debug, Default)]
pub struct ListView {
    /// The agreements.
    pub agreements: Vec<Row>,
    /// Names of the members with whom none is in force.
    pub without: Vec<String>,
    /// Whether the network's common agreement holds.
    pub common: bool,
}

/// An agreement.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// With whom, by name.
    pub with: String,
    /// How it stands.
    pub state: State,
    /// Until when it holds, Unix epoch milliseconds.
    pub until_ms: i64,
    /// Whether it waits for this institution's signature.
    pub waits: bool,
}

#[derive(Template)]
#[template(path = "agreements/list.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ListView,
    steward: bool,
}

/// The page.
pub fn render(v: &ListView, c: &Chrome) -> Result<String, WebError> {
    let steward = c.session.as_ref().is_some_and(|session| session.role == Role::Steward);
    Ok(Page { c, w: c.words(), v, steward }.render()?)
}
