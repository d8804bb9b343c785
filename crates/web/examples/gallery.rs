//! Writes every page with sample data as files: `cargo run -p consilium-web --example gallery --
//! DIR`. For looking at the pages without a node, in every language, light and dark.

#![allow(clippy::unwrap_used, reason = "a sample that does not render is a fault to stop at")]

extern crate consilium_web as web;

use std::fs;
use std::path::Path;

#[path = "../tests/it/sample/mod.rs"]
mod sample;

use sample::Fill;
use web::{Lang, Theme, assets};

fn main() -> std::io::Result<()> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "gallery".to_string());
    let dir = Path::new(&dir);
    fs::create_dir_all(dir.join("static"))?;
    for asset in [&*assets::STYLE, &*assets::LIVE, &*assets::PASSKEY, &*assets::ICON] {
        fs::write(dir.join("static").join(&asset.name), asset.bytes)?;
    }
    for lang in Lang::ALL {
        for theme in [Theme::Light, Theme::Dark] {
            for (fill, kind) in [(Fill::Full, "full"), (Fill::Empty, "empty")] {
                for page in sample::pages(lang, theme, fill) {
                    let name = format!("{}.{kind}.{}.{}.html", page.name, lang.tag(), theme.code());
                    // A file has no root to find `/static/` under.
                    let html = page.html.replace("=\"/static/", "=\"static/");
                    fs::write(dir.join(name), html)?;
                }
            }
        }
    }
    Ok(())
}
