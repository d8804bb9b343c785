//! Contrast, computed: WCAG 2.2 success criteria 1.4.3 (text, 4.5 to 1) and 1.4.11 (signs and
//! edges of controls, 3 to 1).

use std::collections::HashMap;

const TOKENS: &str = include_str!("../../assets/tokens.css");

/// The tokens of the block that begins with `start`.
fn tokens(start: &str) -> HashMap<String, [f64; 3]> {
    let block = TOKENS.split(start).nth(1).unwrap().split('}').next().unwrap();
    block
        .split(';')
        .filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
            let channel =
                |at: usize| f64::from(u8::from_str_radix(&value[at..at + 2], 16).unwrap());
            Some((name.to_string(), [channel(0), channel(2), channel(4)]))
        })
        .collect()
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear = colour.map(|channel| {
        let c = channel / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

const LIGHT: &str = ":root {";
const DARK: &str = ":root[data-theme=\"dark\"] {";
const DARK_BY_DEVICE: &str = ":root:not([data-theme=\"light\"]) {";

#[test]
fn contrast_is_as_known() {
    let ratio = contrast([0.0; 3], [255.0; 3]);
    assert!((ratio - 21.0).abs() < 1e-9);
    // The lightest grey that passes on white.
    assert!(contrast([118.0; 3], [255.0; 3]) >= 4.5);
    assert!(contrast([119.0; 3], [255.0; 3]) < 4.5);
}

#[test]
fn both_ways_into_the_dark_lead_to_the_same_colours() {
    let dark = tokens(DARK);
    assert_eq!(dark, tokens(DARK_BY_DEVICE));
    let mut names: Vec<_> = dark.keys().collect();
    names.sort();
    let light = tokens(LIGHT);
    let mut expected: Vec<_> = light.keys().collect();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn text_and_signs_can_be_read_on_every_ground() {
    let everywhere = ["paper", "card", "sunk", "wash", "note-wash", "alert-wash", "good-wash"];
    let pairs: Vec<(&str, Vec<&str>, f64)> = vec![
        ("ink", everywhere.to_vec(), 4.5),
        ("soft", everywhere.to_vec(), 4.5),
        ("accent", vec!["paper", "card", "sunk", "wash"], 4.5),
        ("on-accent", vec!["accent"], 4.5),
        ("good", vec!["card", "paper", "good-wash"], 4.5),
        ("note", vec!["card", "paper", "note-wash"], 4.5),
        ("alert", vec!["card", "paper", "alert-wash"], 4.5),
        ("on-alert", vec!["alert"], 4.5),
        ("edge", vec!["card", "paper"], 3.0),
        ("trace", vec!["card", "band"], 3.0),
    ];
    for start in [LIGHT, DARK] {
        let tokens = tokens(start);
        for (text, grounds, least) in &pairs {
            for ground in grounds {
                let ratio = contrast(tokens[*text], tokens[*ground]);
                assert!(ratio >= *least, "{start} {text} on {ground}: {ratio:.2}");
            }
        }
    }
}
