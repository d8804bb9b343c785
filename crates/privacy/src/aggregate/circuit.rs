//! The kinds of Prio3 (draft-irtf-cfrg-vdaf-18, section 7) behind one door: a count over people, a
//! histogram over people, and vectors of integers over sites.

use prio::codec::{Encode, ParameterizedDecode};
use prio::field::{Field64, Field128, NttFriendlyFieldElement};
use prio::flp::Type;
use prio::vdaf::prio3::{
    Prio3, Prio3Count, Prio3Histogram, Prio3InputShare, Prio3PublicShare, Prio3SumVec,
    Prio3VerifierMessage, Prio3VerifierShare, Prio3VerifyState, optimal_chunk_length,
};
use prio::vdaf::xof::XofTurboShake128;
use prio::vdaf::{
    Aggregatable as _, AggregateShare as Share, Aggregator as _, Client as _, Collector as _,
    OutputShare, VerifyTransition,
};

use super::SumError;

/// The longest histogram and the most bits of a vector that are taken.
const MOST_ELEMENTS: usize = 1 << 21;
type Vdaf<T> = Prio3<T, XofTurboShake128, 32>;

/// What a report proves about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Prio3Count: zero or one.
    Count,
    /// Prio3Histogram: one bucket.
    Histogram {
        /// Buckets.
        length: usize,
        /// Elements checked by one call of the gadget.
        chunk: usize,
    },
    /// Prio3SumVec: integers.
    SumVec {
        /// Integers.
        length: usize,
        /// The greatest of each.
        greatest: u128,
        /// Elements checked by one call of the gadget.
        chunk: usize,
    },
}

/// What one report holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measurement {
    /// For [`Circuit::Count`].
    Count(bool),
    /// For [`Circuit::Histogram`]: the bucket, from 0.
    Bucket(usize),
    /// For [`Circuit::SumVec`].
    Vector(Vec<u128>),
}

impl Circuit {
    /// A histogram with the chunk length that the library finds best.
    #[must_use]
    pub fn histogram(length: usize) -> Self {
        Self::Histogram { length, chunk: optimal_chunk_length(length) }
    }

    /// Vectors of integers from 0 to `greatest`, with the chunk length that the library finds best
    /// (close to the square root of the number of bits).
    #[must_use]
    pub fn sum_vec(length: usize, greatest: u128) -> Self {
        let bits = greatest.checked_ilog2().map_or(1, |log| log as usize + 1);
        let chunk = optimal_chunk_length(length.saturating_mul(bits));
        Self::SumVec { length, greatest, chunk }
    }
}

/// A circuit, checked and ready.
#[derive(Clone, Debug)]
pub(super) enum Engine {
    Count(Prio3Count),
    Histogram(Prio3Histogram),
    SumVec(Prio3SumVec),
}

/// An aggregator's state between its two steps.
#[derive(Clone)]
pub(super) enum State {
    F64(Prio3VerifyState<Field64, 32>),
    F128(Prio3VerifyState<Field128, 32>),
}

/// Shares of numbers, of one report or added up.
#[derive(Clone)]
pub(super) enum Vector {
    F64(Share<Field64>),
    F128(Share<Field128>),
}

/// A report as bytes: public share, leader's and helper's input share.
pub(super) type Sharded = (Vec<u8>, Vec<u8>, Vec<u8>);

impl Engine {
    pub(super) fn new(circuit: Circuit) -> Result<Self, SumError> {
        let wrong = |_| SumError::Layout("the proof system does not take its size");
        let elements = match circuit {
            Circuit::Count => 1,
            Circuit::Histogram { length, .. } => length,
            Circuit::SumVec { length, .. } => length.saturating_mul(128),
        };
        if elements > MOST_ELEMENTS.saturating_mul(2) {
            return Err(SumError::Layout("it has too many numbers"));
        }
        Ok(match circuit {
            Circuit::Count => Self::Count(Prio3::new_count(2).map_err(wrong)?),
            Circuit::Histogram { length, chunk } => {
                Self::Histogram(Prio3::new_histogram(2, length, chunk).map_err(wrong)?)
            }
            Circuit::SumVec { length, greatest, chunk } => {
                Self::SumVec(Prio3::new_sum_vec(2, greatest, length, chunk).map_err(wrong)?)
            }
        })
    }

    /// Splits a measurement in two.
    pub(super) fn shard(
        &self,
        context: &[u8],
        measurement: &Measurement,
        nonce: &[u8; 16],
    ) -> Result<Sharded, SumError> {
        match (self, measurement) {
            (Self::Count(vdaf), Measurement::Count(one)) => shard(vdaf, context, one, nonce),
            // The library indexes with the bucket: a bucket that is none must not get there.
            (Self::Histogram(vdaf), Measurement::Bucket(at)) if *at < vdaf.output_len() => {
                shard(vdaf, context, at, nonce)
            }
            (Self::SumVec(vdaf), Measurement::Vector(v)) => shard(vdaf, context, v, nonce),
            _ => Err(SumError::Rejected),
        }
    }

    pub(super) fn init(
        &self,
        key: &[u8; 32],
        context: &[u8],
        aggregator: usize,
        nonce: &[u8; 16],
        (public, input): (&[u8], &[u8]),
    ) -> Result<(State, Vec<u8>), SumError> {
        let from = (key, context, aggregator, nonce, public, input);
        match self {
            Self::Count(vdaf) => init(vdaf, from).map(|(state, m)| (State::F64(state), m)),
            Self::Histogram(vdaf) => init(vdaf, from).map(|(state, m)| (State::F128(state), m)),
            Self::SumVec(vdaf) => init(vdaf, from).map(|(state, m)| (State::F128(state), m)),
        }
    }

    pub(super) fn combine(
        &self,
        context: &[u8],
        state: &State,
        shares: [&[u8]; 2],
    ) -> Result<Vec<u8>, SumError> {
        match (self, state) {
            (Self::Count(vdaf), State::F64(state)) => combine(vdaf, context, state, shares),
            (Self::Histogram(vdaf), State::F128(state)) => combine(vdaf, context, state, shares),
            (Self::SumVec(vdaf), State::F128(state)) => combine(vdaf, context, state, shares),
            _ => Err(SumError::Rejected),
        }
    }

    pub(super) fn finish(
        &self,
        context: &[u8],
        state: State,
        message: &[u8],
    ) -> Result<Vector, SumError> {
        match (self, state) {
            (Self::Count(vdaf), State::F64(state)) => {
                finish(vdaf, context, state, message).map(|out| Vector::F64(out.into()))
            }
            (Self::Histogram(vdaf), State::F128(state)) => {
                finish(vdaf, context, state, message).map(|out| Vector::F128(out.into()))
            }
            (Self::SumVec(vdaf), State::F128(state)) => {
                finish(vdaf, context, state, message).map(|out| Vector::F128(out.into()))
            }
            _ => Err(SumError::Rejected),
        }
    }

    /// Numbers of a sum.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Count(vdaf) => vdaf.output_len(),
            Self::Histogram(vdaf) => vdaf.output_len(),
            Self::SumVec(vdaf) => vdaf.output_len(),
        }
    }

    /// Nothing added yet.
    pub(super) fn zero(&self) -> Vector {
        match self {
            Self::Count(vdaf) => Vector::F64(vdaf.aggregate_init(&())),
            Self::Histogram(vdaf) => Vector::F128(vdaf.aggregate_init(&())),
            Self::SumVec(vdaf) => Vector::F128(vdaf.aggregate_init(&())),
        }
    }

    /// A vector of this circuit from its bytes.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Vector, SumError> {
        let wrong = |_| SumError::Malformed("aggregate share");
        match self {
            Self::Count(vdaf) => {
                Share::get_decoded_with_param(&(vdaf, &()), bytes).map(Vector::F64)
            }
            Self::Histogram(vdaf) => {
                Share::get_decoded_with_param(&(vdaf, &()), bytes).map(Vector::F128)
            }
            Self::SumVec(vdaf) => {
                Share::get_decoded_with_param(&(vdaf, &()), bytes).map(Vector::F128)
            }
        }
        .map_err(wrong)
    }

    /// The sums of `count` reports out of the two aggregators' shares.
    pub(super) fn unshard(&self, shares: [Vector; 2], count: u64) -> Result<Vec<u128>, SumError> {
        let count = usize::try_from(count).map_err(|_| SumError::Shares)?;
        let wrong = |_| SumError::Shares;
        match (self, shares) {
            (Self::Count(vdaf), [Vector::F64(a), Vector::F64(b)]) => {
                vdaf.unshard(&(), [a, b], count).map(|sum| vec![u128::from(sum)]).map_err(wrong)
            }
            (Self::Histogram(vdaf), [Vector::F128(a), Vector::F128(b)]) => {
                vdaf.unshard(&(), [a, b], count).map_err(wrong)
            }
            (Self::SumVec(vdaf), [Vector::F128(a), Vector::F128(b)]) => {
                vdaf.unshard(&(), [a, b], count).map_err(wrong)
            }
            _ => Err(SumError::Shares),
        }
    }
}

impl Vector {
    /// Adds another vector of the same circuit.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), SumError> {
        match (self, other) {
            (Self::F64(sum), Self::F64(other)) => sum.merge(other),
            (Self::F128(sum), Self::F128(other)) => sum.merge(other),
            _ => return Err(SumError::Shares),
        }
        .map_err(|_| SumError::Shares)
    }

    /// Its elements one after the other, little-endian (draft-irtf-cfrg-vdaf-18, section 6.1).
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, SumError> {
        match self {
            Self::F64(sum) => sum.get_encoded(),
            Self::F128(sum) => sum.get_encoded(),
        }
        .map_err(|_| SumError::Shares)
    }
}

/// The library draws its seeds from the operating system's generator: it offers no other way.
fn shard<T: Type>(
    vdaf: &Vdaf<T>,
    context: &[u8],
    measurement: &T::Measurement,
    nonce: &[u8; 16],
) -> Result<Sharded, SumError> {
    let wrong = |_| SumError::Rejected;
    let (public, shares) =
        vdaf.shard(context, measurement, nonce).map_err(|_| SumError::Rejected)?;
    let [leader, helper] = shares.as_slice() else { return Err(SumError::Rejected) };
    Ok((
        public.get_encoded().map_err(wrong)?,
        leader.get_encoded().map_err(wrong)?,
        helper.get_encoded().map_err(wrong)?,
    ))
}

type From<'a> = (&'a [u8; 32], &'a [u8], usize, &'a [u8; 16], &'a [u8], &'a [u8]);

fn init<T: Type>(
    vdaf: &Vdaf<T>,
    (key, context, aggregator, nonce, public, input): From<'_>,
) -> Result<(Prio3VerifyState<T::Field, 32>, Vec<u8>), SumError> {
    let public = Prio3PublicShare::get_decoded_with_param(vdaf, public)
        .map_err(|_| SumError::Malformed("public share"))?;
    let input = Prio3InputShare::get_decoded_with_param(&(vdaf, aggregator), input)
        .map_err(|_| SumError::Malformed("input share"))?;
    let (state, share) = vdaf
        .verify_init(key, context, aggregator, &(), nonce, &public, &input)
        .map_err(|_| SumError::Rejected)?;
    Ok((state, share.get_encoded().map_err(|_| SumError::Rejected)?))
}

fn combine<T: Type>(
    vdaf: &Vdaf<T>,
    context: &[u8],
    state: &Prio3VerifyState<T::Field, 32>,
    shares: [&[u8]; 2],
) -> Result<Vec<u8>, SumError> {
    let read = |bytes: &[u8]| {
        Prio3VerifierShare::get_decoded_with_param(state, bytes)
            .map_err(|_| SumError::Malformed("verifier share"))
    };
    let [leader, helper] = shares;
    let shares = [read(leader)?, read(helper)?];
    let message =
        vdaf.verifier_shares_to_message(context, &(), shares).map_err(|_| SumError::Rejected)?;
    message.get_encoded().map_err(|_| SumError::Rejected)
}

fn finish<T: Type>(
    vdaf: &Vdaf<T>,
    context: &[u8],
    state: Prio3VerifyState<T::Field, 32>,
    message: &[u8],
) -> Result<OutputShare<T::Field>, SumError>
where
    T::Field: NttFriendlyFieldElement,
{
    let message = Prio3VerifierMessage::get_decoded_with_param(&state, message)
        .map_err(|_| SumError::Malformed("verifier message"))?;
    match vdaf.verify_next(context, state, message) {
        Ok(VerifyTransition::Finish(share)) => Ok(share),
        _ => Err(SumError::Rejected),
    }
}
