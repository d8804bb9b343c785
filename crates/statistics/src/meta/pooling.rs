//! Pooling of estimates by sums over sites: fixed effect, and random effects with several estimators
//! of the variance between sites. With `w = 1 / (v + τ²)` everything is a function of sums of powers
//! of `w` and of the estimates, so that no site's estimate need be seen.

use serde::{Deserialize, Serialize};

use crate::compare::{
    chi_squared_above, normal_quantile, normal_two_sided, t_quantile, t_two_sided,
};
use crate::plan::{real, wrong};
use crate::rounds::Failure;

/// Most rounds of estimating the variance between sites.
const MOST_STEPS: u32 = 200;
/// How many sums a step has.
pub(super) const SUMS: usize = 8;

/// How the variance between sites is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// By the moments of Cochran's Q (DerSimonian and Laird 1986).
    DersimonianLaird,
    /// By the generalised Q statistic (Paule and Mandel 1982).
    PauleMandel,
    /// Restricted maximum likelihood by Fisher scoring (Viechtbauer 2005).
    #[default]
    Reml,
}

/// What one site estimates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteEstimate {
    /// The estimate.
    pub estimate: f64,
    /// Its standard error, above 0.
    pub se: f64,
}

/// A pooled estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pooled {
    /// The estimate.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// The 95 % confidence interval.
    pub interval: [f64; 2],
    /// Two-sided, of the effect being 0.
    pub p: f64,
}

/// A meta-analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaResult {
    /// Sites that had an estimate.
    pub sites: u64,
    /// With one effect for all sites.
    pub fixed: Pooled,
    /// With an effect that varies between sites, intervals by the normal law.
    pub random: Pooled,
    /// The same with the variance of Hartung and Knapp (2001) and Student's t; two sites or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hartung_knapp: Option<Pooled>,
    /// How the variance between sites was estimated.
    pub estimator: Estimator,
    /// The variance between sites.
    pub tau2: f64,
    /// Cochran's Q.
    pub q: f64,
    /// Sites less one.
    pub q_df: u64,
    /// Probability of a greater Q with one effect for all sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q_p: Option<f64>,
    /// `max(0, (Q - df) / Q)` (Higgins and Thompson 2002).
    pub i2: f64,
    /// Where the effect of a further site lies in 95 % (Higgins, Thompson and Spiegelhalter 2009);
    /// three sites or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<[f64; 2]>,
}

/// Where the estimation stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pooling {
    steps: u32,
    /// What is subtracted from every estimate, so that squares lose nothing.
    centre: f64,
    tau2: f64,
    /// The sums at a variance of 0, after the second step.
    fixed: Option<[f64; SUMS]>,
    /// By how much the variance changed last.
    change: Option<f64>,
}

/// What a step leads to.
pub(super) enum Step {
    Again(Pooling),
    Found(MetaResult),
}

/// The meta-analysis of estimates that may be seen.
///
/// # Errors
/// [`Failure::Question`] where an estimate or standard error is no finite number, or the latter not
/// above 0; [`Failure::TooLittle`] without estimates; [`Failure::NoConvergence`].
pub fn combine(sites: &[SiteEstimate], estimator: Estimator) -> Result<MetaResult, Failure> {
    let is_fit = |site: &SiteEstimate| {
        site.estimate.is_finite() && site.se > 0.0 && (site.se * site.se).recip().is_finite()
    };
    if !sites.iter().all(is_fit) {
        return Err(wrong("each site needs a finite estimate and a standard error above 0"));
    }
    let mut state = Pooling::new();
    loop {
        let mut sums = [0.0; SUMS];
        for site in sites {
            let parts = state.parts(site.estimate, site.se * site.se);
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
        match state.next(estimator, sites.len() as u64, sums)? {
            Step::Again(next) => state = next,
            Step::Found(result) => return Ok(result),
        }
    }
}

impl Pooling {
    pub(super) const fn new() -> Self {
        Self { steps: 0, centre: 0.0, tau2: 0.0, fixed: None, change: None }
    }

    /// What a site with this estimate and variance adds: Σw, Σwy, Σwy², Σw², Σw²y, Σw²y², Σw³, Σw³y
    /// (the last is not used and keeps the length a power of two).
    pub(super) fn parts(&self, estimate: f64, variance: f64) -> [f64; SUMS] {
        let (w, y) = ((variance + self.tau2).recip(), estimate - self.centre);
        let w2 = w * w;
        [w, w * y, w * y * y, w2, w2 * y, w2 * y * y, w2 * w, w2 * w * y]
    }

    /// Bounds of the parts of one site, given those of a weight and an estimate.
    pub(super) fn bounds(&self, weight: f64, estimate: f64) -> [f64; SUMS] {
        let (w, y) = (weight, estimate + self.centre.abs());
        let w2 = w * w;
        [w, w * y, w * y * y, w2, w2 * y, w2 * y * y, w2 * w, w2 * w * y]
    }

    pub(super) fn is_fit(&self) -> bool {
        self.centre.is_finite() && self.tau2 >= 0.0 && self.tau2.is_finite()
    }

    pub(super) fn next(
        &self,
        estimator: Estimator,
        sites: u64,
        sums: [f64; SUMS],
    ) -> Result<Step, Failure> {
        let [w, wy, ..] = sums;
        if sites == 0 || w <= 0.0 {
            return Err(Failure::TooLittle("no site has an estimate".to_owned()));
        }
        let again = |centre: f64, tau2: f64, fixed, change| {
            Step::Again(Self { steps: self.steps + 1, centre, tau2, fixed, change })
        };
        let mean = wy / w;
        if self.steps == 0 {
            return Ok(again(mean, 0.0, None, None));
        }
        let Some(fixed) = self.fixed else {
            if sites < 2 {
                return Ok(Step::Found(self.result(estimator, sites, sums, sums)));
            }
            let start = start(sites, sums);
            let settled = estimator == Estimator::DersimonianLaird && start <= 0.0;
            if settled {
                return Ok(Step::Found(self.result(estimator, sites, sums, sums)));
            }
            return Ok(again(self.centre, start, Some(sums), None));
        };
        let change = match estimator {
            Estimator::DersimonianLaird => 0.0,
            Estimator::PauleMandel => paule_mandel(sites, sums),
            Estimator::Reml => reml(sums),
        };
        let tau2 = (self.tau2 + change).max(0.0);
        let scale = self.tau2.max(real(sites) / w * 1e-3);
        let change = (tau2 - self.tau2).abs();
        // Sums of fixed-point numbers leave a noise below which changes do not fall.
        let is_noise =
            change <= 1e-8 * scale && self.change.is_some_and(|last| change >= 0.9 * last);
        if change <= 1e-13 * scale || is_noise {
            return Ok(Step::Found(self.result(estimator, sites, fixed, sums)));
        }
        if self.steps >= MOST_STEPS {
            let why = "the variance between sites does not settle".to_owned();
            return Err(Failure::NoConvergence { rounds: self.steps, why });
        }
        Ok(again(self.centre, tau2, Some(fixed), Some(change)))
    }

    fn result(
        &self,
        estimator: Estimator,
        sites: u64,
        fixed: [f64; SUMS],
        random: [f64; SUMS],
    ) -> MetaResult {
        let normal = |sums: [f64; SUMS]| {
            let [w, wy, ..] = sums;
            pooled(self.centre + wy / w, w.recip().sqrt(), None)
        };
        let (q, df) = (spread(fixed), real(sites) - 1.0);
        let [w, ..] = random;
        let mean = normal(random).map_or(0.0, |random| random.estimate);
        let knapp = (spread(random) / (df * w)).sqrt();
        let width = t_quantile(0.975, df - 1.0).filter(|_| sites > 2);
        let reach = (self.tau2 + w.recip()).sqrt();
        let nothing = Pooled { estimate: 0.0, se: 0.0, interval: [0.0; 2], p: 1.0 };
        MetaResult {
            sites,
            fixed: normal(fixed).unwrap_or(nothing),
            random: normal(random).unwrap_or(nothing),
            hartung_knapp: (sites > 1).then(|| pooled(mean, knapp, Some(df))).flatten(),
            estimator,
            tau2: self.tau2,
            q,
            q_df: sites - 1,
            q_p: chi_squared_above(q, df),
            i2: if q > 0.0 { ((q - df) / q).max(0.0) } else { 0.0 },
            prediction: width.map(|width| [mean - width * reach, mean + width * reach]),
        }
    }
}

/// The weighted sum of squares about the weighted mean.
fn spread(sums: [f64; SUMS]) -> f64 {
    let [w, wy, wyy, ..] = sums;
    (wyy - wy * wy / w).max(0.0)
}

/// DerSimonian and Laird's estimate, at least 0.
fn start(sites: u64, sums: [f64; SUMS]) -> f64 {
    let [w, _, _, w2, ..] = sums;
    ((spread(sums) - (real(sites) - 1.0)) / (w - w2 / w)).max(0.0)
}

/// Newton's step towards a generalised Q that equals its degrees of freedom.
fn paule_mandel(sites: u64, sums: [f64; SUMS]) -> f64 {
    (spread(sums) - (real(sites) - 1.0)) / squares(sums).max(f64::MIN_POSITIVE)
}

/// Σw²(y - μ)².
fn squares(sums: [f64; SUMS]) -> f64 {
    let [w, wy, _, w2, w2y, w2yy, ..] = sums;
    let mean = wy / w;
    mean.mul_add(mean * w2 - 2.0 * w2y, w2yy).max(0.0)
}

/// Fisher's scoring step of the restricted likelihood.
fn reml(sums: [f64; SUMS]) -> f64 {
    let [w, _, _, w2, _, _, w3, _] = sums;
    let trace = w - w2 / w;
    let information = w2 - 2.0 * w3 / w + (w2 / w).powi(2);
    (squares(sums) - trace) / information
}

fn pooled(estimate: f64, se: f64, df: Option<f64>) -> Option<Pooled> {
    let (p, width) = match df {
        None => (normal_two_sided(estimate / se), normal_quantile(0.975)),
        Some(df) => (t_two_sided(estimate / se, df)?, t_quantile(0.975, df)?),
    };
    let interval = [estimate - width * se, estimate + width * se];
    Some(Pooled { estimate, se, interval, p })
}
