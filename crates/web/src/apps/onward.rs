//! Two short pages on an app's way: the way on, and why there is none.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::Words;

#[derive(Template)]
#[template(path = "apps/onward.html")]
struct Onward<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    path: &'a str,
    way: Way,
}

/// Whose way it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An app's.
    App,
    /// To an outside provider or back.
    Provider,
}

impl Onward<'_> {
    fn title(&self) -> crate::words::Message {
        self.w.say(match self.way {
            Way::App => "app-onward-title",
            Way::Provider => "outside-onward-title",
        })
    }
}

/// The page that goes on to `path` by itself. An app or provider sends the browser here from another
/// site, where the cookie of the session stays behind; from this page on it comes along. On the way
/// out it is needed because forms of our pages send to this site alone.
pub fn render(way: Way, path: &str, c: &Chrome) -> Result<String, WebError> {
    Ok(Onward { c, w: c.words(), path, way }.render()?)
}

/// Why an app's request cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The app is not registered here.
    Client,
    /// It wants people sent to an address that is not registered.
    Redirect,
    /// It was asked too long ago, or answered already.
    Expired,
}

#[derive(Template)]
#[template(path = "apps/refused.html")]
struct Refused<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    why: Why,
}

impl Refused<'_> {
    fn sentence(&self) -> crate::words::Message {
        self.w.say(match self.why {
            Why::Client => "app-refused-client",
            Why::Redirect => "app-refused-redirect",
            Why::Expired => "app-refused-expired",
        })
    }
}

/// The page that says why.
pub fn render_refused(why: Why, c: &Chrome) -> Result<String, WebError> {
    Ok(Refused { c, w: c.words(), why }.render()?)
}
