//! In which form a request came and an answer goes: JSON or XML, laid out or not, whole or a part.
//!
//! Handlers speak FHIR JSON only. What comes in as XML or compressed is made JSON before they see
//! it, and what goes out is made what the client asked for behind them, so that every interaction
//! and every operation has both forms.

use std::io::Read;

use app::{Error, Kind};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fhir::edit::Edits;
use fhir::subset::{Elements, Subset, Summary};
use fhir::{Document, pretty, xml};
use futures_util::StreamExt as _;

use super::media::{self, Form};
use crate::MAX_BODY;
use crate::outcome::{FHIR_JSON, FHIR_XML, Failure, Refusal, Refused};

/// Bodies from this length on are converted off the async threads.
const LONG: usize = 64 * 1024;

/// The form that the client wants its answer in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// JSON or XML.
    pub form: Form,
    /// Whether it is laid out for people.
    pub pretty: bool,
    /// Which part of each resource.
    pub part: Part,
}

/// Which part of each resource the client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    summary: Option<String>,
    elements: Option<String>,
}

impl Wanted {
    /// Reads `Accept` and, above it, the parameters `_format` and `_pretty`; `query` holds the
    /// parameters of the address and of a form. `others` tells whether what is asked may have
    /// forms of its own, which its handler sees to.
    pub fn read(
        headers: &HeaderMap,
        query: Option<&str>,
        form: Option<&[u8]>,
        others: bool,
    ) -> Result<Self, Refusal> {
        let mut wanted = Self::default();
        let mut format = None;
        let pairs = [query.map(str::as_bytes), form];
        for (name, value) in pairs.into_iter().flatten().flat_map(form_urlencoded::parse) {
            match name.as_ref() {
                "_format" if !value.is_empty() => format = Some(value.into_owned()),
                "_pretty" => wanted.pretty = pretty_wanted(&value)?,
                "_summary" if !value.is_empty() => {
                    wanted.part.summary = Some(value.into_owned());
                }
                "_elements" if !value.is_empty() => {
                    let elements = wanted.part.elements.get_or_insert_default();
                    if !elements.is_empty() {
                        elements.push(',');
                    }
                    elements.push_str(&value);
                }
                _ => {}
            }
        }
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let form = match &format {
            // A `+` in the address arrives as a space.
            Some(format) => media::of_format(&format.replace(' ', "+")),
            None => media::of_accept(accept.unwrap_or_default()),
        };
        match form {
            Some(form) => wanted.form = form,
            None if others => {}
            None => {
                return Err(Refusal {
                    status: StatusCode::NOT_ACCEPTABLE,
                    message: "this is answered in `application/fhir+json` or \
                              `application/fhir+xml`, version 4.0, in UTF-8"
                        .into(),
                });
            }
        }
        Ok(wanted)
    }

    /// Whether an answer goes out as its handler made it.
    fn is_plain(&self) -> bool {
        self.form == Form::Json && !self.pretty && self.part == Part::default()
    }
}

fn pretty_wanted(value: &str) -> Result<bool, Refusal> {
    match value {
        "true" | "" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            message: "`_pretty` is `true` or `false`".into(),
        }),
    }
}

impl Part {
    /// The subset for resources of a type; of a search or history, `kinds` is empty.
    fn subset(&self, kinds: &[&str]) -> Result<Subset, Error> {
        let bad = |message: String| Error::invalid("value", message);
        let summary = match &self.summary {
            Some(text) => Some(Summary::parse(text).ok_or_else(|| {
                bad("`_summary` is `true`, `text`, `data`, `count` or `false`".into())
            })?),
            None => None,
        };
        match (summary, &self.elements) {
            (Some(summary), None) => Ok(Subset::Summary(summary)),
            (Some(Summary::False) | None, Some(elements)) => Elements::parse(elements, kinds)
                .map(Subset::Elements)
                .map_err(|e| bad(e.to_string())),
            (Some(_), Some(_)) => {
                Err(bad("`_summary` and `_elements` exclude each other; send one".into()))
            }
            (None, None) => Ok(Subset::Whole),
        }
    }

    /// The wanted part of an answer: of a resource, or of every resource of a Bundle that answers
    /// a search or history. `None` where that is the whole.
    pub fn of(&self, document: &Document) -> Result<Option<String>, Error> {
        if *self == Self::default() {
            return Ok(None);
        }
        let root = document.root();
        let kind = root.str_at("resourceType").unwrap_or_default();
        let bundle = root.str_at("type").unwrap_or_default();
        if kind == "OperationOutcome" {
            return Ok(None);
        }
        if kind != "Bundle" || !matches!(bundle.as_ref(), "searchset" | "history") {
            return Ok(self.subset(&[&kind])?.of(root));
        }
        let subset = self.subset(&[])?;
        let mut edits = Edits::default();
        let mut changed = false;
        for entry in root.get("entry").into_iter().flat_map(|entries| entries.items()) {
            let outcome = entry.path(&["search", "mode"]).is_some_and(|m| m.is_str("outcome"));
            let Some(resource) = entry.get("resource").filter(|_| !outcome) else { continue };
            if let Some(text) = subset.of(resource) {
                edits.replace(resource.range(), text);
                changed = true;
            }
        }
        Ok(changed.then(|| edits.apply(document.text())))
    }
}

/// A body as the handlers want it, with its media type; `None` where that is unchanged.
pub struct Taken {
    /// The content, not compressed; JSON where it came as XML.
    pub bytes: Bytes,
    /// The media type to set.
    pub media_type: Option<HeaderValue>,
}

/// Takes in a body: bounded, without its content coding, and XML of FHIR as JSON. `raw` tells that
/// the content is not a resource whatever its type says, unless it is FHIR's own.
pub async fn take(headers: &HeaderMap, body: Body, raw: bool) -> Result<Taken, Refused> {
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.map_err(|error| {
        let too_long = std::error::Error::source(&error)
            .is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        match too_long {
            true => Refused::Http(too_large()),
            false => Refused::App(Error::invalid("incomplete", "the body ended early")),
        }
    })?;
    let coding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_vec());
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media::check_content(kind)?;
    let is_xml = match kind.and_then(media::of_content) {
        Some(Form::Xml) => !raw || kind.is_some_and(|kind| kind.contains("fhir")),
        _ => false,
    };
    if coding.is_none() && !is_xml {
        return Ok(Taken { bytes, media_type: None });
    }
    let work = move || -> Result<Taken, Refused> {
        let bytes = match coding {
            Some(coding) => decoded(&coding, bytes)?,
            None => bytes,
        };
        if !is_xml {
            return Ok(Taken { bytes, media_type: None });
        }
        let invalid = |reason: String| Error::invalid("structure", reason);
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| invalid("the body is not valid XML: not valid UTF-8".into()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let json =
            xml::read(text).map_err(|e| invalid(format!("the body is not valid FHIR XML: {e}")))?;
        let media_type = Some(HeaderValue::from_static(FHIR_JSON));
        Ok(Taken { bytes: json.into(), media_type })
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(unfinished().into()))
}

/// Reads a body to its end, or as far as it may reach, and keeps nothing of it.
pub async fn discard(body: Body) {
    let mut pieces = body.into_data_stream();
    let mut read = 0_usize;
    while let Some(Ok(piece)) = pieces.next().await {
        read = read.saturating_add(piece.len());
        if read > MAX_BODY {
            return;
        }
    }
}

/// The answer to a body beyond [`MAX_BODY`].
fn too_large() -> Refusal {
    Refusal {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        message: format!("a body has at most {MAX_BODY} bytes, not compressed; send less at once"),
    }
}

/// Undoes a content coding, up to [`MAX_BODY`] bytes.
fn decoded(coding: &[u8], bytes: Bytes) -> Result<Bytes, Refused> {
    let coding = String::from_utf8_lossy(coding).trim().to_ascii_lowercase();
    let mut out = Vec::new();
    let limit = MAX_BODY as u64 + 1;
    let read = match coding.as_str() {
        "" | "identity" => return Ok(bytes),
        "gzip" | "x-gzip" => {
            flate2::read::MultiGzDecoder::new(&*bytes).take(limit).read_to_end(&mut out)
        }
        "zstd" => zstd::Decoder::new(&*bytes)
            .and_then(|decoder| decoder.take(limit).read_to_end(&mut out)),
        _ => {
            return Err(Refusal {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                message: "a body may be compressed by `gzip` or `zstd`".into(),
            }
            .into());
        }
    };
    if read.is_err() {
        let error = Error::invalid("structure", "the body is not what its `Content-Encoding` says");
        return Err(error.into());
    }
    if out.len() > MAX_BODY {
        return Err(too_large().into());
    }
    Ok(out.into())
}

fn unfinished() -> Error {
    Error::internal("a conversion did not finish")
}

/// Gives an answer the form that is wanted. Only FHIR JSON is touched: other contents have a form
/// of their own.
pub async fn dress(response: Response, wanted: Wanted) -> Response {
    if wanted.is_plain() || !is_fhir_json(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return Failure(Error::internal("an answer ended early")).into_response();
    };
    if bytes.is_empty() {
        if wanted.form == Form::Xml && parts.headers.contains_key(header::CONTENT_TYPE) {
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_XML));
        }
        return Response::from_parts(parts, Body::empty());
    }
    let long = bytes.len() > LONG;
    let work = move || match dressed(&bytes, &wanted, parts.status.is_success()) {
        Ok(text) => {
            if wanted.form == Form::Xml {
                parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_XML));
            }
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(text))
        }
        Err(refusal) => refusal.into_response(),
    };
    match long {
        true => tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|_| Failure(unfinished()).into_response()),
        false => work(),
    }
}

fn is_fhir_json(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/fhir+json"))
}

fn dressed(bytes: &Bytes, wanted: &Wanted, success: bool) -> Result<String, Refused> {
    let failed = |e: fhir::ParseError| Error::internal(format!("an answer is not valid JSON: {e}"));
    let mut document = Document::parse_bytes(bytes.to_vec()).map_err(failed)?;
    if success {
        let part = wanted.part.of(&document)?;
        if let Some(part) = part {
            document = Document::parse(part).map_err(failed)?;
        }
    }
    match wanted.form {
        Form::Json if wanted.pretty => Ok(pretty::pretty(document.root())),
        Form::Json => Ok(document.into_text()),
        Form::Xml => {
            let layout = if wanted.pretty { xml::Layout::Pretty } else { xml::Layout::Compact };
            xml::write(document.root(), layout).map_err(|fault| {
                let message = format!("this cannot be written as XML; ask for JSON: {fault}");
                let status = StatusCode::NOT_ACCEPTABLE;
                Refused::Http(Refusal { status, message })
            })
        }
    }
}

/// Makes an answer to a fault that has no OperationOutcome have one.
pub fn explained(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    if kind.is_some_and(|kind| !kind.starts_with(b"text/plain")) {
        return response;
    }
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => return too_large().into_response(),
        StatusCode::INTERNAL_SERVER_ERROR => {
            return Failure(Error::new(Kind::Internal, "a handler gave no reason")).into_response();
        }
        _ => "the address or a header of the request cannot be read",
    };
    let (mut parts, _) = response.into_parts();
    let outcome = crate::outcome::outcome(&Error::invalid("invalid", message));
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(outcome))
}
