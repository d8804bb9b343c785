//! Who saw the record, when, and why.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::terms::{Purpose, Touched};
use crate::words::Words;

/// The page.
#[derive(Clone, Debug, Default)]
pub struct AccessesView {
    /// Accesses, newest first.
    pub accesses: Vec<Access>,
    /// Where older ones are, `None` at the end. It comes from the store's opaque page link.
    pub older: Option<String>,
    /// Hospitals whose accesses could not be fetched just now.
    pub missing: Vec<String>,
}

/// One access.
#[derive(Clone, Debug)]
pub struct Access {
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
    /// The person's name.
    pub who: String,
    /// The person's role as the asking organisation names it, such as `clinician`; a code of
    /// ours is shown in the reader's language.
    pub role: String,
    /// Display name of the organisation for which they acted.
    pub organisation: String,
    /// Why.
    pub purpose: Purpose,
    /// The evidence or reason given, empty when there was none.
    pub reason: String,
    /// What was seen.
    pub seen: Vec<Touched>,
    /// Display name of the hospital whose data it was.
    pub held_by: String,
    /// Whether it was emergency access.
    pub break_glass: bool,
    /// Whether nothing was shown because the question was refused.
    pub refused: bool,
}

#[derive(Template)]
#[template(path = "patient/accesses.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a AccessesView,
}

impl Page<'_> {
    /// The accesses in stretches of one day each.
    fn days(&self) -> Vec<(i64, &[Access])> {
        let day =
            |access: &Access| self.w.day(&crate::When::Instant(access.at_ms)).plain().to_string();
        self.v
            .accesses
            .chunk_by(|a, b| day(a) == day(b))
            .filter_map(|chunk| chunk.first().map(|first| (first.at_ms, chunk)))
            .collect()
    }

    fn role(&self, access: &Access) -> String {
        crate::Role::from_code(&access.role)
            .map_or_else(|| access.role.clone(), |role| role.say(&self.w).to_string())
    }
}

/// The page.
pub fn render(v: &AccessesView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
