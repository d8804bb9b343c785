//! Requests, out of the parameters of a GET or the body of a POST.

use serde_json::{Map, Value as Json, json};

use super::{
    API_VERSION, BeaconError, Entry, Filter, Granularity, MOST_BODY, MOST_PAGE, MOST_WORD, PAGE,
};

/// Most schemas that a request names.
const MOST_SCHEMAS: usize = 20;

/// A request that is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeaconRequest {
    /// What it asks for.
    pub entry: Entry,
    /// Its filters, all of which must hold.
    pub filters: Vec<Filter>,
    /// How much it wants to know, if it says so.
    pub granularity: Option<Granularity>,
    /// Which page it wants.
    pub pagination: Pagination,
    /// Of which result sets it wants to know.
    pub include: Include,
    /// Whether it is a trial, to be answered without looking at data.
    pub is_test: bool,
    /// The schemas that it names, as entry and schema.
    pub schemas: Vec<(String, String)>,
}

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pagination {
    /// How many pages are passed over.
    pub skip: u32,
    /// How many entries a page has; from 1 to [`MOST_PAGE`].
    pub limit: u32,
}

/// Of which result sets an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// All.
    All,
    /// Those with a result.
    Hit,
    /// Those without.
    Miss,
    /// None.
    None,
}

impl BeaconRequest {
    /// A request of no filter.
    #[must_use]
    pub fn plain(entry: Entry) -> Self {
        Self {
            entry,
            filters: Vec::new(),
            granularity: None,
            pagination: Pagination { skip: 0, limit: PAGE },
            include: Include::Hit,
            is_test: false,
            schemas: Vec::new(),
        }
    }

    /// Out of the parameters of a GET request, decoded.
    ///
    /// # Errors
    /// 400 for parameters that are not known, twice there or not well formed.
    pub fn from_parameters<'a>(
        entry: Entry,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BeaconError> {
        let mut request = Self::plain(entry);
        let mut seen = std::collections::BTreeSet::new();
        for (name, value) in parameters {
            if value.len() > MOST_BODY {
                return Err(BeaconError::invalid("a parameter is too long"));
            }
            // Lists may be given in pieces.
            if !seen.insert(name) && name != "filters" {
                return Err(BeaconError::invalid("a parameter is there twice"));
            }
            match name {
                "filters" => request.filters.extend(Filter::from_list(value)?),
                "skip" => request.pagination.skip = number(value, "skip")?,
                "limit" => request.pagination.limit = limit(number(value, "limit")?),
                "requestedGranularity" => request.granularity = Some(granularity(value)?),
                "includeResultsetResponses" => request.include = include(value)?,
                "testMode" => request.is_test = truth(value)?,
                "requestedSchema" => {
                    let schema = schema_word(value)?;
                    request.schemas.push((entry.as_str().to_owned(), schema));
                }
                _ => {
                    return Err(BeaconError::invalid(
                        "the parameters are filters, skip, limit, requestedGranularity, includeResultsetResponses, requestedSchema and testMode",
                    ));
                }
            }
        }
        if request.filters.len() > super::MOST_FILTERS {
            let most = super::MOST_FILTERS;
            return Err(BeaconError::invalid(format!("a request has at most {most} filters")));
        }
        Ok(request)
    }

    /// Out of the body of a POST request.
    ///
    /// # Errors
    /// 400 for a body that is not as Beacon has it, or wants what this Beacon has not.
    pub fn from_body(entry: Entry, body: &[u8]) -> Result<Self, BeaconError> {
        if body.len() > MOST_BODY {
            return Err(BeaconError::invalid(format!("a request has at most {MOST_BODY} bytes")));
        }
        let body: Json = serde_json::from_slice(body)
            .map_err(|_| BeaconError::invalid("the body of a request is JSON"))?;
        let body = fields(&body, "the body", &["$schema", "meta", "query"])?;
        let mut request = Self::plain(entry);
        let Some(meta) = body.get("meta") else {
            return Err(BeaconError::invalid("a request has `meta`"));
        };
        request.read_meta(fields(
            meta,
            "`meta`",
            &["$schema", "apiVersion", "requestedSchemas"],
        )?)?;
        if let Some(query) = body.get("query") {
            let known = [
                "requestParameters",
                "filters",
                "includeResultsetResponses",
                "pagination",
                "requestedGranularity",
                "testMode",
            ];
            request.read_query(fields(query, "`query`", &known)?)?;
        }
        Ok(request)
    }

    fn read_meta(&mut self, meta: &Map<String, Json>) -> Result<(), BeaconError> {
        let version = meta.get("apiVersion").and_then(Json::as_str).unwrap_or_default();
        let plain = version.strip_prefix('v').unwrap_or(version);
        if plain != "2" && !plain.starts_with("2.") {
            return Err(BeaconError::invalid("`meta.apiVersion` is 2 or a version of it"));
        }
        let Some(schemas) = meta.get("requestedSchemas") else { return Ok(()) };
        let list =
            schemas.as_array().filter(|list| list.len() <= MOST_SCHEMAS).ok_or_else(|| {
                let message =
                    format!("`meta.requestedSchemas` is a list of at most {MOST_SCHEMAS}");
                BeaconError::invalid(message)
            })?;
        for one in list {
            let one = fields(one, "a schema", &["entityType", "schema"])?;
            let word =
                |name: &str| schema_word(one.get(name).and_then(Json::as_str).unwrap_or("-"));
            self.schemas.push((word("entityType")?, word("schema")?));
        }
        Ok(())
    }

    fn read_query(&mut self, query: &Map<String, Json>) -> Result<(), BeaconError> {
        for (name, value) in query {
            match name.as_str() {
                "filters" => self.filters = Filter::from_json(value)?,
                "includeResultsetResponses" => self.include = include(as_text(value, name)?)?,
                "requestedGranularity" => {
                    self.granularity = Some(granularity(as_text(value, name)?)?);
                }
                "testMode" => {
                    self.is_test = value
                        .as_bool()
                        .ok_or_else(|| BeaconError::invalid("`testMode` is true or false"))?;
                }
                "pagination" => {
                    let page = fields(value, "`pagination`", &["skip", "limit"])?;
                    for (name, value) in page {
                        let value = value.as_u64().and_then(|v| u32::try_from(v).ok());
                        let value = value.ok_or_else(|| not_a_number(name))?;
                        match name.as_str() {
                            "skip" => self.pagination.skip = value,
                            _ => self.pagination.limit = limit(value),
                        }
                    }
                }
                // Parameters ask for variants, which there are none of here.
                _ if value.as_object().is_some_and(Map::is_empty) => {}
                _ => {
                    return Err(BeaconError::invalid(
                        "this Beacon takes no `requestParameters`; ask with filters",
                    ));
                }
            }
        }
        Ok(())
    }

    /// What is said of individuals: the least of what is asked for, counts, and what this Beacon gives.
    #[must_use]
    pub fn returned(&self, finest: Granularity) -> Granularity {
        let wanted = self.granularity.unwrap_or(Granularity::Boolean);
        wanted.min(Granularity::Count).min(finest)
    }

    /// The summary that goes back in the answer.
    #[must_use]
    pub fn summary(&self, asked: Granularity) -> Json {
        let schemas: Vec<Json> = self
            .schemas
            .iter()
            .map(|(entry, schema)| json!({"entityType": entry, "schema": schema}))
            .collect();
        json!({
            "apiVersion": API_VERSION,
            "requestedSchemas": schemas,
            "filters": self.filters.iter().map(Filter::id).collect::<Vec<_>>(),
            "includeResultsetResponses": match self.include {
                Include::All => "ALL",
                Include::Hit => "HIT",
                Include::Miss => "MISS",
                Include::None => "NONE",
            },
            "pagination": {"skip": self.pagination.skip, "limit": self.pagination.limit},
            "requestedGranularity": self.granularity.unwrap_or(asked).as_str(),
            "testMode": self.is_test,
        })
    }
}

/// The fields of an object that has no others than these.
fn fields<'a>(
    value: &'a Json,
    what: &str,
    known: &[&str],
) -> Result<&'a Map<String, Json>, BeaconError> {
    let object =
        value.as_object().ok_or_else(|| BeaconError::invalid(format!("{what} is an object")))?;
    if object.keys().any(|key| !known.contains(&key.as_str())) {
        return Err(BeaconError::invalid(format!("{what} has only {}", known.join(", "))));
    }
    Ok(object)
}

fn as_text<'a>(value: &'a Json, name: &str) -> Result<&'a str, BeaconError> {
    value.as_str().ok_or_else(|| BeaconError::invalid(format!("`{name}` is a text")))
}

fn schema_word(text: &str) -> Result<String, BeaconError> {
    if text.is_empty() || text.chars().count() > MOST_WORD || text.chars().any(char::is_control) {
        return Err(BeaconError::invalid("the name of a schema is not well formed"));
    }
    Ok(text.to_owned())
}

fn granularity(word: &str) -> Result<Granularity, BeaconError> {
    Ok(match word {
        "boolean" => Granularity::Boolean,
        "count" => Granularity::Count,
        "record" => Granularity::Record,
        _ => {
            let message = "`requestedGranularity` is boolean, count or record";
            return Err(BeaconError::invalid(message));
        }
    })
}

fn include(word: &str) -> Result<Include, BeaconError> {
    Ok(match word {
        "ALL" => Include::All,
        "HIT" => Include::Hit,
        "MISS" => Include::Miss,
        "NONE" => Include::None,
        _ => {
            let message = "`includeResultsetResponses` is ALL, HIT, MISS or NONE";
            return Err(BeaconError::invalid(message));
        }
    })
}

fn truth(word: &str) -> Result<bool, BeaconError> {
    match word {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(BeaconError::invalid("`testMode` is true or false")),
    }
}

fn number(text: &str, name: &str) -> Result<u32, BeaconError> {
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten().ok_or_else(|| not_a_number(name))
}

fn not_a_number(name: &str) -> BeaconError {
    BeaconError::invalid(format!("`{name}` is a whole number that is not negative"))
}

/// Zero asks for as many as there may be.
fn limit(asked: u32) -> u32 {
    if asked == 0 { MOST_PAGE } else { asked.min(MOST_PAGE) }
}
