//! Differential privacy: the noise, its error, what it costs, and questions beside questions.

mod noise;
mod overlap;
mod spending;
