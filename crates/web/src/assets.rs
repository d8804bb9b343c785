//! The static files of the pages, compiled in, each under a name that changes with its content.

use std::sync::LazyLock;

use crate::paths::Static;

/// A static file.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its name under `/static/`, with a hash of the content: it may be cached for ever
    /// (`Cache-Control: public, max-age=31536000, immutable`).
    pub name: String,
    /// Its media type, for `Content-Type`.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, ending: &str, content_type: &'static str, text: &'static str) -> Self {
        let hash = fnv1a(text.as_bytes());
        Self { name: format!("{stem}-{hash:016x}.{ending}"), content_type, bytes: text.as_bytes() }
    }

    /// Where a page finds it.
    pub fn path(&self) -> Static<'_> {
        Static(&self.name)
    }
}

/// The one style sheet.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let text = concat!(
        include_str!("../assets/tokens.css"),
        include_str!("../assets/base.css"),
        include_str!("../assets/frame.css"),
        include_str!("../assets/controls.css"),
        include_str!("../assets/record.css"),
        include_str!("../assets/pages.css"),
        include_str!("../assets/print.css"),
    );
    Asset::new("consilium", "css", "text/css; charset=utf-8", text)
});

/// The script that fills in a record while its sources answer.
pub static LIVE: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../assets/live.js");
    Asset::new("live", "js", "text/javascript; charset=utf-8", text)
});

/// The script that asks a device for a passkey.
pub static PASSKEY: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../assets/passkey.js");
    Asset::new("passkey", "js", "text/javascript; charset=utf-8", text)
});

/// The mark in the browser's tab.
pub static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("mark", "svg", "image/svg+xml", include_str!("../assets/mark.svg"))
});

/// The asset of that name, `None` when there is none.
pub fn find(name: &str) -> Option<&'static Asset> {
    [&*STYLE, &*LIVE, &*PASSKEY, &*ICON].into_iter().find(|asset| asset.name == name)
}

/// FNV-1a, 64 bit (RFC 9923). It tells versions apart; it guards nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        // Test vectors of the algorithm's authors.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn assets_are_found_by_their_hashed_names_only() {
        for asset in [&*STYLE, &*LIVE, &*PASSKEY, &*ICON] {
            assert_eq!(find(&asset.name).map(|found| found.bytes), Some(asset.bytes));
        }
        assert!(find("consilium.css").is_none());
        assert!(find("../Cargo.toml").is_none());
    }
}
