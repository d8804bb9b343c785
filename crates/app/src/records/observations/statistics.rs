//! Statistics over the values of one kind of observation of one patient, by the codes of
//! `http://terminology.hl7.org/CodeSystem/observation-statistics`.

use fhir::{Resource, Value};
use serde_json::{Value as Json, json};

use super::{Found, newest_first};
use crate::{App, Caller, Error, Kind, Result};

/// The code system of the statistics.
pub const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/observation-statistics";
/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;

/// What statistics are asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `Patient/[id]`.
    pub subject: String,
    /// The kinds of observations, each as a token search writes it: `code` or `system|code`.
    pub codes: Vec<String>,
    /// Only observations from this time on, in milliseconds since the Unix epoch.
    pub from_ms: Option<i64>,
    /// Only observations before this time.
    pub before_ms: Option<i64>,
    /// Codes of [`SYSTEM`].
    pub statistics: Vec<String>,
    /// Whether the observations themselves are wanted too.
    pub include: bool,
    /// At most so many of them for each kind, the newest.
    pub limit: Option<usize>,
}

/// The statistics of one kind of observation.
#[derive(Debug)]
pub struct Statistics {
    /// An Observation with one component for each statistic.
    pub observation: Json,
    /// The observations it was made from, newest first, where they were asked for.
    pub sources: Vec<store::Stored>,
}

/// One [`Statistics`] for each kind of observation asked for.
///
/// Errors: an unknown statistic by name; [`Kind::Unprocessable`] where the values of a kind have
/// different units.
pub fn statistics(app: &App, caller: &Caller, asked: &Asked) -> Result<Vec<Statistics>> {
    if asked.codes.is_empty() || asked.statistics.is_empty() {
        return Err(Error::invalid("required", "`code` or `coding`, and `statistic`, are needed"));
    }
    if let Some(unknown) = asked.statistics.iter().find(|code| !KNOWN.contains(&code.as_str())) {
        let unknown: String = unknown.chars().take(40).collect();
        let message = format!("`{unknown}` is not a statistic; known are `{}`", KNOWN.join("`, `"));
        return Err(Error::invalid("code-invalid", message));
    }
    asked.codes.iter().map(|code| of_code(app, caller, asked, code)).collect()
}

/// The statistics that are known.
pub const KNOWN: [&str; 21] = [
    "average",
    "maximum",
    "minimum",
    "count",
    "total-count",
    "median",
    "std-dev",
    "sum",
    "variance",
    "20-percent",
    "80-percent",
    "4-lower",
    "4-upper",
    "4-dev",
    "5-1",
    "5-2",
    "5-3",
    "5-4",
    "skew",
    "kurtosis",
    "regression",
];

fn of_code(app: &App, caller: &Caller, asked: &Asked, code: &str) -> Result<Statistics> {
    let params =
        [("subject".to_owned(), asked.subject.clone()), ("code".to_owned(), code.to_owned())];
    let mut found = newest_first(app, caller, &params, "stats")?;
    found.retain(|one| {
        let after = asked.from_ms.is_none_or(|from| one.start_ms.is_some_and(|ms| ms >= from));
        let before = asked.before_ms.is_none_or(|to| one.start_ms.is_some_and(|ms| ms < to));
        after && before
    });
    let sample = Sample::new(&found)?;
    let components: Vec<Json> =
        asked.statistics.iter().flat_map(|statistic| sample.components(statistic)).collect();
    let code = found.first().and_then(|one| one.resource.get("code")).map_or_else(
        || coding(code),
        |code| serde_json::from_str(code.raw()).unwrap_or(Json::Null),
    );
    let mut observation = json!({
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": {"reference": asked.subject},
    });
    let times = found.iter().filter_map(|one| one.start_ms);
    let start = asked.from_ms.or_else(|| times.clone().min());
    let end = asked.before_ms.or_else(|| times.max());
    if let (Some(start), Some(end)) = (start, end) {
        let instant = fhir::time::instant;
        observation["effectivePeriod"] = json!({"start": instant(start), "end": instant(end)});
    }
    if components.is_empty() {
        let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
        observation["dataAbsentReason"] =
            json!({"coding": [{"system": system, "code": "not-performed"}]});
    } else {
        observation["component"] = Json::Array(components);
    }
    let mut sources = Vec::new();
    if asked.include {
        let most = asked.limit.unwrap_or(usize::MAX);
        sources.extend(found.into_iter().take(most).map(|one| one.stored));
    }
    Ok(Statistics { observation, sources })
}

fn coding(token: &str) -> Json {
    match token.split_once('|') {
        Some((system, code)) => json!({"coding": [{"system": system, "code": code}]}),
        None => json!({"coding": [{"code": token}]}),
    }
}

/// The numbers of one kind of observation.
struct Sample {
    /// In ascending order.
    values: Vec<f64>,
    /// Days since the first value, and the value.
    course: Vec<(f64, f64)>,
    total: usize,
    unit: Option<Json>,
}

impl Sample {
    fn new(found: &[Found]) -> Result<Self> {
        let mut sample =
            Self { values: Vec::new(), course: Vec::new(), total: found.len(), unit: None };
        let first = found.iter().filter_map(|one| one.start_ms).min().unwrap_or_default();
        let mut unit_of_first: Option<String> = None;
        for one in found {
            let Some((value, unit)) = quantity(&one.resource) else { continue };
            let name = unit["code"].as_str().or(unit["unit"].as_str()).unwrap_or_default();
            match &unit_of_first {
                Some(known) if known != name => {
                    let message =
                        "the observations have different units; ask for one code at a time";
                    return Err(Error::new(Kind::Unprocessable, message));
                }
                Some(_) => {}
                None => {
                    unit_of_first = Some(name.to_owned());
                    sample.unit = Some(unit);
                }
            }
            sample.values.push(value);
            if let Some(ms) = one.start_ms {
                sample.course.push(((ms - first) as f64 / DAY_MS, value));
            }
        }
        sample.values.sort_by(f64::total_cmp);
        Ok(sample)
    }

    /// The components of one statistic; none where there are too few values for it.
    fn components(&self, statistic: &str) -> Vec<Json> {
        let plain = |value: f64| vec![component(statistic, None, value, &json!({"unit": "1"}))];
        let own = self.unit.clone().unwrap_or(json!({}));
        let in_unit = |value: Option<f64>| match value {
            Some(value) => vec![component(statistic, None, value, &own)],
            None => Vec::new(),
        };
        match statistic {
            "count" => plain(self.values.len() as f64),
            "total-count" => plain(self.total as f64),
            "average" => in_unit(self.mean()),
            "maximum" => in_unit(self.values.last().copied()),
            "minimum" => in_unit(self.values.first().copied()),
            "sum" => in_unit((!self.values.is_empty()).then(|| self.values.iter().sum())),
            "median" => in_unit(self.quantile(0.5)),
            "20-percent" | "5-1" => in_unit(self.quantile(0.2)),
            "80-percent" | "5-4" => in_unit(self.quantile(0.8)),
            "5-2" => in_unit(self.quantile(0.4)),
            "5-3" => in_unit(self.quantile(0.6)),
            "4-lower" => in_unit(self.quantile(0.25)),
            "4-upper" => in_unit(self.quantile(0.75)),
            "4-dev" => in_unit(
                self.quantile(0.75)
                    .zip(self.quantile(0.25))
                    .map(|(upper, lower)| (upper - lower) / 2.0),
            ),
            "variance" => self.variance().map_or_else(Vec::new, plain),
            "std-dev" => in_unit(self.variance().map(f64::sqrt)),
            "skew" => self.standard_moment(3).map_or_else(Vec::new, plain),
            "kurtosis" => self.standard_moment(4).map_or_else(Vec::new, plain),
            "regression" => match self.line() {
                Some((gradient, intercept)) => vec![
                    component(statistic, Some("gradient per day"), gradient, &own),
                    component(statistic, Some("intercept at the first value"), intercept, &own),
                ],
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn mean(&self) -> Option<f64> {
        let count = self.values.len() as f64;
        (count > 0.0).then(|| self.values.iter().sum::<f64>() / count)
    }

    /// The sample variance, with n − 1.
    fn variance(&self) -> Option<f64> {
        let (mean, count) = (self.mean()?, self.values.len() as f64);
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        (count > 1.0).then(|| squares / (count - 1.0))
    }

    /// The standardised central moment of the population: skewness for 3, kurtosis for 4.
    fn standard_moment(&self, order: i32) -> Option<f64> {
        let (mean, count) = (self.mean()?, self.values.len() as f64);
        let moment = |order: i32| {
            self.values.iter().map(|value| (value - mean).powi(order)).sum::<f64>() / count
        };
        let deviation = moment(2).sqrt();
        (deviation > 0.0).then(|| moment(order) / deviation.powi(order))
    }

    /// A quantile by linear interpolation between order statistics (Hyndman and Fan, type 7).
    fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.values.len().checked_sub(1)?;
        let place = share * last as f64;
        let below = self.values.get(place.floor() as usize)?;
        let above = self.values.get(place.ceil() as usize)?;
        Some(below + (above - below) * place.fract())
    }

    /// Gradient and intercept of the least-squares line over time.
    fn line(&self) -> Option<(f64, f64)> {
        let count = self.course.len() as f64;
        let mean = |part: fn(&(f64, f64)) -> f64| self.course.iter().map(part).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = self.course.iter().map(|point| (point.0 - x).powi(2)).sum();
        let shared: f64 = self.course.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        (count > 1.0 && spread > 0.0).then(|| (shared / spread, y - shared / spread * x))
    }
}

/// The value and the rest of the quantity.
fn quantity(observation: &Resource) -> Option<(f64, Json)> {
    let quantity: Value<'_> = observation.get("valueQuantity")?;
    let value: f64 = quantity.get("value")?.as_number()?.parse().ok()?;
    let mut unit = json!({});
    for name in ["unit", "system", "code"] {
        if let Some(text) = quantity.str_at(name) {
            unit[name] = json!(text);
        }
    }
    Some((value, unit))
}

fn component(statistic: &str, text: Option<&str>, value: f64, unit: &Json) -> Json {
    let mut code = json!({"coding": [{"system": SYSTEM, "code": statistic}]});
    if let Some(text) = text {
        code["text"] = json!(text);
    }
    let mut quantity = unit.clone();
    // Ten digits after the point hide what binary fractions add.
    quantity["value"] = json!((value * 1e10).round() / 1e10);
    json!({"code": code, "valueQuantity": quantity})
}
