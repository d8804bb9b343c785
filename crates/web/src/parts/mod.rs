//! Pieces that several pages are made of: form controls, the ceremony of a passkey, source chips,
//! trend pictures.

mod chips;
mod control;
mod grant;
mod passkey;
mod seen;
mod spark;
pub mod standing;

pub use chips::{Chips, SourceChip, chips};
pub use control::{Choice, Input, Token, choice, input, text_area, token};
pub use grant::{GrantWords, Qr, grant_words, qr};
pub use passkey::{Ceremony, PasskeyFault, ceremony};
pub use seen::seen;
pub(crate) use spark::range;
pub use spark::{Spark, Trend, spark};

/// Marks templates of parts as HTML that is already escaped, so that pages need no `safe` filter.
macro_rules! html_part {
    ($($name:ident),+) => {$(
        impl askama::filters::HtmlSafe for $name<'_> {}
    )+};
}
pub(crate) use html_part;
