//! Whether a resource is what its type and its profiles say.
