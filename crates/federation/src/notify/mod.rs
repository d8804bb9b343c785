//! Notifications of subscriptions on their way out: to a program over HTTP, to a person by mail.
//!
//! [`Deliver`] is what the delivery worker needs; [`Postman`] does it for real. Where a
//! subscriber may point a node is decided by [`Allowed`], at the name and again at the address
//! that it resolves to.

mod address;
mod http;
mod mail;

use std::time::Duration;

pub use address::{Allowed, AllowedError, EndpointError};
pub(crate) use http::guarded;
pub use mail::{Mail, MailError};

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// An HTTP request.
    Http(Request),
    /// A mail.
    Mail(Letter),
}

/// An HTTP request to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `POST`, or `PUT` for the resource itself.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Headers that the subscriber asked for, name and value.
    pub headers: Vec<(String, String)>,
    /// Media type and content; `None` sends an empty body.
    pub body: Option<(String, String)>,
}

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A notification.
    Post,
    /// An update of a resource at the subscriber (FHIR R4 `rest-hook` with a payload).
    Put,
}

/// A mail to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The address of the one recipient.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// What a person reads.
    pub text: String,
    /// Media type and content of the attachment.
    pub attachment: Option<(String, String)>,
}

/// Why a parcel did not arrive; without personal data and without the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The endpoint leads where this node sends nothing.
    #[error("{0}")]
    Refused(#[from] EndpointError),
    /// The receiver answered with this HTTP status.
    #[error("the receiver answered with status {0}")]
    Status(u16),
    /// Nobody was reached.
    #[error("the receiver cannot be reached")]
    Unreachable,
    /// The receiver did not answer in time.
    #[error("the receiver did not answer in time")]
    TimedOut,
    /// The mail server refused or failed.
    #[error("the mail server did not take the mail")]
    Mail,
    /// This node sends no mail.
    #[error("this node is not set up to send mail")]
    NoMail,
}

/// How a parcel is handed over. Returns once the receiver has acknowledged it.
pub trait Deliver: Send + Sync + 'static {
    /// Sends `parcel`, giving up after `timeout`. Called again for what was not acknowledged, so
    /// a receiver may see the same parcel twice.
    fn send(
        &self,
        parcel: Parcel,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Sends over HTTP and SMTP.
pub struct Postman {
    http: http::Http,
    mail: Option<Mail>,
}

impl Postman {
    /// A postman who goes where `allowed` says; without `mail`, mails are
    /// [`SendError::NoMail`]. The error is the HTTP client's.
    pub fn new(allowed: Allowed, mail: Option<Mail>) -> Result<Self, reqwest::Error> {
        Ok(Self { http: http::Http::new(allowed)?, mail })
    }
}

impl Deliver for Postman {
    async fn send(&self, parcel: Parcel, timeout: Duration) -> Result<(), SendError> {
        match (parcel, &self.mail) {
            (Parcel::Http(request), _) => self.http.send(request, timeout).await,
            (Parcel::Mail(letter), Some(mail)) => mail.send(letter, timeout).await,
            (Parcel::Mail(_), None) => Err(SendError::NoMail),
        }
    }
}

impl std::fmt::Debug for Postman {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postman").field("mail", &self.mail.is_some()).finish_non_exhaustive()
    }
}
