//! Batch and transaction over HTTP. The writes of a transaction are one act of `app`; the entries
//! of a batch, and what a transaction reads, are answered by the same routes as plain requests.

use std::collections::HashMap;

use app::records::bundle::{self, Answer, at_entry, relative};
use app::records::patch::{IN_BINARY, JSON_PATCH, XML_PATCH};
use app::{App, Caller, Error};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::json::{Kind as JsonKind, quote};
use fhir::{Document, Resource, Value};
use futures_util::{StreamExt, stream};
use tower::ServiceExt;

use super::content::Wanted;
use super::media::{self, Form};
use super::prefer::Return;
use super::{Answered, Asked, answer, parse, unsupported_media};
use crate::MAX_BODY;
use crate::outcome::Failure;

/// Entries of one step of a batch that are answered at the same time.
const TOGETHER: usize = 8;
/// Resources that a Bundle of answers shows unless the client asks for all.
const SHOWN: usize = 100;
/// Most bytes in the answers to the entries of one Bundle.
const MAX_ANSWER: usize = 4 * MAX_BODY;

/// The routes by which entries are answered: all but batches inside batches.
#[derive(Clone)]
pub struct Inner(pub Router);

/// Who sent a Bundle, and what goes for all of its entries.
struct Sender {
    routes: Router,
    caller: Caller,
    wish: Option<Return>,
}

/// `POST` to the base.
pub async fn process(
    State(app): State<App>,
    Asked(caller): Asked,
    inner: Option<Extension<Inner>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| media::of_content(kind) != Some(Form::Json)) {
        return Ok(unsupported_media("send `application/fhir+json` or `application/fhir+xml`")
            .into_response());
    }
    let Some(Extension(Inner(routes))) = inner else {
        return Err(Error::invalid("not-supported", "a bundle cannot stand in a bundle").into());
    };
    let resource = app.run(move |_| parse(&body)).await?;
    if resource.type_name() != "Bundle" {
        let message = "the base takes a Bundle; send others to their type";
        return Err(Error::invalid("value", message).into());
    }
    let sender = Sender { routes, caller, wish: Return::preferred(&headers) };
    let kind = resource.root().str_at("type").unwrap_or_default().into_owned();
    let entries = match kind.as_str() {
        "transaction" => transaction(&app, &sender, resource).await?,
        "batch" => batch(&app, &sender, resource).await?,
        _ => {
            let message = "`Bundle.type` must be `batch` or `transaction`";
            return Err(Error::invalid("value", message).into());
        }
    };
    let length = entries.iter().map(|entry| entry.len() + 1).sum::<usize>();
    let mut out = String::with_capacity(length + 100);
    out.push_str(&format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}-response\""));
    for (at, entry) in entries.iter().enumerate() {
        out.push_str(if at == 0 { ",\"entry\":[" } else { "," });
        out.push_str(entry);
    }
    out.push_str(if entries.is_empty() { "}" } else { "]}" });
    Ok(answer::json(StatusCode::OK, out))
}

/// What a transaction answers: everything is written before anything is read.
async fn transaction(
    app: &App,
    sender: &Sender,
    resource: Resource,
) -> Result<Vec<String>, Failure> {
    let (caller, wish) = (sender.caller.clone(), sender.wish);
    let (resource, mut entries): (Resource, Vec<String>) = app
        .run(move |app| {
            let entries = bundle::entries(app, resource.root())?;
            let answers = bundle::transaction(app, &caller, &entries)?;
            drop(entries);
            let wish = wish.unwrap_or(match answers.len() {
                0..=SHOWN => Return::Representation,
                // A large transaction would double otherwise.
                _ => Return::Minimal,
            });
            let stored = match wish {
                Return::Representation => bundle::representations(app, &answers)?,
                _ => HashMap::new(),
            };
            let entries = answers.iter().map(|one| match one {
                Answer::Get { .. } => String::new(),
                Answer::Written(written) => {
                    let text = stored.get(&written.seq).map(|stored| stored.text.as_str());
                    answer::response_entry(app, one, text, wish)
                }
                Answer::Deleted(_) => answer::response_entry(app, one, None, wish),
            });
            Ok((resource, entries.collect()))
        })
        .await?;
    let reads = requests(app, resource.root())
        .into_iter()
        .enumerate()
        .filter(|(at, _)| entries.get(*at).is_some_and(String::is_empty));
    let answers: Vec<_> = stream::iter(reads)
        .map(|(at, request)| async move { (at, sender.ask(request).await) })
        .buffer_unordered(TOGETHER)
        .collect()
        .await;
    for (at, text) in answers {
        if let Some(entry) = entries.get_mut(at) {
            *entry = text;
        }
    }
    Ok(entries)
}

/// What a batch answers: every entry by itself, in the order of a transaction's steps.
async fn batch(app: &App, sender: &Sender, resource: Resource) -> Result<Vec<String>, Failure> {
    let requests = requests(app, resource.root());
    bundle::check_count(requests.len())?;
    drop(resource);
    let mut entries = vec![String::new(); requests.len()];
    let mut steps: [Vec<(usize, Result<Request, Error>)>; 4] = Default::default();
    for (at, request) in requests.into_iter().enumerate() {
        let step = match &request {
            Ok(request) => match request.method().as_str() {
                "DELETE" => 0,
                "POST" => 1,
                "PUT" | "PATCH" => 2,
                _ => 3,
            },
            Err(_) => 3,
        };
        if let Some(step) = steps.get_mut(step) {
            step.push((at, request));
        }
    }
    let mut left = MAX_ANSWER;
    for step in steps {
        let mut answers = stream::iter(step)
            .map(|(at, request)| async move { (at, sender.ask(request).await) })
            .buffer_unordered(TOGETHER);
        while let Some((at, text)) = answers.next().await {
            let text = match left.checked_sub(text.len()) {
                Some(rest) => {
                    left = rest;
                    text
                }
                None => answer::failed_entry(&Error::new(
                    app::Kind::TooCostly,
                    "the answers to this bundle are too long together; send fewer entries",
                )),
            };
            if let Some(entry) = entries.get_mut(at) {
                *entry = text;
            }
        }
    }
    Ok(entries)
}

/// The entries of a Bundle as plain requests.
fn requests(app: &App, bundle: Value<'_>) -> Vec<Result<Request, Error>> {
    let base = format!("{}/fhir/", app.org().base_url);
    let list = bundle.get("entry").into_iter().flat_map(|entry| entry.items());
    let one = |(at, entry)| request(entry, &base).map_err(|e| at_entry(e, at));
    list.enumerate().map(one).collect()
}

/// Characters that may stand in an address as they are; others are percent-encoded.
fn encoded(url: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
    let mut out = String::with_capacity(url.len());
    for byte in url.bytes() {
        match plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The members of `entry.request` that stand for headers (FHIR R4 http, section on batch and
/// transaction).
const HEADERS: [(&str, HeaderName); 4] = [
    ("ifMatch", header::IF_MATCH),
    ("ifNoneMatch", header::IF_NONE_MATCH),
    ("ifModifiedSince", header::IF_MODIFIED_SINCE),
    ("ifNoneExist", HeaderName::from_static("if-none-exist")),
];

fn request(entry: Value<'_>, base: &str) -> Result<Request, Error> {
    let required = |name: &str| Error::invalid("required", format!("`{name}` is missing"));
    let request = entry.get("request").ok_or_else(|| required("request"))?;
    let method = request.str_at("method").ok_or_else(|| required("request.method"))?;
    if !matches!(method.as_ref(), "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE") {
        let method: String = method.chars().take(20).collect();
        let message = format!("method `{method}` is not offered in a bundle");
        return Err(Error::invalid("not-supported", message));
    }
    let url = request.str_at("url").ok_or_else(|| required("request.url"))?;
    let url = format!("/fhir/{}", encoded(relative(&url, base)));
    let mut builder = Request::builder().method(method.as_ref()).uri(url);
    for (member, name) in HEADERS {
        let Some(mut value) = request.str_at(member) else { continue };
        if member == "ifModifiedSince" {
            let range = fhir::time::parse(&value).ok_or_else(|| {
                Error::invalid("value", "`request.ifModifiedSince` is an instant")
            })?;
            value = answer::http_date(range.start_ms).into();
        }
        builder = builder.header(name, value.as_ref());
    }
    let (media_type, body) = body(entry, &method)?;
    if let Some(media_type) = media_type {
        builder = builder.header(header::CONTENT_TYPE, media_type);
    }
    builder
        .body(Body::from(body))
        .map_err(|_| Error::invalid("value", "`request` has a value that is no address or header"))
}

/// The body of an entry's request, with its media type.
fn body(entry: Value<'_>, method: &str) -> Result<(Option<&'static str>, Vec<u8>), Error> {
    let resource = entry.get("resource").filter(|value| value.kind() == JsonKind::Object);
    let fhir = Some("application/fhir+json");
    match (method, resource) {
        ("GET" | "HEAD" | "DELETE", _) => Ok((None, Vec::new())),
        ("PATCH", Some(patch))
            if patch.get("resourceType").is_some_and(|kind| kind.is_str("Binary")) =>
        {
            let kind = patch.str_at("contentType").unwrap_or_default();
            let known = [JSON_PATCH, XML_PATCH].into_iter().find(|one| media::name(&kind) == *one);
            let known = known.ok_or_else(|| Error::invalid("not-supported", IN_BINARY))?;
            let data = patch.str_at("data").unwrap_or_default();
            let bytes = STANDARD
                .decode(data.as_bytes())
                .map_err(|_| Error::invalid("value", "`Binary.data` is not valid base64"))?;
            Ok((Some(known), bytes))
        }
        (_, Some(resource)) => Ok((fhir, resource.raw().as_bytes().to_vec())),
        ("POST", None) => Ok((fhir, Vec::new())),
        (_, None) => Err(Error::invalid("required", "`resource` is missing")),
    }
}

impl Sender {
    /// Answers one entry: the text of the entry of the answer.
    async fn ask(&self, request: Result<Request, Error>) -> String {
        let mut request = match request {
            Ok(request) => request,
            Err(error) => return answer::failed_entry(&error),
        };
        let is_read = matches!(request.method().as_str(), "GET" | "HEAD");
        let json = HeaderValue::from_static("application/fhir+json");
        request.headers_mut().insert(header::ACCEPT, json);
        let wish = match self.wish {
            Some(Return::Minimal) => Some("return=minimal"),
            Some(Return::Outcome) => Some("return=OperationOutcome"),
            _ => None,
        };
        if let Some(wish) = wish {
            request.headers_mut().insert("prefer", HeaderValue::from_static(wish));
        }
        let wanted =
            Wanted::read(request.headers(), request.uri().query(), None, true).map(|w| w.part);
        request.extensions_mut().insert(self.caller.clone());
        let Ok(response) = self.routes.clone().oneshot(request).await;
        match text_of(response).await {
            Ok((parts, body)) => {
                let body = match wanted {
                    Ok(part) if is_read && parts.status.is_success() => {
                        match Document::parse(body.as_str()).map(|document| part.of(&document)) {
                            Ok(Ok(Some(part))) => part,
                            Ok(Err(error)) => return answer::failed_entry(&error),
                            _ => body,
                        }
                    }
                    _ => body,
                };
                entry(&parts, &body)
            }
            Err(error) => answer::failed_entry(&error),
        }
    }
}

/// Status, headers and FHIR JSON of an answer.
pub async fn text_of(response: Response) -> Result<(Parts, String), Error> {
    let (parts, body) = response.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    if kind.is_some_and(|kind| !kind.starts_with(b"application/fhir+json")) {
        let message = "what this entry asks for is no resource; ask for it by itself";
        return Err(Error::invalid("not-supported", message));
    }
    let too_long = |_| Error::new(app::Kind::TooCostly, "the answer to this entry is too long");
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.map_err(too_long)?;
    let text = String::from_utf8(bytes.into())
        .map_err(|_| Error::internal("an answer is not valid UTF-8"))?;
    Ok((parts, text))
}

/// One entry of a batch-response or transaction-response, out of the answer to a plain request.
pub fn entry(parts: &Parts, body: &str) -> String {
    let status = parts.status;
    let mut response = format!("\"response\":{{\"status\":{}", quote(&status.to_string()));
    let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    for (member, name) in [("location", header::LOCATION), ("etag", header::ETAG)] {
        if let Some(value) = header(name) {
            response += &format!(",\"{member}\":{}", quote(value));
        }
    }
    if let Some(answer::UpdatedMs(ms)) = parts.extensions.get() {
        response += &format!(",\"lastModified\":\"{}\"", fhir::time::instant(*ms));
    }
    let is_outcome = body.starts_with("{\"resourceType\":\"OperationOutcome\"");
    match (body.is_empty(), is_outcome || !status.is_success()) {
        (true, _) => format!("{{{response}}}}}"),
        (false, true) => format!("{{{response},\"outcome\":{body}}}}}"),
        (false, false) => format!("{{\"resource\":{body},{response}}}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_entries_are_made_fit_for_http() {
        for (url, expected) in [
            ("Patient/1", "Patient/1"),
            ("Patient?identifier=urn:a|b c", "Patient?identifier=urn:a%7Cb%20c"),
            ("Patient?name=M%C3%BCller", "Patient?name=M%C3%BCller"),
            ("Patient?name=Müller", "Patient?name=M%C3%BCller"),
        ] {
            assert_eq!(encoded(url), expected);
        }
    }
}
