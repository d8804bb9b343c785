//! Files that a node takes in from elsewhere because somebody named their address.
//!
//! Where such an address may lead is decided by [`Allowed`], as for notifications: public `https`,
//! and what the operator's list names; a name is judged again by every address that it resolves
//! to, and redirects are not followed. Every wait has a deadline and every body a limit.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING};
use reqwest::{Client, Response};

use crate::notify::{Allowed, EndpointError, guarded};

/// How long a server may take to begin its answer, and between two pieces of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a file was not fetched; without its address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address leads where this node fetches nothing.
    #[error("{0}")]
    Refused(#[from] EndpointError),
    /// The server answered with this HTTP status.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// Nobody was reached, or the connection broke.
    #[error("the server cannot be reached, or has broken off")]
    Unreachable,
    /// The server did not answer in time.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The file is longer than may be taken.
    #[error("the file has more than {0} bytes")]
    TooLong(u64),
    /// The file has a content coding.
    #[error("the file is sent with a content coding; send it plain")]
    Coded,
    /// The request could not be made, because of a header for example.
    #[error("the request is not valid; look at its headers")]
    Request,
    /// The file could not be written here.
    #[error("the file could not be written")]
    Disk,
    /// Whoever asked for it does not want it any more.
    #[error("the transfer was ended")]
    Ended,
}

impl FetchError {
    /// Whether trying again may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable | Self::TimedOut => true,
            Self::Status(status) => matches!(status, 408 | 429 | 500..=599),
            _ => false,
        }
    }
}

/// What is to be fetched.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Its address.
    pub url: &'a str,
    /// Headers to send, name and value.
    pub headers: &'a [(String, String)],
    /// The media type that is accepted.
    pub accept: &'a str,
    /// Most bytes to take.
    pub most: u64,
}

/// Fetches files.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    allowed: Arc<Allowed>,
}

impl Fetcher {
    /// Fetches from where `allowed` says. The error is the HTTP client's.
    pub fn new(allowed: Allowed) -> Result<Self, reqwest::Error> {
        let allowed = Arc::new(allowed);
        let client = guarded(&allowed).read_timeout(PATIENCE).build()?;
        Ok(Self { client, allowed })
    }

    /// Writes a file into `out` as it comes and returns its length in bytes. `goes_on` is asked
    /// with the length so far after each piece; false ends the transfer.
    pub async fn fetch(
        &self,
        wish: Wish<'_>,
        out: &mut (dyn Write + Send),
        goes_on: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<u64, FetchError> {
        let mut response = self.begin(&wish).await?;
        let mut length = 0_u64;
        while let Some(piece) = response.chunk().await.map_err(|e| fault(&e))? {
            length = length.saturating_add(piece.len() as u64);
            if length > wish.most {
                return Err(FetchError::TooLong(wish.most));
            }
            out.write_all(&piece).map_err(|_| FetchError::Disk)?;
            if !goes_on(length) {
                return Err(FetchError::Ended);
            }
        }
        Ok(length)
    }

    async fn begin(&self, wish: &Wish<'_>) -> Result<Response, FetchError> {
        let url = self.allowed.parse(wish.url)?;
        let mut request = self.client.get(url).header(ACCEPT, wish.accept);
        request = request.header(ACCEPT_ENCODING, "identity");
        for (name, value) in wish.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|e| fault(&e))?;
        if response.status().as_u16() != 200 {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let coding = response.headers().get(CONTENT_ENCODING);
        if coding.is_some_and(|coding| coding != "identity") {
            return Err(FetchError::Coded);
        }
        match response.content_length() {
            Some(length) if length > wish.most => Err(FetchError::TooLong(wish.most)),
            _ => Ok(response),
        }
    }
}

fn fault(error: &reqwest::Error) -> FetchError {
    if error.is_builder() {
        return FetchError::Request;
    }
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = source {
        if let Some(refused) = inner.downcast_ref::<EndpointError>() {
            return FetchError::Refused(*refused);
        }
        source = inner.source();
    }
    if error.is_timeout() { FetchError::TimedOut } else { FetchError::Unreachable }
}
