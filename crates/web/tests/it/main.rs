//! The pages as a reader gets them: every page, in every language, full and empty.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

extern crate consilium_web as web;

mod assembly;
mod audit;
mod colours;
mod hostile;
mod live;
mod locales;
mod pages;
mod sample;
