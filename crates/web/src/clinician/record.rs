//! The record of a patient over all sources, for the clinician and, in calmer words, for the
//! patient.
//!
//! The page is made of regions. [`fragments`] renders the same regions alone, to be sent as
//! server-sent events while sources answer; a script puts each in the place of the region with
//! its id. Without scripts the page is rendered once, when every source has answered.

mod view;
mod wording;

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::{Message, Words};

pub use view::{
    Access, Audience, Body, Claim, Conflict, ConflictKind, Document, Event, Flag, Measure, Person,
    RecordView, Row, Source, SourceState, Visit, VisitClass,
};

/// Lists of the past are cut to these lengths unless everything is asked for, so that a page stays
/// small; what is left out is counted and linked. Present problems, medications and allergies
/// are never cut.
mod cap {
    pub const PAST: usize = 6;
    pub const VITALS: usize = 12;
    pub const LABS: usize = 14;
    pub const OBSERVATIONS: usize = 6;
    pub const PROCEDURES: usize = 6;
    pub const VACCINATIONS: usize = 6;
    pub const TIMELINE: usize = 24;
    pub const DOCUMENTS: usize = 8;
    pub const ENCOUNTERS: usize = 8;
    /// Characters of the texts of all documents together; the next ones are linked.
    pub const DOCUMENT_CHARS: usize = 3_000;
    /// Conflicts; the gravest come first.
    pub const CONFLICTS: usize = 10;
}

/// A region rendered alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its id on the page, which is also the name of its event.
    pub region: &'static str,
    /// The element with that id.
    pub html: String,
}

impl Fragment {
    /// The fragment as a server-sent event (WHATWG HTML, section 9.2).
    pub fn event(&self) -> String {
        let mut out = format!("event: {}\n", self.region);
        // A stray carriage return would end the line of the event too.
        for line in self.html.replace('\r', "").lines() {
            out.push_str("data: ");
            out.push_str(line);
            out.push('\n');
        }
        out.push('\n');
        out
    }
}

/// The event after the last fragment; the script closes the stream on it.
pub const DONE_EVENT: &str = "event: done\ndata: done\n\n";

#[derive(Template)]
#[template(path = "clinician/record.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a RecordView,
}

/// Declares the template of each region, all over the same view.
macro_rules! regions {
    ($($name:ident = $path:literal;)*) => {$(
        #[derive(Template)]
        #[template(path = $path)]
        struct $name<'a> {
            w: Words<'a>,
            v: &'a RecordView,
        }
    )*};
}

regions! {
    Sources = "clinician/record/sources.html";
    Conflicts = "clinician/record/conflicts.html";
    Summary = "clinician/record/summary.html";
    Timeline = "clinician/record/timeline.html";
    Documents = "clinician/record/documents.html";
    Encounters = "clinician/record/encounters.html";
}

/// The whole page.
pub fn render(v: &RecordView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

/// The regions of the page, each alone, in the order of [`RecordView::REGIONS`].
pub fn fragments(v: &RecordView, c: &Chrome) -> Result<Vec<Fragment>, WebError> {
    let w = c.words();
    let rendered = [
        Sources { w, v }.render()?,
        Conflicts { w, v }.render()?,
        Summary { w, v }.render()?,
        Timeline { w, v }.render()?,
        Documents { w, v }.render()?,
        Encounters { w, v }.render()?,
    ];
    Ok(RecordView::REGIONS
        .into_iter()
        .zip(rendered)
        .map(|(region, html)| Fragment { region, html })
        .collect())
}

/// The line about what a list leaves out.
#[derive(Template)]
#[template(source = "<p class=\"rest\"><a href=\"{{ path }}\">{{ text }}</a></p>", ext = "html")]
struct Rest {
    text: Message,
    path: String,
}

impl askama::filters::HtmlSafe for Rest {}

/// The list of a section of the summary.
#[derive(Template)]
#[template(path = "clinician/record/rows.html")]
struct Rows<'a> {
    w: Words<'a>,
    rows: &'a [Row],
    rest: Option<Rest>,
}

/// The table of a section of measurements.
#[derive(Template)]
#[template(path = "clinician/record/measures.html")]
struct Measures<'a> {
    w: Words<'a>,
    caption: Message,
    rows: &'a [Measure],
    rest: Option<Rest>,
}

crate::parts::html_part!(Rows, Measures);

fn rows<'a>(w: &Words<'a>, v: &RecordView, rows: &'a [Row], cap: usize) -> Rows<'a> {
    Rows { w: *w, rows: v.first(rows, cap), rest: v.rest(w, rows, cap) }
}

fn measures<'a>(
    w: &Words<'a>,
    v: &RecordView,
    caption: &'static str,
    rows: &'a [Measure],
    cap: usize,
) -> Measures<'a> {
    Measures {
        w: *w,
        caption: w.say(caption),
        rows: v.first(rows, cap),
        rest: v.rest(w, rows, cap),
    }
}
