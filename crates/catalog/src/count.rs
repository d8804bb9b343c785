//! Numbers of records and people that may be published: with noise, rounded, and never small.
//!
//! Who counts adds the noise (the privacy crate does, and enters it in the ledger); here the noised value
//! and the scale of its noise become a [`NoisyCount`], which holds a multiple of a step, or only that it
//! is fewer than a threshold. Neither constructor nor stored form lets a small number through. The rule of
//! a threshold and of rounding is that of statistical disclosure control (Hundepool et al., Statistical
//! Disclosure Control, Wiley 2012, chapter 5).

use serde::{Deserialize, Serialize};

use crate::words::Invalid;

/// The smallest threshold that a rule may have.
pub const LEAST_THRESHOLD: u64 = 5;
/// The smallest step of rounding that a rule may have.
pub const LEAST_STEP: u64 = 5;
/// The greatest threshold and step.
pub const MOST_STEP: u64 = 1_000_000;
/// The smallest scale of noise: a count without noise is none that may be published.
pub const LEAST_SCALE: f64 = 0.1;
/// The greatest scale of noise.
pub const MOST_SCALE: f64 = 1e9;
/// The steps of percentages, finest first.
const PERCENT_STEPS: [u8; 5] = [1, 5, 10, 25, 50];

/// How counts are made fit to be published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawRule", into = "RawRule")]
pub struct CountRule {
    noise_scale: f64,
    step: u64,
    threshold: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    noise_scale: f64,
    step: u64,
    threshold: u64,
}

impl CountRule {
    /// A rule: the scale of the (discrete) Laplace noise that was added, the step to which counts are
    /// rounded, and the threshold below which a count is only said to be fewer.
    ///
    /// # Errors
    /// Where one of them is outside its limits.
    pub fn new(noise_scale: f64, step: u64, threshold: u64) -> Result<Self, Invalid> {
        if !(LEAST_SCALE..=MOST_SCALE).contains(&noise_scale) {
            return Err(Invalid("the scale of noise is from 0.1 to 1e9"));
        }
        if !(LEAST_STEP..=MOST_STEP).contains(&step) {
            return Err(Invalid("the step of rounding is from 5 to 1000000"));
        }
        if !(LEAST_THRESHOLD..=MOST_STEP).contains(&threshold) {
            return Err(Invalid("the threshold of counts is from 5 to 1000000"));
        }
        Ok(Self { noise_scale, step, threshold })
    }

    /// The scale of the noise, in records or people.
    #[must_use]
    pub fn noise_scale(&self) -> f64 {
        self.noise_scale
    }

    /// To what counts are rounded.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Below what a count is not said.
    #[must_use]
    pub fn threshold(&self) -> u64 {
        self.threshold
    }
}

impl TryFrom<RawRule> for CountRule {
    type Error = Invalid;
    fn try_from(raw: RawRule) -> Result<Self, Invalid> {
        Self::new(raw.noise_scale, raw.step, raw.threshold)
    }
}

impl From<CountRule> for RawRule {
    fn from(rule: CountRule) -> Self {
        Self { noise_scale: rule.noise_scale, step: rule.step, threshold: rule.threshold }
    }
}

/// What is said of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// About so many.
    About(u64),
    /// Fewer than so many.
    FewerThan(u64),
}

/// A count that may be published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawCount", into = "RawCount")]
pub struct NoisyCount {
    /// A multiple of the rule's step, at least its threshold; nothing below it.
    about: Option<u64>,
    rule: CountRule,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCount {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<u64>,
    rule: CountRule,
}

impl NoisyCount {
    /// Makes a count fit to be published, out of a value to which noise of the rule's scale has been
    /// added already. It is rounded to the nearest multiple of the step, halves up; what is then below
    /// the threshold is only said to be fewer.
    #[must_use]
    pub fn of(noised: i64, rule: CountRule) -> Self {
        let value = u64::try_from(noised).unwrap_or(0);
        let rounded = value.saturating_add(rule.step / 2) / rule.step * rule.step;
        let is_shown = value >= rule.threshold && rounded >= rule.threshold;
        Self { about: is_shown.then_some(rounded), rule }
    }

    /// What may be said.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.about.map_or(Shown::FewerThan(self.rule.threshold), Shown::About)
    }

    /// A number for formats that want one: zero where the count is fewer than the threshold.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.about.unwrap_or(0)
    }

    /// The rule that it was made by.
    #[must_use]
    pub fn rule(&self) -> CountRule {
        self.rule
    }

    /// How far the true count may be from what is said, with probability 0.95: the 0.95 quantile of the
    /// absolute value of Laplace noise, `b ln 20`, and half a step of rounding.
    #[must_use]
    pub fn margin_95(&self) -> u64 {
        let noise = (self.rule.noise_scale * 20_f64.ln()).ceil();
        // At most 3e9 by the limits of the scale.
        let noise = noise as u64;
        noise + self.rule.step.div_ceil(2)
    }
}

impl TryFrom<RawCount> for NoisyCount {
    type Error = Invalid;
    fn try_from(raw: RawCount) -> Result<Self, Invalid> {
        let rule = raw.rule;
        if raw.about.is_some_and(|about| about % rule.step != 0 || about < rule.threshold) {
            return Err(Invalid("a count is a multiple of its step and not below its threshold"));
        }
        Ok(Self { about: raw.about, rule })
    }
}

impl From<NoisyCount> for RawCount {
    fn from(count: NoisyCount) -> Self {
        Self { about: count.about, rule: count.rule }
    }
}

/// A share in percent, rounded so coarsely that one step stands for at least a threshold of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "RawPercent", into = "RawPercent")]
pub struct Percent {
    value: u8,
    step: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPercent {
    value: u8,
    step: u8,
}

impl Percent {
    /// The share of `part` in `whole`, rounded to the finest of 1, 5, 10, 25 and 50 percent that stands
    /// for at least `threshold` records; nothing where even half of the whole does not.
    #[must_use]
    pub fn of(part: u64, whole: u64, threshold: u64) -> Option<Self> {
        let threshold = u128::from(threshold.max(LEAST_THRESHOLD));
        let (part, whole) = (u128::from(part.min(whole)), u128::from(whole));
        let is_coarse = |step: &&u8| whole * u128::from(**step) >= threshold * 100;
        let step = *PERCENT_STEPS.iter().find(is_coarse)?;
        let wide = u128::from(step);
        let rounded = (200 * part + wide * whole) / (2 * wide * whole) * wide;
        Some(Self { value: u8::try_from(rounded.min(100)).unwrap_or(100), step })
    }

    /// From 0 to 100.
    #[must_use]
    pub fn value(&self) -> u8 {
        self.value
    }

    /// To what it is rounded.
    #[must_use]
    pub fn step(&self) -> u8 {
        self.step
    }
}

impl TryFrom<RawPercent> for Percent {
    type Error = Invalid;
    fn try_from(raw: RawPercent) -> Result<Self, Invalid> {
        let is_step = PERCENT_STEPS.contains(&raw.step);
        if !is_step || raw.value > 100 || !raw.value.is_multiple_of(raw.step) {
            return Err(Invalid("a percentage is from 0 to 100 in steps of 1, 5, 10, 25 or 50"));
        }
        Ok(Self { value: raw.value, step: raw.step })
    }
}

impl From<Percent> for RawPercent {
    fn from(percent: Percent) -> Self {
        Self { value: percent.value, step: percent.step }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(step: u64, threshold: u64) -> CountRule {
        CountRule::new(2.0, step, threshold).unwrap()
    }

    #[test]
    fn a_small_count_is_only_fewer() {
        let rule = rule(10, 10);
        for noised in [-40, 0, 1, 5, 9] {
            assert_eq!(NoisyCount::of(noised, rule).shown(), Shown::FewerThan(10), "{noised}");
        }
        assert_eq!(NoisyCount::of(10, rule).shown(), Shown::About(10));
        assert_eq!(NoisyCount::of(1_234, rule).shown(), Shown::About(1_230));
        assert_eq!(NoisyCount::of(1_235, rule).shown(), Shown::About(1_240));
        assert_eq!(NoisyCount::of(1_235, rule).margin_95(), 6 + 5);
    }

    #[test]
    fn no_rule_is_without_noise_threshold_or_rounding() {
        assert!(CountRule::new(0.0, 10, 10).is_err());
        assert!(CountRule::new(f64::NAN, 10, 10).is_err());
        assert!(CountRule::new(1.0, 1, 10).is_err());
        assert!(CountRule::new(1.0, 10, 1).is_err());
    }

    #[test]
    fn a_stored_form_lets_no_small_count_in() {
        let text = |about: u64| {
            format!(r#"{{"about":{about},"rule":{{"noise_scale":1.0,"step":10,"threshold":10}}}}"#)
        };
        assert!(serde_json::from_str::<NoisyCount>(&text(3)).is_err());
        assert!(serde_json::from_str::<NoisyCount>(&text(0)).is_err());
        assert!(serde_json::from_str::<NoisyCount>(&text(33)).is_err());
        let count: NoisyCount = serde_json::from_str(&text(30)).unwrap();
        assert_eq!(count.shown(), Shown::About(30));
        assert_eq!(serde_json::to_string(&count).unwrap(), text(30));
    }

    #[test]
    fn a_share_of_few_is_coarse_or_not_said() {
        assert_eq!(Percent::of(9, 9, 10), None);
        assert_eq!(Percent::of(0, 0, 10), None);
        assert_eq!(Percent::of(20, 20, 10), Some(Percent { value: 100, step: 50 }));
        assert_eq!(Percent::of(997, 1_000, 10), Some(Percent { value: 100, step: 1 }));
        assert_eq!(Percent::of(90, 200, 10), Some(Percent { value: 45, step: 5 }));
    }

    proptest! {
        #[test]
        fn what_is_said_is_never_small_and_near(noised in -1_000_i64..1_000_000, step in 5_u64..500, threshold in 5_u64..500) {
            match NoisyCount::of(noised, rule(step, threshold)).shown() {
                Shown::About(about) => {
                    prop_assert!(about >= threshold && about % step == 0);
                    prop_assert!(about.abs_diff(u64::try_from(noised).unwrap()) <= step.div_ceil(2));
                }
                Shown::FewerThan(fewer) => prop_assert_eq!(fewer, threshold),
            }
        }

        #[test]
        fn a_step_of_a_share_stands_for_a_threshold(part in 0_u64..100_000, whole in 1_u64..100_000) {
            if let Some(percent) = Percent::of(part, whole, 10) {
                prop_assert!(whole * u64::from(percent.step) >= 1_000);
                let exact = 100.0 * part.min(whole) as f64 / whole as f64;
                prop_assert!((exact - f64::from(percent.value)).abs() <= f64::from(percent.step) / 2.0 + 1e-9);
            }
        }
    }
}
