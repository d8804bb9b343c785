//! Filters of a request.

use serde_json::{Map, Value as Json};

use super::{BeaconError, Entry, MOST_FILTERS, MOST_WORD};

/// One filter; a request's filters must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A term of an ontology.
    Ontology {
        /// The compact identifier: `HP:0100526`.
        id: String,
        /// Whether terms below it count as well.
        descendants: bool,
        /// Of what it is a filter.
        scope: Option<Entry>,
    },
    /// A comparison with a value.
    Alphanumeric {
        /// The field.
        id: String,
        /// How it is compared.
        operator: Operator,
        /// With what; `%` stands for any characters where texts are compared.
        value: String,
        /// Of what it is a filter.
        scope: Option<Entry>,
    },
    /// A term of this Beacon's own.
    Custom {
        /// The term.
        id: String,
        /// Of what it is a filter.
        scope: Option<Entry>,
    },
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The same.
    Equal,
    /// Not the same.
    Not,
    /// Less.
    Less,
    /// Less or the same.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or the same.
    AtLeast,
}

impl Filter {
    /// The id of a term or field.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Ontology { id, .. } | Self::Alphanumeric { id, .. } | Self::Custom { id, .. } => {
                id
            }
        }
    }

    /// Of what it is a filter.
    #[must_use]
    pub fn scope(&self) -> Option<Entry> {
        match self {
            Self::Ontology { scope, .. }
            | Self::Alphanumeric { scope, .. }
            | Self::Custom { scope, .. } => *scope,
        }
    }

    /// The filters of a GET request, separated by commas: terms, each with those below it.
    pub(super) fn from_list(list: &str) -> Result<Vec<Self>, BeaconError> {
        let ids: Vec<&str> = list.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
        bounded(ids.len())?;
        ids.into_iter().map(|id| Ok(term(word(id, "filters")?, true, None))).collect()
    }

    /// The filters of a POST request.
    pub(super) fn from_json(filters: &Json) -> Result<Vec<Self>, BeaconError> {
        let Json::Array(filters) = filters else {
            return Err(BeaconError::invalid("`query.filters` is a list"));
        };
        bounded(filters.len())?;
        filters.iter().map(Self::one).collect()
    }

    fn one(filter: &Json) -> Result<Self, BeaconError> {
        let Json::Object(fields) = filter else {
            return Err(BeaconError::invalid("a filter is an object with an `id`"));
        };
        let known = ["id", "operator", "value", "scope", "includeDescendantTerms", "similarity"];
        if fields.keys().any(|key| !known.contains(&key.as_str())) {
            return Err(BeaconError::invalid(format!("a filter has only {}", known.join(", "))));
        }
        let Some(id) = text(fields, "id")? else {
            return Err(BeaconError::invalid("a filter has an `id`"));
        };
        let scope = text(fields, "scope")?.map(|scope| entry(&scope)).transpose()?;
        let descendants = match fields.get("includeDescendantTerms") {
            None => true,
            Some(Json::Bool(truth)) => *truth,
            Some(_) => {
                return Err(BeaconError::invalid("`includeDescendantTerms` is true or false"));
            }
        };
        match text(fields, "similarity")?.as_deref() {
            None | Some("exact") => {}
            Some("high" | "medium" | "low") => {
                return Err(BeaconError::invalid("this Beacon knows only `similarity` exact"));
            }
            Some(_) => {
                return Err(BeaconError::invalid("`similarity` is exact, high, medium or low"));
            }
        }
        let value = match fields.get("value") {
            Some(Json::Number(number)) => Some(number.to_string()),
            _ => text(fields, "value")?,
        };
        match (text(fields, "operator")?, value) {
            (None, None) => Ok(term(id, descendants, scope)),
            (Some(operator), Some(value)) => {
                Ok(Self::Alphanumeric { id, operator: Operator::read(&operator)?, value, scope })
            }
            _ => Err(BeaconError::invalid("a filter has `operator` and `value`, or neither")),
        }
    }
}

impl Operator {
    fn read(text: &str) -> Result<Self, BeaconError> {
        Ok(match text {
            "=" => Self::Equal,
            "!" => Self::Not,
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::Greater,
            ">=" => Self::AtLeast,
            _ => return Err(BeaconError::invalid("`operator` is =, !, <, <=, > or >=")),
        })
    }
}

/// A term of an ontology where it is a compact identifier, of our own otherwise.
fn term(id: String, descendants: bool, scope: Option<Entry>) -> Filter {
    let is_prefix = |prefix: &str| {
        prefix.len() >= 2
            && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let is_curie = id.split_once(':').is_some_and(|(p, code)| is_prefix(p) && !code.is_empty());
    if is_curie {
        Filter::Ontology { id, descendants, scope }
    } else {
        Filter::Custom { id, scope }
    }
}

/// Which entry a word means; the name of its path is taken as well.
pub(super) fn entry(word: &str) -> Result<Entry, BeaconError> {
    let is_it =
        |e: &Entry| e.as_str().eq_ignore_ascii_case(word) || e.path().eq_ignore_ascii_case(word);
    let known = Entry::ALL.into_iter().find(is_it);
    known.ok_or_else(|| BeaconError::invalid("`scope` is dataset or individual"))
}

fn bounded(count: usize) -> Result<(), BeaconError> {
    if count > MOST_FILTERS {
        return Err(BeaconError::invalid(format!("a request has at most {MOST_FILTERS} filters")));
    }
    Ok(())
}

fn text(fields: &Map<String, Json>, name: &str) -> Result<Option<String>, BeaconError> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(word(text, name)?)),
        Some(_) => Err(BeaconError::invalid(format!("`{name}` of a filter is a text"))),
    }
}

fn word(text: &str, name: &str) -> Result<String, BeaconError> {
    let length = text.chars().count();
    if length == 0 || length > MOST_WORD || text.chars().any(char::is_control) {
        return Err(BeaconError::invalid(format!(
            "`{name}` has 1 to {MOST_WORD} characters, none of them for control"
        )));
    }
    Ok(text.to_owned())
}
