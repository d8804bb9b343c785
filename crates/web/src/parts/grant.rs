//! An exact grant in plain words, the same on the screen of who asks and on the patient's own; and
//! the picture that leads a phone to it.

use askama::Template;
use qrcode::{Color, EcLevel, QrCode};

use super::html_part;
use crate::terms::{Kind, Purpose};
use crate::words::Words;

/// What is to be permitted.
#[derive(Clone, Debug)]
pub struct GrantWords {
    /// Who asks for it.
    pub proposer: String,
    /// Name of the organisation whose clinicians may see.
    pub recipient: String,
    /// Names of those whose data they may see.
    pub holders: Vec<String>,
    /// Whether what others recorded is not shown while it lasts.
    pub only: bool,
    /// The kinds of data; everything that is not sensitive where empty.
    pub kinds: Vec<Kind>,
    /// For what.
    pub purpose: Purpose,
    /// Until when, Unix epoch milliseconds.
    pub until_ms: i64,
}

/// The grant as a list of who, what, from whom, for what and how long.
#[derive(Template)]
#[template(path = "parts/grant.html")]
pub struct Grant<'a> {
    w: Words<'a>,
    v: &'a GrantWords,
}

impl Grant<'_> {
    fn kinds(&self) -> String {
        let names: Vec<String> = self.v.kinds.iter().map(|k| k.say(&self.w).to_string()).collect();
        names.join(", ")
    }
}

/// The grant in words.
pub fn grant_words<'a>(w: &Words<'a>, grant: &'a GrantWords) -> Grant<'a> {
    Grant { w: *w, v: grant }
}

/// A QR code (ISO/IEC 18004) as one path.
#[derive(Template)]
#[template(path = "parts/qr.html")]
pub struct Qr<'a> {
    w: Words<'a>,
    /// The key of what is said of it.
    label: &'static str,
    /// Width with the quiet zone of four modules on each side.
    width: usize,
    path: String,
}

/// The picture of `text`, called by the sentence of `label`; `None` for a text that is too long for a
/// code.
pub fn qr<'a>(w: &Words<'a>, text: &str, label: &'static str) -> Option<Qr<'a>> {
    let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (at % width + 4, at / width + 4);
            path.push_str(&format!("M{x} {y}h1v1h-1z"));
        }
    }
    Some(Qr { w: *w, label, width: width + 8, path })
}

html_part!(Grant, Qr);
