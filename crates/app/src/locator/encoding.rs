//! Between the matcher's encodings and the wire's, with noise and handles of this node.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::MacKey;
use fhir::Resource;
use matching::Person;
use matching::clk::{Encoder, Encoding, Filter, Noise, Scheme, View};
use wire::locator::MAX_ENCODINGS;
use wire::{EncodedView, OrgId, PublishedEncoding};

use super::keys::{Key, own};
use crate::{App, Error, Result};

/// Makes encodings for one locator in one epoch.
pub(crate) struct Maker {
    encoder: Encoder,
    noise: Noise,
    handles: MacKey,
}

/// What the noise of an encoding depends on beside the record.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    /// It is published.
    Published,
    /// It is asked with.
    Asked,
}

impl Maker {
    /// For `locator` in `epoch`, under its key.
    pub fn new(app: &App, locator: &OrgId, epoch: u64, key: &Key, what: Use) -> Result<Self> {
        let encoder = Encoder::new(&key.secret, Scheme::HARDENED);
        let word: &[u8] = match what {
            Use::Published => b"published",
            Use::Asked => b"asked",
        };
        let (epoch, locator) = (epoch.to_be_bytes(), locator.as_str().as_bytes());
        let secret = |name: &[u8]| own(app, &[name, word, &epoch, locator]);
        Ok(Self {
            encoder: encoder.map_err(|e| Error::internal(e.to_string()))?,
            noise: Noise::new(&secret(b"noise")?, app.settings().locator.epsilon),
            handles: MacKey::new(&secret(b"handles")?),
        })
    }

    /// What stands for a patient of this node at that locator in that epoch.
    pub fn handle(&self, patient: &str) -> String {
        let hash = self.handles.sign(&[patient.as_bytes()]);
        crypto::hash::hex(hash.get(..8).unwrap_or_default())
    }

    /// The encodings of a Patient with its noise; none where too little is known of the person.
    pub fn encode(&self, patient: &Resource) -> Vec<PublishedEncoding> {
        let id = patient.id().map(|id| id.to_string()).unwrap_or_default();
        let clear = self.encoder.encode(&Person::of(patient));
        (0u8..)
            .zip(clear)
            .map(|(number, encoding)| {
                let filter = self.noise.add(encoding.filter, &[id.as_bytes(), b"\0", &[number]]);
                let bits = STANDARD.encode(filter.to_bytes());
                PublishedEncoding { view: sent(encoding.view), bits }
            })
            .collect()
    }
}

/// Reads encodings of another node; `None` where one is malformed or there are none or too many.
pub(crate) fn read(encodings: &[PublishedEncoding]) -> Option<Vec<Encoding>> {
    if encodings.is_empty() || encodings.len() > MAX_ENCODINGS {
        return None;
    }
    let read = |encoding: &PublishedEncoding| {
        let bytes = STANDARD.decode(&encoding.bits).ok()?;
        Some(Encoding { view: received(encoding.view), filter: Filter::from_bytes(&bytes)? })
    };
    encodings.iter().map(read).collect()
}

fn sent(view: View) -> EncodedView {
    match view {
        View::Name => EncodedView::Name,
        View::Contact => EncodedView::Contact,
        View::Household => EncodedView::Household,
        View::Number => EncodedView::Number,
    }
}

fn received(view: EncodedView) -> View {
    match view {
        EncodedView::Name => View::Name,
        EncodedView::Contact => View::Contact,
        EncodedView::Household => View::Household,
        EncodedView::Number => View::Number,
    }
}
