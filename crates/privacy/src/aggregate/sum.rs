//! Sums of vectors of real numbers over sites, and of counts over people, in two shares.
//!
//! A [`Summation`] is one task: a layout or a circuit, and the context that binds every share to this
//! network, question and round. Sites call [`Summation::shard`], the two aggregators work with
//! [`Summation::aggregator`] and [`super::Batch`], and whoever asks calls [`Summation::unshard`].

use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::batch::exact;
use super::circuit::Engine;
use super::commitment::{Commitment, Generators, blindings};
use super::{
    AggregateShare, Aggregator, Circuit, Layout, Measurement, Role, SumError, VerifyKey, bytes,
};

/// What a share belongs to. Shares of one context are no use in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context(Vec<u8>);

/// The name of a report and its nonce in Prio3: 16 random bytes, used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportId(#[serde(with = "bytes")] pub [u8; 16]);

/// A vector in two shares. Seal the shares before they travel ([`super::seal`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub id: ReportId,
    /// What both aggregators get.
    pub public_share: Vec<u8>,
    /// What only the leader gets.
    pub leader: Vec<u8>,
    /// What only the helper gets.
    pub helper: Vec<u8>,
    /// What whoever asks gets, if the task asks for proof of the sum.
    pub commitment: Option<Commitment>,
}

/// One task of summing.
#[derive(Clone, Debug)]
pub struct Summation {
    layout: Option<Layout>,
    engine: Engine,
    context: Vec<u8>,
    generators: Option<Generators>,
}

impl Context {
    /// The context of a round of a question in a network.
    #[must_use]
    pub fn new(network: &str, question: &str, round: u32) -> Self {
        let mut out = b"consilium sum 2".to_vec();
        for part in [network.as_bytes(), question.as_bytes(), &round.to_be_bytes()] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        Self(out)
    }

    /// A context made elsewhere, such as DAP's `"dap-18" ‖ task id`.
    #[must_use]
    pub fn from_bytes(context: Vec<u8>) -> Self {
        Self(context)
    }
}

impl ReportId {
    /// A new name.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        Self(id)
    }
}

impl Summation {
    /// Sums of vectors of this layout. The layout is bound into the context: a share made for other
    /// bounds is refused.
    pub fn new(layout: Layout, context: &Context) -> Result<Self, SumError> {
        Self::over(layout, context, false)
    }

    /// Like [`Summation::new`], and each site commits to its vector, so that a wrong sum is found by
    /// [`Summation::unshard_committed`] even if an aggregator made it. Costs six more numbers in the
    /// vector, and more where numbers are narrow (see [`super::commitment`]).
    pub fn committed(layout: Layout, context: &Context) -> Result<Self, SumError> {
        Self::over(layout, context, true)
    }

    /// Counts over people, without a layout: [`Summation::shard_one`] and
    /// [`Summation::unshard_integers`] go with it. The context is used as it is.
    pub fn of(circuit: Circuit, context: &Context) -> Result<Self, SumError> {
        let engine = Engine::new(circuit)?;
        Ok(Self { layout: None, engine, context: context.0.clone(), generators: None })
    }

    fn over(layout: Layout, context: &Context, committed: bool) -> Result<Self, SumError> {
        let greatest = layout.greatest();
        let random = if committed { blindings(greatest) } else { 0 };
        let engine = Engine::new(Circuit::sum_vec(layout.length() + random, greatest))?;
        let mut bound = context.0.clone();
        bound.push(u8::from(committed));
        bound.extend_from_slice(&layout.to_bytes());
        let generators = committed.then(|| Generators::new(layout.length(), greatest));
        Ok(Self { layout: Some(layout), engine, context: bound, generators })
    }

    /// A site's vector in two shares.
    ///
    /// Errors: [`SumError::Length`], [`SumError::OutOfRange`], [`SumError::NotWhole`].
    pub fn shard(&self, values: &[f64], rng: &mut impl CryptoRng) -> Result<Report, SumError> {
        let layout = self.layout.as_ref().ok_or(SumError::Layout("the task has none"))?;
        let mut integers = layout.encode(values)?;
        let commitment = match &self.generators {
            Some(generators) => Some(generators.commit(&mut integers, rng)?),
            None => None,
        };
        let report = self.shard_one(&Measurement::Vector(integers), rng)?;
        Ok(Report { commitment, ..report })
    }

    /// One measurement of the task's circuit in two shares.
    ///
    /// Errors: [`SumError::Rejected`] for one that is none of the circuit.
    pub fn shard_one(
        &self,
        measurement: &Measurement,
        rng: &mut impl CryptoRng,
    ) -> Result<Report, SumError> {
        let id = ReportId::generate(rng);
        let (public_share, leader, helper) =
            self.engine.shard(&self.context, measurement, &id.0)?;
        Ok(Report { id, public_share, leader, helper, commitment: None })
    }

    /// The aggregator of this task in that role.
    #[must_use]
    pub fn aggregator(&self, role: Role, key: VerifyKey) -> Aggregator {
        Aggregator { engine: self.engine.clone(), context: self.context.clone(), role, key }
    }

    /// The sums out of both aggregators' shares, and how many sites are in them.
    ///
    /// Errors: [`SumError::Shares`], [`SumError::BatchMismatch`], [`SumError::Malformed`], and
    /// [`SumError::Sum`] for sums that sites within the bounds cannot have given.
    pub fn unshard(&self, shares: &[AggregateShare; 2]) -> Result<(Vec<f64>, u64), SumError> {
        let (integers, sites) = exact(&self.engine, shares)?;
        Ok((self.decode(&integers, sites)?, sites))
    }

    /// The sums, checked against what the sites committed to: `commitments` are those of exactly the
    /// sites in the sum, as each site gave its own to whoever asks.
    ///
    /// Errors: those of [`Summation::unshard`], and [`SumError::NotCommitted`].
    pub fn unshard_committed(
        &self,
        shares: &[AggregateShare; 2],
        commitments: &[Commitment],
    ) -> Result<(Vec<f64>, u64), SumError> {
        let (integers, sites) = exact(&self.engine, shares)?;
        let generators = self.generators.as_ref().ok_or(SumError::NotCommitted)?;
        if sites != commitments.len() as u64 {
            return Err(SumError::NotCommitted);
        }
        generators.check(&integers, commitments)?;
        Ok((self.decode(&integers, sites)?, sites))
    }

    /// The sums of a circuit's integers, and how many reports are in them.
    ///
    /// Errors: [`SumError::Shares`], [`SumError::BatchMismatch`], [`SumError::Malformed`].
    pub fn unshard_integers(
        &self,
        shares: &[AggregateShare; 2],
    ) -> Result<(Vec<u128>, u64), SumError> {
        exact(&self.engine, shares)
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    pub(super) fn is_committed(&self) -> bool {
        self.generators.is_some()
    }

    pub(super) fn context(&self) -> &[u8] {
        &self.context
    }

    fn decode(&self, integers: &[u128], sites: u64) -> Result<Vec<f64>, SumError> {
        let layout = self.layout.as_ref().ok_or(SumError::Layout("the task has none"))?;
        let numbers = integers.get(..layout.length()).unwrap_or_default();
        layout.decode(numbers, sites)
    }
}
