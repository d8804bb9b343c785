//! Countries (ISO 3166-1: two letters, three letters and number), currencies (ISO 4217) and
//! languages (ISO 639-1).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::layer::Layer;
use crate::system::{Builder, Content, Head, Row};

static COUNTRIES: &str = include_str!("../../definitions/countries.txt");
static CURRENCIES: &str = include_str!("../../definitions/currencies.txt");
static LANGUAGES: &str = include_str!("../../definitions/languages.txt");

fn index(text: &'static str, skip: usize) -> HashMap<&'static str, &'static str> {
    text.lines()
        .filter_map(|line| {
            let code = line.split(' ').next()?;
            Some((code, line.splitn(skip + 2, ' ').nth(skip + 1)?))
        })
        .collect()
}

/// The name of a country by its two capital letters.
pub(super) fn country(code: &str) -> Option<&'static str> {
    static INDEX: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    INDEX.get_or_init(|| index(COUNTRIES, 2)).get(code).copied()
}

/// The name of a language by its two small letters.
pub(super) fn language(code: &str) -> Option<&'static str> {
    static INDEX: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    INDEX.get_or_init(|| index(LANGUAGES, 0)).get(code).copied()
}

/// The lists as code systems.
pub(crate) fn tables() -> &'static Arc<Layer> {
    static LAYER: OnceLock<Arc<Layer>> = OnceLock::new();
    LAYER.get_or_init(|| {
        let mut countries = builder("urn:iso:std:iso:3166", "ISO3166");
        // The two-letter codes first, then the others: the order of an expansion.
        for column in 0..3 {
            for line in COUNTRIES.lines() {
                let mut fields = line.splitn(4, ' ');
                let display = fields.clone().nth(3).unwrap_or_default();
                add(&mut countries, fields.nth(column).unwrap_or_default(), display);
            }
        }
        let mut currencies = builder("urn:iso:std:iso:4217", "ISO4217");
        for line in CURRENCIES.lines() {
            let (code, display) = line.split_once(' ').unwrap_or((line, ""));
            add(&mut currencies, code, display);
        }
        let mut layer = Layer::new();
        layer.add_system(countries.finish([]));
        layer.add_system(currencies.finish([]));
        Arc::new(layer)
    })
}

fn add(builder: &mut Builder, code: &str, display: &str) {
    // The lists are far below the limit that alone makes this fail.
    let _ = builder.add(&Row { code, display, ..Row::default() });
}

fn builder(url: &str, name: &str) -> Builder {
    Builder::new(Head {
        url: url.into(),
        version: None,
        name: name.into(),
        title: None,
        status: "active".into(),
        language: Some("en".into()),
        case_sensitive: true,
        content: Content::Complete,
        value_set: None,
        supplements: None,
        subsumes: true,
        compositional: false,
        properties: Vec::new(),
    })
}
