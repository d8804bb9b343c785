//! Who saw the record, when, and why.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::parts::standing::Standing;
use crate::proxies::relationship::Relationship;
use crate::terms::{Purpose, Touched};
use crate::words::{Message, Words};

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
    /// What they are to the reader, where they acted for the reader.
    pub relationship: Option<Relationship>,
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
    /// On whose authority it was allowed.
    pub authority: Authority,
    /// What shows that the line was not made up or changed since.
    pub proof: Proof,
    /// Which line of which log it is, for its proof and for an objection.
    pub line: Line,
    /// How the reader's objection to it stands, where there is one.
    pub objection: Option<Standing>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Id of the organisation whose log it is.
    pub at: String,
    /// Id of the entry there.
    pub entry: String,
}

/// On whose authority an access was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The reader asked for it.
    OwnRequest,
    /// An emergency.
    Emergency,
    /// A permission that the reader gave.
    Permission,
    /// The rules of the hospital.
    Rules,
}

impl Authority {
    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::OwnRequest => "authority-own-request",
            Self::Emergency => "authority-emergency",
            Self::Permission => "authority-permission",
            Self::Rules => "authority-rules",
        })
    }
}

/// What shows that a line was not made up or changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// So many other hospitals vouch for it.
    Cosigned(u64),
    /// Nobody else vouches for it yet.
    Waiting,
    /// There is none.
    Absent,
    /// What was sent as its proof proves nothing.
    Broken,
}

impl Proof {
    fn say(&self, w: &Words<'_>) -> Message {
        match self {
            Self::Cosigned(by) => w.say("proof-cosigned").n("count", *by),
            Self::Waiting => w.say("proof-waiting"),
            Self::Absent => w.say("proof-absent"),
            Self::Broken => w.say("proof-broken"),
        }
    }

    fn tone(&self) -> &'static str {
        match self {
            Self::Cosigned(_) => "good",
            Self::Waiting | Self::Absent => "plain",
            Self::Broken => "alert",
        }
    }

    fn is_file(&self) -> bool {
        matches!(self, Self::Cosigned(_))
    }
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
        if let Some(relationship) = &access.relationship {
            return relationship.yours(&self.w).to_string();
        }
        crate::Role::from_code(&access.role)
            .map_or_else(|| access.role.clone(), |role| role.say(&self.w).to_string())
    }
}

/// The page.
pub fn render(v: &AccessesView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
