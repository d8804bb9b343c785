//! Figures and how they are printed: one line for each, with the aim beside it.

use std::io::Write;
use std::time::Duration;

use crate::client::Fault;

/// Clock ticks in a second, as `/proc` counts them on Linux.
const TICKS: f64 = 100.0;

/// Prints a line for the reader.
pub fn say(text: &str) {
    // A closed pipe is the reader's choice and no fault of ours.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints figures as they come and remembers which aims were missed.
#[derive(Debug, Default)]
pub struct Table {
    missed: Vec<String>,
}

impl Table {
    /// Prints a heading.
    pub fn part(&self, title: &str) {
        say(&format!("\n{title}"));
    }

    /// Prints a figure that has no aim.
    pub fn fact(&self, what: &str, reached: &str) {
        say(&format!("  {what:<58} {reached}"));
    }

    /// Prints a figure with its aim and whether it was reached.
    pub fn aimed(&mut self, what: &str, reached: &str, aim: &str, is_reached: bool) {
        let verdict = if is_reached { "reached" } else { "MISSED" };
        say(&format!("  {what:<58} {reached:<22} aim {aim}: {verdict}"));
        if !is_reached {
            self.missed.push(what.to_owned());
        }
    }

    /// Takes over what another table remembers.
    pub fn join(&mut self, other: Self) {
        self.missed.extend(other.missed);
    }

    /// The figures that did not reach their aims.
    pub fn missed(&self) -> &[String] {
        &self.missed
    }
}

/// CPU time of this process so far, user and system, in seconds.
pub fn cpu_seconds() -> Result<f64, Fault> {
    cpu_seconds_of("self")
}

/// CPU time of a process so far, by its id: user and system, in seconds.
pub fn cpu_seconds_of(process: &str) -> Result<f64, Fault> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is the program's name, in brackets, and may hold spaces.
    let (_, rest) = text.rsplit_once(')').ok_or("`/proc/…/stat` cannot be read")?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut ticks = || -> Result<f64, Fault> {
        Ok(fields.next().ok_or("`/proc/…/stat` is too short")?.parse()?)
    };
    Ok((ticks()? + ticks()?) / TICKS)
}

/// Memory that a process holds, by its id, in bytes (its resident set).
pub fn resident_bytes(process: &str) -> Result<u64, Fault> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next());
    Ok(kib.ok_or("`/proc/…/status` has no VmRSS")?.parse::<u64>()? * 1024)
}

/// Durations of the same thing.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds one.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Adds those of another list.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest time that at least `share` (0 to 1) of all do not exceed; zero when empty.
    pub fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// Milliseconds with one digit after the point.
pub fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut times = Times::default();
        assert_eq!(times.percentile(0.5), Duration::ZERO);
        for n in (1..=20).rev() {
            times.push(Duration::from_millis(n));
        }
        for (share, expected) in [(0.0, 1), (0.5, 10), (0.95, 19), (0.99, 20), (1.0, 20)] {
            assert_eq!(times.percentile(share), Duration::from_millis(expected), "{share}");
        }
    }

    #[test]
    fn work_takes_cpu_time() {
        let before = cpu_seconds().unwrap();
        let mut sum = 0_u64;
        while cpu_seconds().unwrap() - before < 0.03 {
            sum = (0..10_000_u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
        }
        assert_ne!(sum, 0);
    }
}
