//! What can be drawn of an answer: coefficients with their intervals, and curves.

use statistics::answer::Coefficient;
use statistics::survival::Curves;

use super::found::number;

/// How a drawing is laid out. There are two of each: a frame that is made smaller for a phone would have
/// letters that nobody can read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Whether it is the one for phones.
    narrow: bool,
    /// Width of the frame.
    width: f64,
    /// Where intervals begin: right of the names, or below them.
    left: f64,
    /// Height of a coefficient.
    row: f64,
    /// Where name and interval of a coefficient stand in it.
    name: f64,
    line: f64,
    /// What is left free right of curves for their names, and the longest name.
    margin: f64,
    letters: usize,
}

const WIDE: Layout = Layout {
    narrow: false,
    width: 640.0,
    left: 220.0,
    row: 28.0,
    name: 18.0,
    line: 14.0,
    margin: 140.0,
    letters: 16,
};
const NARROW: Layout = Layout {
    narrow: true,
    width: 320.0,
    left: 12.0,
    row: 44.0,
    name: 16.0,
    line: 30.0,
    margin: 80.0,
    letters: 9,
};
/// Longest name of a coefficient in a drawing.
const MOST_LETTERS: usize = 28;
/// More coefficients than this are told in the table alone.
const MOST_DRAWN: usize = 30;

/// A drawing. Coordinates are texts of numbers.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Whether it is the one for phones.
    pub narrow: bool,
    /// How wide the frame is.
    pub width: u32,
    /// How high the frame is.
    pub height: u32,
    /// Lines: from, to.
    pub lines: Vec<(String, String, String, String)>,
    /// Points of curves.
    pub curves: Vec<String>,
    /// Dots.
    pub dots: Vec<(String, String)>,
    /// Texts.
    pub texts: Vec<(String, String, String)>,
}

/// A drawing in every layout.
pub(super) fn drawn(draw: impl Fn(Layout) -> Option<Picture>) -> Vec<Picture> {
    [WIDE, NARROW].into_iter().filter_map(draw).collect()
}

impl Layout {
    fn empty(self, height: f64) -> Picture {
        Picture {
            narrow: self.narrow,
            width: self.width as u32,
            height: height as u32,
            ..Picture::default()
        }
    }
}

/// Each coefficient but the intercept as a dot with its interval, and a line where it would be 0.
pub(super) fn forest(
    all: &[Coefficient],
    interval: &dyn Fn(&Coefficient) -> Option<(f64, f64)>,
    layout: Layout,
) -> Option<Picture> {
    let drawn: Vec<(&Coefficient, (f64, f64))> = all
        .iter()
        .filter(|one| one.name != "Intercept")
        .filter_map(|one| Some((one, interval(one)?)))
        .filter(|(one, (low, high))| [one.estimate, *low, *high].iter().all(|v| v.is_finite()))
        .collect();
    if drawn.is_empty() || drawn.len() > MOST_DRAWN {
        return None;
    }
    let low = drawn.iter().map(|(_, (low, _))| *low).fold(0.0, f64::min);
    let high = drawn.iter().map(|(_, (_, high))| *high).fold(0.0, f64::max);
    let span = (high - low).max(f64::MIN_POSITIVE);
    let Layout { width, left, row, .. } = layout;
    let x = |value: f64| left + (value - low) / span * (width - left - 20.0);
    let height = row * drawn.len() as f64 + WIDE.row;
    let mut picture = layout.empty(height);
    picture.lines.push((place(x(0.0)), place(4.0), place(x(0.0)), place(height - WIDE.row + 4.0)));
    picture.texts.push((place(x(0.0) - 4.0), place(height - 6.0), "0".to_owned()));
    for (at, (one, (low, high))) in drawn.iter().enumerate() {
        let top = row * at as f64;
        let y = top + layout.line;
        picture.lines.push((place(x(*low)), place(y), place(x(*high)), place(y)));
        picture.dots.push((place(x(one.estimate)), place(y)));
        let name: String = one.name.chars().take(MOST_LETTERS).collect();
        picture.texts.push((place(4.0), place(top + layout.name), name));
    }
    Some(picture)
}

fn place(value: f64) -> String {
    format!("{value:.1}")
}

/// The curves as steps from 1 at the beginning.
pub(super) fn kaplan_meier(curves: &Curves, layout: Layout) -> Option<Picture> {
    let last = curves.curves.iter().flat_map(|curve| &curve.steps).map(|step| step.time);
    let last = last.fold(0.0, f64::max);
    if last <= 0.0 || !last.is_finite() {
        return None;
    }
    let (left, bottom, top) = (40.0, 280.0, 20.0);
    let x = |time: f64| left + time / last * (layout.width - left - layout.margin);
    let y = |survival: f64| bottom - survival * (bottom - top);
    let mut picture = layout.empty(310.0);
    picture.lines.push((place(left), place(top), place(left), place(bottom)));
    picture.lines.push((place(left), place(bottom), place(x(last)), place(bottom)));
    for (value, text) in [(0.0, "0"), (0.5, "0.5"), (1.0, "1")] {
        picture.texts.push((place(8.0), place(y(value) + 4.0), text.to_owned()));
    }
    picture.texts.push((place(x(last) - 20.0), place(bottom + 20.0), number(last)));
    for curve in &curves.curves {
        let mut points = vec![format!("{},{}", place(x(0.0)), place(y(1.0)))];
        let mut level = 1.0;
        for step in &curve.steps {
            points.push(format!("{},{}", place(x(step.time)), place(y(level))));
            level = step.survival;
            points.push(format!("{},{}", place(x(step.time)), place(y(level))));
        }
        picture.curves.push(points.join(" "));
        if let Some(name) = &curve.level {
            let name: String = name.chars().take(layout.letters).collect();
            picture.texts.push((place(x(last) + 6.0), place(y(level) + 4.0), name));
        }
    }
    Some(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_has_a_drawing_of_its_own_with_names_above_the_intervals() {
        let all =
            [("Intercept", 9.0), ("age", 0.5), ("arm[treated]", -1.0)].map(|(name, estimate)| {
                Coefficient { name: name.to_owned(), estimate, se: Some(0.25), p: None }
            });
        let interval = |one: &Coefficient| Some((one.estimate - 0.5, one.estimate + 0.5));
        let both = drawn(|layout| forest(&all, &interval, layout));
        let [wide, narrow] = &both[..] else { panic!("two drawings") };
        assert_eq!((wide.narrow, wide.width), (false, 640));
        assert_eq!((narrow.narrow, narrow.width), (true, 320));
        for (one, below) in [(wide, false), (narrow, true)] {
            // Zero and two names; the intercept is in the table alone.
            assert_eq!((one.texts.len(), one.dots.len()), (3, 2));
            let y = |text: &str| text.parse::<f64>().unwrap();
            let x = y(&one.dots[0].0);
            assert!(x > 0.0 && x < f64::from(one.width), "{x}");
            assert_eq!(y(&one.dots[0].1) > y(&one.texts[1].1), below);
        }
    }
}
