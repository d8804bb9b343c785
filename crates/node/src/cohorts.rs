//! What the operator allows to be learned of the people here by counting cohorts.

use app::cohorts::Rules;
use serde::Deserialize;

/// The block `cohorts` of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// ε that one account may spend in a period, 0 to 1000.
    pub account_epsilon: f64,
    /// ε that all accounts together may spend in a period, 0 to 10000.
    pub everybody_epsilon: f64,
    /// Length of a period in days, 1 to 3650.
    pub period_days: u32,
}

/// Millionths.
const MICRO: f64 = 1e6;

impl Default for Budget {
    fn default() -> Self {
        let rules = Rules::default();
        Self {
            account_epsilon: rules.account_micro_epsilon as f64 / MICRO,
            everybody_epsilon: rules.everybody_micro_epsilon as f64 / MICRO,
            period_days: rules.period_days,
        }
    }
}

impl Budget {
    /// The rules for the use cases.
    ///
    /// Errors: numbers that are out of range.
    pub fn rules(&self) -> Result<Rules, String> {
        for (name, value, most) in [
            ("account_epsilon", self.account_epsilon, 1_000.0),
            ("everybody_epsilon", self.everybody_epsilon, 10_000.0),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(format!("`cohorts.{name}` is `{value}`; it is from 0 to {most}"));
            }
        }
        if !(1..=3_650).contains(&self.period_days) {
            let days = self.period_days;
            return Err(format!("`cohorts.period_days` is `{days}`; it is from 1 to 3650"));
        }
        let threads = std::thread::available_parallelism().map_or(2, |threads| threads.get());
        Ok(Rules {
            account_micro_epsilon: (self.account_epsilon * MICRO).round() as u64,
            everybody_micro_epsilon: (self.everybody_epsilon * MICRO).round() as u64,
            period_days: self.period_days,
            threads,
        })
    }
}
