//! Trend pictures: a small line over time with the reference range behind it.

use askama::Template;

use crate::words::{Message, Words};

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 30.0;
/// Room for the last point and the width of the line.
const MARGIN: f64 = 4.0;
/// More points than this cannot be told apart in the picture; the newest are drawn.
const POINTS_MAX: usize = 32;

/// The values of one measurement over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// Instants in Unix epoch milliseconds and values, oldest first. A measurement with two
    /// parts, such as blood pressure, has one series for each.
    pub series: Vec<Vec<(i64, f64)>>,
    /// Lower end of the reference range, in the unit of the values.
    pub low: Option<f64>,
    /// Upper end of the reference range, in the unit of the values.
    pub high: Option<f64>,
}

impl Trend {
    /// Whether there is a course to draw: some series with two values at different times.
    pub fn has_course(&self) -> bool {
        self.drawn().any(|points| match (points.first(), points.last()) {
            (Some(first), Some(last)) => first.0 < last.0,
            _ => false,
        })
    }

    fn drawn(&self) -> impl Iterator<Item = &[(i64, f64)]> {
        self.series.iter().map(|points| {
            let skip = points.len().saturating_sub(POINTS_MAX);
            points.get(skip..).unwrap_or_default()
        })
    }

    fn finite(&self) -> impl Iterator<Item = (i64, f64)> {
        self.drawn().flatten().copied().filter(|(_, value)| value.is_finite())
    }

    /// The picture in words.
    fn describe(&self, w: &Words<'_>, name: &str, unit: &str) -> Message {
        let (mut count, mut low, mut high) = (0usize, f64::INFINITY, f64::NEG_INFINITY);
        let (mut first_ms, mut last_ms) = (i64::MAX, i64::MIN);
        for (at, value) in self.finite() {
            count += 1;
            low = low.min(value);
            high = high.max(value);
            first_ms = first_ms.min(at);
            last_ms = last_ms.max(at);
        }
        if count == 0 {
            return w.say("trend-empty").s("name", name);
        }
        let reference = match (self.low, self.high) {
            (None, None) => String::new(),
            (low, high) => format!(" {}", range(w, low, high)),
        };
        w.say("trend-description")
            .s("name", name)
            .n("count", count)
            .s("from", w.day(&crate::When::Instant(first_ms)).plain())
            .s("to", w.day(&crate::When::Instant(last_ms)).plain())
            .s("low", w.number(round(low)))
            .s("high", w.number(round(high)))
            .s("unit", unit)
            .s("reference", reference)
    }
}

/// A reference range in words.
pub(crate) fn range(w: &Words<'_>, low: Option<f64>, high: Option<f64>) -> Message {
    match (low, high) {
        (Some(low), Some(high)) => w
            .say("reference-between")
            .s("low", w.number(round(low)))
            .s("high", w.number(round(high))),
        (Some(low), None) => w.say("reference-above").s("low", w.number(round(low))),
        (None, Some(high)) => w.say("reference-below").s("high", w.number(round(high))),
        (None, None) => w.say("reference-none"),
    }
}

/// Values in words need no more than three decimals.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The picture of a trend.
#[derive(Template)]
#[template(path = "parts/spark.html")]
pub struct Spark {
    label: Message,
    lines: Vec<String>,
    dots: Vec<(String, String)>,
    band: Option<(String, String)>,
}

impl askama::filters::HtmlSafe for Spark {}

/// Draws the trend of the measurement `name`; its text alternative names count, period, extremes
/// and reference range.
pub fn spark(w: &Words<'_>, trend: &Trend, name: &str, unit: &str) -> Spark {
    let label = trend.describe(w, name, unit);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for (at, value) in trend.finite() {
        low = low.min(value);
        high = high.max(value);
        first = first.min(at);
        last = last.max(at);
    }
    if low > high {
        return Spark { label, lines: Vec::new(), dots: Vec::new(), band: None };
    }
    // The nearer edge of the reference range belongs into the picture, so that a value outside
    // it is seen to be outside; a far edge would flatten the line.
    let reach = (high - low).max(high.abs() * 0.05).max(f64::MIN_POSITIVE);
    for edge in [trend.low, trend.high].into_iter().flatten() {
        if edge.is_finite() && edge > low - 1.5 * reach && edge < high + 1.5 * reach {
            low = low.min(edge);
            high = high.max(edge);
        }
    }
    let span = (high - low).max(f64::MIN_POSITIVE);
    let period = (last as f64 - first as f64).max(1.0);
    let x = |at: i64| MARGIN + (at as f64 - first as f64) / period * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| {
        if high > low {
            HEIGHT - MARGIN - (value - low) / span * (HEIGHT - 2.0 * MARGIN)
        } else {
            HEIGHT / 2.0
        }
    };
    let mut lines = Vec::new();
    let mut dots = Vec::new();
    for points in trend.drawn() {
        let points: Vec<(String, String)> = points
            .iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(at, value)| (coordinate(x(*at).round()), coordinate(y(*value))))
            .collect();
        let joined: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        lines.push(joined.join(" "));
        dots.extend(points.last().cloned());
    }
    let top = trend.high.map_or(0.0, |edge| y(edge).clamp(0.0, HEIGHT));
    let bottom = trend.low.map_or(HEIGHT, |edge| y(edge).clamp(0.0, HEIGHT));
    let band = (trend.low.is_some() || trend.high.is_some())
        .then(|| (coordinate(top), coordinate((bottom - top).max(0.0))));
    Spark { label, lines, dots, band }
}

fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(ToString::to_string).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use jiff::tz::TimeZone;

    fn draw(trend: &Trend) -> String {
        let zone = TimeZone::UTC;
        spark(&Words::new(Lang::EnUs, &zone), trend, "Potassium <b>", "mmol/L").to_string()
    }

    #[test]
    fn a_trend_is_drawn_within_its_picture_and_told_in_words() {
        let day = 86_400_000;
        let series = vec![(0, 4.0), (10 * day, 5.0), (20 * day, 6.0)];
        let trend = Trend { series: vec![series], low: Some(3.5), high: Some(5.1) };
        let svg = draw(&trend);
        // From left to right, 3.5 to 6.0 from bottom to top.
        assert!(svg.contains("points=\"4,21.6 60,12.8 116,4\""), "{svg}");
        assert!(svg.contains("3 values from 1 Jan 1970 to 21 Jan 1970"), "{svg}");
        assert!(svg.contains("reference 3.5 to 5.1"), "{svg}");
        assert!(svg.contains("Potassium &#60;b&#62;"), "{svg}");
        assert!(trend.has_course());
    }

    #[test]
    fn odd_values_draw_nothing_odd() {
        for series in [
            vec![],
            vec![(0, f64::NAN)],
            vec![(0, 5.0)],
            vec![(0, 5.0), (0, 5.0)],
            vec![(0, 0.0), (1, 0.0)],
            vec![(0, f64::INFINITY), (1, 2.0)],
            vec![(i64::MIN / 4, 1.0), (i64::MAX / 4, 1e300)],
        ] {
            let svg = draw(&Trend { series: vec![series.clone()], low: Some(1.0), high: None });
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{series:?}: {svg}");
        }
        let one = Trend { series: vec![vec![(0, 5.0)]], low: None, high: None };
        assert!(!one.has_course());
    }
}
