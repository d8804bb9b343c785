//! Files of an import that lie elsewhere: fetched whole into the folder of the job before a line
//! of them is read, tried again where that may help.

use std::sync::Mutex;
use std::time::Duration;

use federation::fetch::{FetchError, Fetcher, Wish};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jobs::{Ended, Outcome, Run, failed};
use crate::{App, Error, Kind, Result};

/// Most bytes of one file.
pub const MAX_FILE: u64 = 16 * 1024 * 1024 * 1024;
/// Most bytes of a manifest.
const MAX_MANIFEST: u64 = 16 * 1024 * 1024;
/// Most manifests that follow one another.
const MAX_PAGES: usize = 100;
/// Most headers of a request.
const MAX_HEADERS: usize = 20;
/// How often a file is tried.
const ATTEMPTS: u32 = 4;
/// The pieces of a wait between two attempts; a job that ends is noticed after each.
const STEP: Duration = Duration::from_millis(100);
/// How many of them come before the second attempt; twice as many before each further one.
const FIRST_WAITS: u32 = 10;

/// A manifest whose files are to be taken in (Bulk Data, `$bulk-submit`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its address.
    pub url: String,
    /// Headers for it and for its files.
    pub headers: Vec<(String, String)>,
}

/// What a manifest lists.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Type and address of each file.
    pub files: Vec<(Option<String>, String)>,
    /// What it asks for and is not done.
    pub left_out: Vec<String>,
}

/// Checks an address and headers before anything is ordered.
pub(super) fn check(app: &App, url: &str, headers: &[(String, String)]) -> Result<()> {
    app.jobs()
        .options()
        .allowed
        .check(url)
        .map_err(|e| Error::invalid("value", format!("an address cannot be fetched: {e}")))?;
    const OWN: [&str; 7] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "accept",
        "accept-encoding",
        "upgrade",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    for (name, value) in headers {
        let good = !name.is_empty()
            && name.len() <= 100
            && name.chars().all(plain)
            && !OWN.contains(&name.to_ascii_lowercase().as_str())
            && value.len() <= 8_000
            && !value.contains(['\r', '\n', '\0']);
        if !good {
            let message = "a header cannot be sent: its name or value is not allowed";
            return Err(Error::invalid("value", message));
        }
    }
    if headers.len() > MAX_HEADERS {
        let message = format!("at most {MAX_HEADERS} headers can be sent");
        return Err(Error::invalid("too-costly", message));
    }
    Ok(())
}

/// Fetches a file into the folder of the job, where it is whole or absent. The inner error is why the file cannot
/// be had.
pub(super) fn file(
    app: &App,
    run: &Run,
    url: &str,
    headers: &[(String, String)],
    name: &str,
) -> Outcome<std::result::Result<(), FetchError>> {
    if run.folder().has(name) {
        return Ok(Ok(()));
    }
    let wish = Wish { url, headers, accept: "application/fhir+ndjson", most: MAX_FILE };
    let fetched = tried(app, run, wish, || run.folder().replace(name))?;
    let file = match fetched {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    file.finish().map_err(|e| failed("written", &e))?;
    Ok(Ok(()))
}

/// Fetches a manifest and those that follow it.
pub(super) fn manifest(
    app: &App,
    run: &Run,
    manifest: &Manifest,
) -> Outcome<std::result::Result<Listed, String>> {
    let mut listed = Listed::default();
    let mut next = Some(manifest.url.clone());
    for _ in 0..MAX_PAGES {
        let Some(url) = next.take() else { return Ok(Ok(listed)) };
        let headers = &manifest.headers;
        let wish = Wish { url: &url, headers, accept: "application/json", most: MAX_MANIFEST };
        let text = match tried(app, run, wish, || Ok(Vec::new()))? {
            Ok(text) => text,
            Err(error) => return Ok(Err(format!("the manifest was not fetched: {error}"))),
        };
        let Ok(document) = serde_json::from_slice::<Value>(&text) else {
            return Ok(Err("the manifest is not JSON".into()));
        };
        if document["requiresAccessToken"] == true && headers.is_empty() {
            return Ok(Err("the files need an access token: send a `fileRequestHeader`".into()));
        }
        if let Err(fault) = take(&document, &mut listed) {
            return Ok(Err(fault));
        }
        next = document["link"]
            .as_array()
            .and_then(|links| links.iter().find(|link| link["relation"] == "next"))
            .and_then(|link| link["url"].as_str().map(str::to_owned));
    }
    match next {
        None => Ok(Ok(listed)),
        Some(_) => Ok(Err(format!("more than {MAX_PAGES} manifests follow one another"))),
    }
}

fn take(document: &Value, listed: &mut Listed) -> std::result::Result<(), String> {
    let Some(output) = document["output"].as_array() else {
        return Err("the manifest has no `output`".into());
    };
    for file in output {
        let url = file["url"].as_str().ok_or("a file of the manifest has no `url`")?;
        listed.files.push((file["type"].as_str().map(str::to_owned), url.to_owned()));
    }
    if document["deleted"].as_array().is_some_and(|files| !files.is_empty()) {
        listed.left_out.push("`deleted` of the manifest is not followed".into());
    }
    Ok(())
}

/// Tries to fetch something until it is there, cannot be had, or the job ends. A file begins anew
/// with each attempt.
fn tried<W: std::io::Write + Send>(
    app: &App,
    run: &Run,
    wish: Wish<'_>,
    make: impl Fn() -> std::io::Result<W>,
) -> Outcome<std::result::Result<W, FetchError>> {
    let fetcher = Fetcher::new(app.jobs().options().allowed.clone())
        .map_err(|e| Error::new(Kind::Internal, format!("nothing can be fetched: {e}")))?;
    let mut waits = FIRST_WAITS;
    for attempt in 1.. {
        run.check()?;
        let mut out = make().map_err(|e| failed("made", &e))?;
        let ended: Mutex<Option<Ended>> = Mutex::new(None);
        let goes_on = |_: u64| match run.check() {
            Ok(()) => true,
            Err(why) => {
                if let Ok(mut ended) = ended.lock() {
                    *ended = Some(why);
                }
                false
            }
        };
        let fetched =
            tokio::runtime::Handle::current().block_on(fetcher.fetch(wish, &mut out, &goes_on));
        if let Ok(Some(why)) = ended.into_inner() {
            return Err(why);
        }
        match fetched {
            Ok(_) => return Ok(Ok(out)),
            Err(error) if error.is_passing() && attempt < ATTEMPTS => {
                for _ in 0..waits {
                    run.check()?;
                    std::thread::sleep(STEP);
                }
                waits *= 2;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Err(FetchError::Unreachable))
}
