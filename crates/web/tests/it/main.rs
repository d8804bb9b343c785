//! The pages as a reader gets them: every page, in every language, full and empty.

extern crate consilium_web as web;

mod assembly;
mod audit;
mod colours;
mod hostile;
mod live;
mod locales;
mod pages;
mod sample;
