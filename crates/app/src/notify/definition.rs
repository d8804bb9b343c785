//! What a Subscription asks for, read from the resource.

use fhir::{Id, Resource, Value};

use super::{OWNER, owner, subscriber};
use crate::{Error, Kind, Result};

/// Where the extensions of the backport guide live.
pub const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
const XML: &str = "application/fhir+xml";
/// Most events of one notification.
pub const MAX_COUNT: usize = 1_000;
/// Most bytes of `criteria` and of each filter.
const MAX_CRITERIA: usize = 4_000;
const MAX_FILTERS: usize = 50;
const MAX_HEADERS: usize = 20;
const MAX_HEADER: usize = 4_000;
/// Longest time that a receiver may ask to be waited for, and the usual one, in seconds.
const MAX_TIMEOUT_S: i64 = 120;
const TIMEOUT_S: i64 = 20;
const MAX_HEARTBEAT_S: i64 = 30 * 86_400;

/// State of a Subscription (FHIR R4 subscription-status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waiting for the handshake.
    Requested,
    /// Events are sent.
    Active,
    /// Given up; events are still numbered.
    Error,
    /// Ended.
    Off,
}

impl Status {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Active => "active",
            Self::Error => "error",
            Self::Off => "off",
        }
    }

    /// The status with this code.
    pub fn find(code: &str) -> Option<Self> {
        [Self::Requested, Self::Active, Self::Error, Self::Off]
            .into_iter()
            .find(|status| status.code() == code)
    }
}

/// By which way events are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// HTTP requests to this endpoint.
    RestHook(String),
    /// A websocket that the subscriber opens.
    Websocket,
    /// Mails to this address.
    Mail(String),
}

/// How much a notification says (backport-payload-content).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// That something happened.
    Empty,
    /// And to which resources.
    IdOnly,
    /// And the resources.
    Full,
}

impl Content {
    /// The content level with this code.
    pub fn find(code: &str) -> Option<Self> {
        Some(match code {
            "empty" => Self::Empty,
            "id-only" => Self::IdOnly,
            "full-resource" => Self::Full,
            _ => return None,
        })
    }
}

/// The form of notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// FHIR R4 without the guide: an empty request, or the resource itself where the channel names
    /// a payload.
    Plain {
        /// Whether the resource is sent.
        payload: bool,
    },
    /// Bundles of the backport guide.
    Backport(Content),
}

/// What is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A search: type and parameters as written.
    Criteria(String),
    /// A topic with filters as written.
    Topic {
        /// Canonical URL.
        url: String,
        /// `backport-filter-criteria`.
        filters: Vec<String>,
    },
}

/// A Subscription as this node understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its id.
    pub id: Id,
    /// The version that was read; 0 before it is stored.
    pub version: u64,
    /// Its state.
    pub status: Status,
    /// Account of the subscriber.
    pub owner: String,
    /// Purpose of use under which the subscriber asked.
    pub purpose: String,
    /// The patient, for a patient's account.
    pub patient: Option<Id>,
    /// What is subscribed to.
    pub what: What,
    /// By which way events are sent.
    pub channel: Channel,
    /// Headers for a rest-hook.
    pub headers: Vec<(String, String)>,
    /// The form of notifications.
    pub style: Style,
    /// Media type of the payload as it was asked for.
    pub media_type: String,
    /// How long it may be quiet, in milliseconds.
    pub heartbeat_ms: Option<i64>,
    /// How long the receiver may take, in milliseconds.
    pub timeout_ms: i64,
    /// Most events of one notification.
    pub max_count: usize,
    /// When it ends, milliseconds since the Unix epoch.
    pub end_ms: Option<i64>,
}

fn required(name: &str) -> Error {
    Error::new(Kind::Unprocessable, format!("`{name}` is missing"))
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Kind::Unprocessable, message)
}

impl Definition {
    /// Reads a Subscription. Whatever is not understood is refused by name.
    pub fn read(resource: &Resource, version: u64) -> Result<Self> {
        let root = resource.root();
        let channel = root.get("channel").ok_or_else(|| required("channel"))?;
        let status = root.str_at("status").ok_or_else(|| required("status"))?;
        let status = Status::find(&status)
            .ok_or_else(|| refused("`status` must be requested, active, error or off"))?;
        let (what, is_topic) = what(root)?;
        let (style, media_type) = style(channel, is_topic)?;
        let settings = Settings::read(channel)?;
        let end_ms = match root.str_at("end") {
            Some(end) => Some(
                fhir::time::parse(&end).ok_or_else(|| refused("`end` is not an instant"))?.start_ms,
            ),
            None => None,
        };
        Ok(Self {
            id: resource.id().map_or_else(|| Id::new("new"), Ok).map_err(|_| required("id"))?,
            version,
            status,
            owner: owner(resource).unwrap_or_default(),
            purpose: purpose(root).unwrap_or_default(),
            patient: subscriber(resource),
            what,
            channel: way(channel)?,
            headers: headers(channel)?,
            style,
            media_type,
            heartbeat_ms: settings.heartbeat_s.map(|s| s * 1000),
            timeout_ms: settings.timeout_s.unwrap_or(TIMEOUT_S) * 1000,
            max_count: match style {
                Style::Plain { .. } => 1,
                Style::Backport(_) => settings.max_count.unwrap_or(MAX_COUNT),
            },
            end_ms,
        })
    }

    /// The content of notifications that name or carry resources; `None` where they do not.
    pub fn discloses(&self) -> bool {
        match self.style {
            Style::Plain { payload } => payload,
            Style::Backport(content) => content != Content::Empty,
        }
    }

    /// Whether notifications are written as XML.
    pub fn is_xml(&self) -> bool {
        matches!(self.media_type.as_str(), XML | "application/xml")
    }

    /// The topic's canonical URL, for a topic subscription.
    pub fn topic(&self) -> Option<&str> {
        match &self.what {
            What::Topic { url, .. } => Some(url),
            What::Criteria(_) => None,
        }
    }
}

fn extensions<'a>(value: Value<'a>) -> impl Iterator<Item = (String, Value<'a>)> {
    let list = value.get("extension").into_iter().flat_map(Value::items);
    list.filter_map(|e| Some((e.str_at("url")?.into_owned(), e)))
}

fn purpose(root: Value<'_>) -> Option<String> {
    let (_, owner) = extensions(root).find(|(url, _)| url == OWNER)?;
    let (_, purpose) =
        extensions(owner.get("valueReference")?).find(|(url, _)| url == "purpose")?;
    Some(purpose.str_at("valueCode")?.into_owned())
}

fn what(root: Value<'_>) -> Result<(What, bool)> {
    let criteria = root.str_at("criteria").ok_or_else(|| required("criteria"))?.into_owned();
    let mut filters = Vec::new();
    for (url, extension) in root.get("_criteria").into_iter().flat_map(extensions) {
        if url != format!("{BACKPORT}backport-filter-criteria") {
            return Err(refused("`criteria` has an extension that is not supported"));
        }
        let filter = extension.str_at("valueString");
        filters.push(filter.ok_or_else(|| required("backport-filter-criteria"))?.into_owned());
    }
    if filters.len() > MAX_FILTERS {
        return Err(refused(format!("a subscription has at most {MAX_FILTERS} filters")));
    }
    if criteria.len() > MAX_CRITERIA || filters.iter().any(|f| f.len() > MAX_CRITERIA) {
        return Err(refused(format!("criteria are at most {MAX_CRITERIA} bytes long")));
    }
    if criteria.contains("://") && !criteria.contains('?') {
        return Ok((What::Topic { url: criteria, filters }, true));
    }
    if !filters.is_empty() {
        return Err(refused(
            "filters go with a topic; put everything into `criteria` or name a topic there",
        ));
    }
    Ok((What::Criteria(criteria), false))
}

fn way(channel: Value<'_>) -> Result<Channel> {
    let kind = channel.str_at("type").ok_or_else(|| required("channel.type"))?;
    if channel.get("_type").is_some() {
        return Err(refused(
            "`channel.type` has an extension: additional channels are not supported",
        ));
    }
    let endpoint = channel.str_at("endpoint").map(|endpoint| endpoint.into_owned());
    match (kind.as_ref(), endpoint) {
        ("rest-hook", Some(endpoint)) => Ok(Channel::RestHook(endpoint)),
        ("websocket", _) => Ok(Channel::Websocket),
        ("email", Some(endpoint)) => {
            let address = endpoint.strip_prefix("mailto:").unwrap_or(&endpoint).to_owned();
            match federation::notify::Mail::is_address(&address) {
                true => Ok(Channel::Mail(address)),
                false => Err(refused("`channel.endpoint` must be `mailto:` and one mail address")),
            }
        }
        ("rest-hook" | "email", None) => Err(required("channel.endpoint")),
        ("sms" | "message", _) => Err(refused(format!(
            "the channel `{kind}` is not supported; use rest-hook, websocket or email"
        ))),
        _ => Err(refused("`channel.type` must be rest-hook, websocket or email")),
    }
}

fn headers(channel: Value<'_>) -> Result<Vec<(String, String)>> {
    /// What the connection itself decides.
    const RESERVED: [&str; 9] = [
        "host",
        "content-type",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
    ];
    let mut headers = Vec::new();
    for header in channel.get("header").into_iter().flat_map(Value::items) {
        let text = header.as_str().ok_or_else(|| refused("`channel.header` must be strings"))?;
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| refused("`channel.header` must be written `Name: value`"))?;
        let (name, value) = (name.trim(), value.trim());
        let is_name = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        let is_value = value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
        if !is_name || !is_value || text.len() > MAX_HEADER {
            return Err(refused("`channel.header` must be written `Name: value` in ASCII"));
        }
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(refused("`channel.header` holds a header that the node sets itself"));
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    if headers.len() > MAX_HEADERS {
        return Err(refused(format!("a channel has at most {MAX_HEADERS} headers")));
    }
    Ok(headers)
}

fn style(channel: Value<'_>, is_topic: bool) -> Result<(Style, String)> {
    let mut content = None;
    for (url, extension) in channel.get("_payload").into_iter().flat_map(extensions) {
        if url != format!("{BACKPORT}backport-payload-content") {
            return Err(refused("`channel.payload` has an extension that is not supported"));
        }
        let code = extension.str_at("valueCode").unwrap_or_default();
        content = Some(Content::find(&code).ok_or_else(|| {
            refused("`backport-payload-content` must be empty, id-only or full-resource")
        })?);
    }
    let payload = channel.str_at("payload");
    let media_type = match payload.as_deref().map(media_type) {
        Some(known) => known?,
        None => "application/fhir+json".to_owned(),
    };
    match (content, is_topic) {
        (Some(content), _) => Ok((Style::Backport(content), media_type)),
        (None, true) => Err(required("backport-payload-content")),
        (None, false) => Ok((Style::Plain { payload: payload.is_some() }, media_type)),
    }
}

fn media_type(text: &str) -> Result<String> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let known = ["application/fhir+json", "application/json", XML, "application/xml"];
    if !known.contains(&kind.as_str()) {
        return Err(refused(
            "`channel.payload` must be `application/fhir+json` or `application/fhir+xml`",
        ));
    }
    for part in parts {
        let part = part.replace(' ', "").to_ascii_lowercase();
        if !matches!(
            part.as_str(),
            "fhirversion=4.0"
                | "charset=utf-8"
                | "attach=application/fhir+json"
                | "attach=application/fhir+xml"
        ) {
            return Err(refused("`channel.payload` asks for a form that is not supported"));
        }
    }
    Ok(kind)
}

/// The backport's extensions of a channel.
#[derive(Default)]
struct Settings {
    heartbeat_s: Option<i64>,
    timeout_s: Option<i64>,
    max_count: Option<usize>,
}

impl Settings {
    fn read(channel: Value<'_>) -> Result<Self> {
        let mut settings = Self::default();
        for (url, extension) in extensions(channel) {
            let number = |name: &str, from: i64, to: i64| {
                let value = extension.get(name).and_then(Value::as_number)?.parse::<i64>().ok()?;
                (from..=to).contains(&value).then_some(value)
            };
            let bad = |what: &str| refused(format!("`{what}` is out of range"));
            match url.strip_prefix(BACKPORT) {
                Some("backport-heartbeat-period") => {
                    let found = number("valueUnsignedInt", 1, MAX_HEARTBEAT_S);
                    settings.heartbeat_s = Some(found.ok_or_else(|| bad("heartbeat-period"))?);
                }
                Some("backport-timeout") => {
                    let found = number("valueUnsignedInt", 1, MAX_TIMEOUT_S);
                    settings.timeout_s = Some(found.ok_or_else(|| {
                        refused(format!("`timeout` must be 1 to {MAX_TIMEOUT_S} seconds"))
                    })?);
                }
                Some("backport-max-count") => {
                    let found =
                        number("valuePositiveInt", 1, i64::MAX).ok_or_else(|| bad("max-count"))?;
                    let found = usize::try_from(found).unwrap_or(MAX_COUNT).min(MAX_COUNT);
                    settings.max_count = Some(found);
                }
                _ => return Err(refused("`channel` has an extension that is not supported")),
            }
        }
        Ok(settings)
    }
}
