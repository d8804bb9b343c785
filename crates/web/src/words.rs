//! Words in the reader's language: looked up by key, filled with values, escaped where they land.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::static_loader;
use jiff::tz::TimeZone;

use crate::lang::Lang;
use crate::when::{TimeTag, When};

static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en-US",
        // All three languages run left to right; isolation marks would only spoil copied text.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// The words of one reader: a language and the time zone in which times are shown.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    lang: Lang,
    zone: &'a TimeZone,
}

impl<'a> Words<'a> {
    /// Words in `lang`, with times shown in `zone`.
    pub fn new(lang: Lang, zone: &'a TimeZone) -> Self {
        Self { lang, zone }
    }

    /// The language.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// The time zone in which times are shown.
    pub fn zone(&self) -> &'a TimeZone {
        self.zone
    }

    /// The text of `key`. Values are added with [`Message::s`] and [`Message::n`].
    pub fn say(&self, key: &'static str) -> Message {
        Message { lang: self.lang, key, args: HashMap::new() }
    }

    /// A point or stretch of time as an HTML `time` element, as exact as it is known.
    pub fn when(&self, when: &When) -> TimeTag {
        TimeTag::exact(self, when)
    }

    /// The day of `when`, or its month or year where no day is known, as an HTML `time` element.
    pub fn day(&self, when: &When) -> TimeTag {
        TimeTag::day(self, when)
    }

    /// The day of an instant in Unix epoch milliseconds, as an HTML `time` element.
    pub fn day_of(&self, ms: &i64) -> TimeTag {
        TimeTag::day(self, &When::Instant(*ms))
    }

    /// Date and time of an instant in Unix epoch milliseconds, as an HTML `time` element.
    pub fn moment(&self, ms: &i64) -> TimeTag {
        TimeTag::exact(self, &When::Instant(*ms))
    }

    /// The time of day of an instant in Unix epoch milliseconds, as an HTML `time` element.
    pub fn clock(&self, ms: &i64) -> TimeTag {
        TimeTag::clock(self, *ms)
    }

    /// A number with the reader's decimal mark, digits kept as they are written in `value`.
    pub fn number(&self, value: impl fmt::Display) -> String {
        let text = value.to_string();
        match self.lang {
            Lang::EnUs => text,
            Lang::Es | Lang::De => text.replace('.', ","),
        }
    }

    /// A count with thousands separated by thin spaces, read alike in every language.
    pub fn count(&self, value: &u64) -> String {
        let digits = value.to_string();
        let mut out = String::with_capacity(digits.len() + digits.len() / 3 * 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push('\u{202f}');
            }
            out.push(digit);
        }
        out
    }

    /// A size in bytes with a binary unit and at most one decimal.
    pub fn bytes(&self, value: &u64) -> String {
        let mut size = *value as f64;
        let mut unit = "B";
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            if size < 1024.0 {
                break;
            }
            size /= 1024.0;
            unit = larger;
        }
        if unit == "B" || size >= 100.0 {
            format!("{size:.0} {unit}")
        } else {
            format!("{} {unit}", self.number(format!("{size:.1}")))
        }
    }

    /// A duration in milliseconds as `420 ms` or `2.1 s`.
    pub fn duration(&self, ms: &u64) -> String {
        if *ms < 1000 {
            format!("{ms} ms")
        } else {
            format!("{} s", self.number(format!("{:.1}", *ms as f64 / 1000.0)))
        }
    }
}

/// A text and the values that go into it. It is escaped where a template writes it.
#[derive(Clone, Debug)]
pub struct Message {
    lang: Lang,
    key: &'static str,
    args: HashMap<Cow<'static, str>, FluentValue<'static>>,
}

impl Message {
    /// Fills `{ $name }` with the text of `value`.
    #[must_use]
    pub fn s(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.args.insert(Cow::Borrowed(name), FluentValue::from(value.to_string()));
        self
    }

    /// Fills `{ $name }` with a number, by which the text may choose its plural form.
    #[must_use]
    pub fn n(mut self, name: &'static str, value: impl Count) -> Self {
        self.args.insert(Cow::Borrowed(name), value.value());
        self
    }

    fn text(&self) -> String {
        let args = (!self.args.is_empty()).then_some(&self.args);
        let mut found = Err(());
        for lang in [self.lang, Lang::default()] {
            found =
                LOCALES.lookup_single_language(lang.identifier(), self.key, args).map_err(|_| ());
            if found.is_ok() {
                break;
            }
        }
        // A missing text is a fault of ours that tests find; a reader still gets the key.
        found.unwrap_or_else(|()| format!("\u{27e6}{}\u{27e7}", self.key))
    }
}

/// A number a text can count with, by value or by any reference, as templates hand it over.
pub trait Count {
    /// The number as the translations understand it.
    fn value(&self) -> FluentValue<'static>;
}

impl<T: Count + ?Sized> Count for &T {
    fn value(&self) -> FluentValue<'static> {
        (**self).value()
    }
}

macro_rules! count {
    ($($number:ty),+) => {$(
        impl Count for $number {
            fn value(&self) -> FluentValue<'static> {
                FluentValue::from(*self)
            }
        }
    )+};
}
count!(i32, u32, u64, usize);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_language() {
        let zone = TimeZone::UTC;
        let english = Words::new(Lang::EnUs, &zone);
        let german = Words::new(Lang::De, &zone);
        assert_eq!(english.number(7.4), "7.4");
        assert_eq!(german.number("7.40"), "7,40");
        assert_eq!(english.count(&1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(english.count(&999), "999");
        assert_eq!(english.bytes(&1000), "1000 B");
        assert_eq!(german.bytes(&1_572_864), "1,5 MiB");
        assert_eq!(english.duration(&420), "420 ms");
        assert_eq!(german.duration(&2100), "2,1 s");
    }
}
