//! Where the pages of registered apps come from: browsers let them call the API when this node
//! says so (SMART App Launch 2.2, CORS support).

use std::collections::HashSet;

use super::register::all;
use crate::App;

/// How long the list is kept, in milliseconds: the command line registers beside a running node
/// that shares its store.
const KEPT_MS: i64 = 10_000;

/// The origins of registered redirect and launch addresses.
#[derive(Debug, Default)]
pub struct Known {
    origins: HashSet<String>,
    until_ms: i64,
}

/// Whether an `Origin` is that of a registered app.
pub fn is_known(app: &App, origin: &str) -> bool {
    let now = app.now_ms();
    let mut known = app.apps().origins.lock();
    if now >= known.until_ms {
        // Where the list cannot be read, no page of another origin is let in.
        let clients = all(app).unwrap_or_default();
        let addresses =
            clients.iter().flat_map(|client| client.redirects.iter().chain(&client.launch));
        known.origins = addresses.filter_map(|address| of(address)).collect();
        known.until_ms = now.saturating_add(KEPT_MS);
    }
    known.origins.contains(origin)
}

/// Reads the list anew when it is next asked for.
pub(super) fn forget(app: &App) {
    app.apps().origins.lock().until_ms = i64::MIN;
}

/// The origin of a web address (RFC 6454), as browsers write it.
pub fn of(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let standard = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = rest.get(..end)?.to_ascii_lowercase();
    let authority = authority.strip_suffix(standard).unwrap_or(&authority);
    Some(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (address, origin) in [
            ("https://App.example/after?x=1", Some("https://app.example")),
            ("https://app.example:443?x", Some("https://app.example")),
            ("http://127.0.0.1:8000/", Some("http://127.0.0.1:8000")),
            ("org.example.app:/after", None),
        ] {
            assert_eq!(of(address).as_deref(), origin, "{address}");
        }
    }
}
