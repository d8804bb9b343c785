//! What can be told by its form: dates, numbers, addresses on the web, ages.

use std::sync::OnceLock;

use regex::Regex;

use super::{Category, Span};

/// The patterns; the first group of each is what was found, where it has one.
#[derive(Debug)]
pub(super) struct Patterns {
    forms: Vec<(Category, Regex)>,
    short_date: Regex,
    identifier: Regex,
    pub(super) town_and_state: Regex,
    pub(super) street: Regex,
}

const MONTH: &str = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|(?-i:May|MAY))\b";

const FORMS: [(Category, &str); 30] = [
    (Category::Url, r"(?i)\b(?:https?|ftp)://[^\s<>\x22')\]]+"),
    (Category::Url, r"(?i)\bwww\.[^\s<>\x22')\],]+"),
    (
        Category::Url,
        r"(?i)\b[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|info|io|health|us)(?:/[^\s<>\x22')\],]*)?\b",
    ),
    (Category::Url, r"\b(?:\d{1,3}\.){3}\d{1,3}\b"),
    (Category::Email, r"(?i)\b[a-z0-9._%+-]+\s?@\s?[a-z0-9-]+(?:\.[a-z0-9-]+)+\b"),
    (Category::Identifier, r"\b\d{3}-\d{2}-\d{4}\b"),
    (Category::Identifier, r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"),
    (Category::Identifier, r"\b\d{7,}\b"),
    (Category::Identifier, r"\b[A-Z]{1,4}-?\d{4,}[A-Z0-9-]*\b"),
    (Category::Identifier, r"\b[A-Z0-9]*\d[A-Z0-9]*[A-Z][A-Z0-9]*\d{3,}[A-Z0-9]*\b"),
    (
        Category::Telephone,
        r"(?:\+?\b1[-.\s]?)?(?:\(\d{3}\)\s?|\b\d{3}[-.\s])\d{3}[-.\s]\d{4}\b(?:\s?(?:x|ext\.?)\s?\d{1,6})?",
    ),
    (Category::Telephone, r"\b\d{3}[-.]\d{4}\b(?:\s?(?:x|ext\.?)\s?\d{1,6})?"),
    (Category::Telephone, r"\+\d{1,3}(?:[\s.-]?\(?\d{1,4}\)?){2,5}\b"),
    (
        Category::Telephone,
        r"(?i)\b(?:tel|phone|ph|cell|mobile|fax|pager|beeper|call|reached at|ext)\b[.:#\s]*(?:at|number|is|no)?[.:#\s]*((?:\(?\d[\d().\s-]{5,}\d))",
    ),
    (Category::Telephone, r"(?i)\b(?:ext|extension|pager|beeper)\b[.:#\s]*(\d{4,6})\b"),
    (
        Category::Date,
        r"\b(?:1[89]|20)\d{2}[-/.](?:0?[1-9]|1[0-2])(?:[-/.](?:0?[1-9]|[12]\d|3[01])(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?)?\b",
    ),
    (
        Category::Date,
        r"\b(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])/(?:(?:18|19|20)\d{2}|\d{2})\b",
    ),
    (
        Category::Date,
        r"\b(?:0?[1-9]|[12]\d|3[01])-(?:0?[1-9]|[12]\d|3[01])-(?:(?:18|19|20)\d{2}|\d{2})\b",
    ),
    (
        Category::Date,
        r"\b(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.(?:(?:18|19|20)\d{2}|\d{2})\b",
    ),
    (Category::Date, r"\b(?:0?[1-9]|1[0-2])/(?:19|20)\d{2}\b"),
    (
        Category::Date,
        r"(?i)\bMONTH\.?[\s-]+\d{1,2}(?:st|nd|rd|th)?(?:,?[\s-]+(?:(?:19|20)\d{2}|'\d{2}))?\b",
    ),
    (
        Category::Date,
        r"(?i)\b(?:the\s+)?\d{1,2}(?:st|nd|rd|th)?[\s-]+(?:of\s+)?MONTH(?:[.,]?[\s-]+(?:(?:19|20)\d{2}|'?\d{2}\b))?",
    ),
    (Category::Date, r"(?i)\bMONTH[.,]?[\s-]+(?:of\s+)?(?:19|20)\d{2}\b"),
    (
        Category::Date,
        r"(?i)\bmay\s+(?:\d{1,2}(?:st|nd|rd|th)(?:,?\s+(?:19|20)\d{2})?|\d{1,2},\s+(?:19|20)\d{2})\b",
    ),
    (
        Category::Age,
        r"(?i)\b(9\d|1[0-2]\d)[\s-]*(?:years?[\s-]*(?:old|young)|yrs?[\s-]*old|years?[\s-]+of[\s-]+age|y/o|y\.o\.|yo\b|yrs?\b|year\b)",
    ),
    (Category::Age, r"(?i)\b(?:age|aged|turned|turning|turns)[:\s]+(?:of\s+)?(9\d|1[0-2]\d)\b"),
    (Category::Age, r"(?i)\b(9\d|1[0-2]\d)\s?(?:m|f|male|female|woman|man|lady|gentleman)\b"),
    (
        Category::Age,
        r"(?i)\b(ninety(?:[\s-](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one[\s-]|a[\s-])?hundred(?:[\s-](?:and[\s-])?(?:one|two|three|four|five|six|seven|eight|nine|ten))?)[\s-]+(?:years?[\s-]+old|years?[\s-]+of[\s-]+age)",
    ),
    (Category::Age, r"(?i)\b(?:his|her|their)\s+(?:early\s+|mid[\s-]+|late\s+)?(90'?s|nineties)\b"),
    (Category::Age, r"(?i)\b(9\d|1[0-2]\d)(?:th)\s+birthday\b"),
];

const SHORT_DATE: &str = r"(?i)\b(on|since|dated?|seen|visit|until|from|till|through|thru|by|of|due|scheduled|for|appointment|f/u|returns?|returned|admitted|discharged|surgery|dos|dob|around|before|after|starting|last|to|between)[:\s]+((?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01]))\b";

const IDENTIFIER: &str = r"(?i)\b(?:mrn|medical record|ssn|social security|soc sec|account|acct|policy|member|subscriber|beneficiary|medicare|medicaid|licen[cs]e|npi|dea|serial|accession|case|chart|encounter|claim|group|plate|vin|passport|badge|device|specimen|order|ref|reference|confirmation|hospital|patient|pt|record|health plan|insurance|s/n|sn|lot|id)\s*(?:id|no|num|number|nbr|card|plate)?\.?\s*(?:is|was|ending in|ends in)?\s*[:#=]*\s*([A-Z0-9]*\d[A-Z0-9-]*)";

const STATES: &str = r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]|Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming)\b";

const TOWN: &str =
    r"((?:[A-Z][\p{L}'’.-]*\s){0,2}[A-Z][\p{L}'’-]+),?\s+STATES(?:[,\s]+(\d{5}(?:-\d{4})?)\b)?";

const STREET: &str = r"(?i)\b(\d{1,6}[a-z]?[ \t]+(?:(?:[nsew]\.?|north|south|east|west)[ \t]+)?(?:(?:[\p{L}'’0-9-]+|st\.|mt\.|ft\.)[ \t]+){1,4}?(?:street|st|avenue|ave|road|rd|drive|dr|lane|ln|boulevard|blvd|court|ct|way|place|pl|terrace|ter|circle|cir|highway|hwy|parkway|pkwy|square|sq|trail|loop|alley|crossing|manor|mews|row|path|pike)\b\.?(?:,?[ \t]+(?:apt|apartment|suite|ste|unit|floor|fl|room|rm|#)\.?[ \t]*#?[a-z0-9-]+)?)|\b(p\.?\s?o\.?\s+box\s+\d+)";

impl Patterns {
    /// The patterns of the program.
    #[expect(clippy::expect_used, reason = "the patterns are constants and every test uses them")]
    pub(super) fn shared() -> &'static Self {
        static PATTERNS: OnceLock<Patterns> = OnceLock::new();
        let made = |pattern: &str| {
            let pattern = pattern.replace("MONTH", MONTH).replace("STATES", STATES);
            Regex::new(&pattern).expect("a constant pattern is sound")
        };
        PATTERNS.get_or_init(|| Self {
            forms: FORMS.iter().map(|(category, pattern)| (*category, made(pattern))).collect(),
            short_date: made(SHORT_DATE),
            identifier: made(IDENTIFIER),
            town_and_state: made(TOWN),
            street: made(STREET),
        })
    }

    /// What the forms tell.
    pub(super) fn find(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        // What cannot be there need not be searched for: most texts are short and hold no number.
        let digit = text.bytes().any(|byte| byte.is_ascii_digit());
        let (at, point) = (text.contains('@'), text.contains('.') || text.contains("://"));
        let possible = |category: Category| match category {
            Category::Url => point,
            Category::Email => at,
            Category::Age => true,
            _ => digit,
        };
        for (category, form) in self.forms.iter().filter(|(category, _)| possible(*category)) {
            for found in form.captures_iter(text) {
                if let Some(part) = found.get(1).or_else(|| found.get(0)) {
                    let span = Span { start: part.start(), end: part.end(), category: *category };
                    spans.push(span);
                }
            }
        }
        if !digit {
            return spans;
        }
        for found in self.short_date.captures_iter(text) {
            let (Some(word), Some(date)) = (found.get(1), found.get(2)) else { continue };
            let after = text.get(date.end()..).unwrap_or_default();
            // `from 8/10 to 3/10` are grades of pain, `1/6` and `5/5` those of murmurs and strength.
            let graded = date.as_str().ends_with("/10")
                || date.as_str().ends_with("/5")
                || date.as_str().ends_with("/6");
            let plain = matches!(
                word.as_str().to_lowercase().as_str(),
                "from"
                    | "of"
                    | "by"
                    | "to"
                    | "for"
                    | "after"
                    | "before"
                    | "around"
                    | "last"
                    | "between"
                    | "through"
            );
            if !(after.starts_with('/') || graded && plain) {
                spans.push(Span { start: date.start(), end: date.end(), category: Category::Date });
            }
        }
        for found in self.identifier.captures_iter(text) {
            let Some(code) = found.get(1) else { continue };
            let digits = code.as_str().bytes().filter(u8::is_ascii_digit).count();
            let after = text.get(code.end()..).unwrap_or_default();
            if digits >= 4 && !after.starts_with('/') {
                let code =
                    Span { start: code.start(), end: code.end(), category: Category::Identifier };
                spans.push(code);
            }
        }
        spans
    }
}
