//! Random bytes as a parameter.

use aws_lc_rs::rand::SecureRandom;

/// No random bytes were to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source of random bytes failed")]
pub struct RandomFault;

/// A source of random bytes. A node uses [`SystemRandom`]; a simulation passes its own.
pub trait Random: Send + Sync {
    /// Fills `bytes` completely, or fails.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFault>;
}

/// The cryptographically secure generator of AWS-LC, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFault> {
        aws_lc_rs::rand::SystemRandom::new().fill(bytes).map_err(|_| RandomFault)
    }
}

/// `bytes` random bytes as base64url without padding: an identifier nobody can guess.
///
/// Fails only where `random` does.
pub fn token(random: &dyn Random, bytes: usize) -> Result<String, RandomFault> {
    use base64::Engine;
    let mut buffer = vec![0; bytes];
    random.fill(&mut buffer)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_length_asked_for_and_differ() {
        let (a, b) = (token(&SystemRandom, 16).unwrap(), token(&SystemRandom, 16).unwrap());
        assert_eq!(a.len(), 22);
        assert_ne!(a, b);
    }
}
