//! How many different people there are over many institutions, where some are known at several.
//!
//! # How it goes
//!
//! Institutions that know the same person make the same [`Token`] of her. For one question a token falls into one
//! of a few hundred or thousand cells ([`Cells`]). An institution counts its matching people per cell, adds to
//! every count noise of the discrete Laplace law for sensitivity one, and gives that: a [`Sketch`].
//!
//! # What a sketch tells of a person
//!
//! A person is one token, so her presence changes one count by one, and the whole sketch is ε-differentially
//! private for presence at that institution, whoever collects it and whoever holds the key. Who is known at `d`
//! institutions is told of by `d` sketches, together `d·ε`. Every sketch is to be charged ε to the budget.
//!
//! # How different people are counted
//!
//! With `u` the counts less the institution's mean, the sum over cells of the product of the `u` of two
//! institutions expects the number of people whom both know, and that of three whom all three know (third central
//! moments of independent terms add up; the noise of different institutions is independent and has mean zero, so it
//! cancels). Let `S1`, `S2`, `S3` be the sums over institutions, pairs and triples. Of up to three institutions
//! `S1 - S2 + S3` is the number of different people. Beyond, the multiplicities are not settled by three
//! sums; what they leave open is bounded sharply by linear programming over the multiplicities (Prékopa 1988,
//! "Boole–Bonferroni inequalities and linear programming"; Dawson and Sankoff 1967 for two sums), and the
//! interval holds for whatever overlap there is. Between the bounds the estimate is `S1² / (S1 + S2)`: what the two
//! sums say if the chance of one more institution is the same after every one (a geometric law).
//!
//! # Why not a sketch of bits
//!
//! "Sketch-Flip-Merge" (Hehir, Ting, Cormode 2023) answers each bit of a sketch at random and merges the bits
//! by "or". Its merged ε is `-ln(1 - (1 - e^-ε)^k)` for `k` institutions: 0.29 for three at ε = 1 and 10⁻¹⁰ for fifty.
//! Noisy counts of cells (a private sketch for the second moment, after Alon, Matias and Szegedy 1999) keep what
//! the bits of many institutions lose; the example `distinct` measures both (of three institutions with very many
//! people, bits are as good or better from ε = 1 on). What no private sketch gives is the exact overlap of a
//! few people: look at [`expected_error`] before spending.

mod bounds;
mod estimate;
mod sketch;
mod token;

pub use estimate::{Answer, Estimate, MAX_SITES, Merged};
pub use sketch::{
    Cells, MAX_CELLS, MAX_COUNT, MIN_CELLS, Noise, NoiseRefused, Sketch, SketchError,
    expected_error, noisy_count,
};
pub use token::{QuestionKey, Token, TokenKey};
