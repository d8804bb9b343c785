//! Pages for what went wrong. They never say whether something exists that the reader may not
//! know of: `403` of a patient is answered as `404`, and both speak of either case.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::words::Words;

/// What went wrong, by HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 400
    BadRequest,
    /// 401
    SignInNeeded,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 409: the form was made while its reader acted for somebody else.
    Switched,
    /// 500
    Internal,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 6] = [
        Self::BadRequest,
        Self::SignInNeeded,
        Self::Forbidden,
        Self::NotFound,
        Self::Switched,
        Self::Internal,
    ];

    /// The fault of an HTTP status; other 4xx are bad requests, everything else is internal.
    pub fn from_status(status: u16) -> Self {
        match status {
            401 => Self::SignInNeeded,
            403 => Self::Forbidden,
            404 | 410 => Self::NotFound,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::SignInNeeded => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Switched => 409,
            Self::Internal => 500,
        }
    }

    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("error-bad-request", "error-bad-request-help"),
            Self::SignInNeeded => ("error-sign-in-needed", "error-sign-in-needed-help"),
            Self::Forbidden => ("error-forbidden", "error-forbidden-help"),
            Self::NotFound => ("error-not-found", "error-not-found-help"),
            Self::Switched => ("error-switched", "error-switched-help"),
            Self::Internal => ("error-internal", "error-internal-help"),
        }
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: Fault,
    request_id: &'a str,
}

/// The page. `request_id` is shown so that an operator can find the entry in the log; empty when
/// there is none.
pub fn render(v: Fault, request_id: &str, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v, request_id }.render()?)
}
