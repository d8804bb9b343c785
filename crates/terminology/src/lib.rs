//! Code systems, value sets and concept maps: what a code means.
