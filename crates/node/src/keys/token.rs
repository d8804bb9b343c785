//! The node key sealed by a token (PKCS#11 2.40): an HSM, a smart card, or SoftHSM.
//!
//! The token holds an AES-256 key that never leaves it, and seals the node key with AES-GCM. What is
//! kept in the box is the nonce and what the token returned; without the token and its PIN it stays
//! closed.

use crypto::lockbox::{Opened, Way};
use crypto::{Random as _, SystemRandom};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::KeysError;

const NONCE: usize = 12;
const CONTEXT: &[u8] = b"consilium node key";
/// Bits of the tag.
const TAG: u64 = 128;

fn failed(what: &str) -> impl FnOnce(Error) -> KeysError {
    move |error| KeysError::Locked(format!("the token: {what}: {error}"))
}

/// Where the key is: the library, the token's label and the key's.
struct Place<'a> {
    module: &'a str,
    token: &'a str,
    key: &'a str,
}

fn place(way: &Way) -> Result<Place<'_>, KeysError> {
    match way {
        Way::Token { module, token, key, .. } => Ok(Place { module, token, key }),
        _ => Err(KeysError::Locked("that way is no token".into())),
    }
}

fn with_session<T>(
    place: &Place<'_>,
    pin: &str,
    act: impl FnOnce(&Session) -> Result<T, KeysError>,
) -> Result<T, KeysError> {
    let library = Pkcs11::new(place.module).map_err(failed("its library cannot be loaded"))?;
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // Another part of this process uses it, too.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(failed("its library does not start")(error)),
    }
    let slots = library.get_slots_with_token().map_err(failed("no slots"))?;
    let is_it = |slot: &cryptoki::slot::Slot| {
        library.get_token_info(*slot).is_ok_and(|info| info.label() == place.token)
    };
    let slot = slots.into_iter().find(is_it).ok_or_else(|| {
        KeysError::Locked(format!("no token with the label `{}` is there", place.token))
    })?;
    let session = library.open_rw_session(slot).map_err(failed("no session"))?;
    let pin = AuthPin::new(pin.to_owned().into());
    match session.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
        Err(error) => return Err(failed("it does not take the PIN")(error)),
    }
    act(&session)
}

fn find(session: &Session, label: &str) -> Result<Option<ObjectHandle>, KeysError> {
    let wanted = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(label.into())];
    let found = session.find_objects(&wanted).map_err(failed("its objects cannot be listed"))?;
    Ok(found.first().copied())
}

/// The key in the token; made where it is missing, so that it cannot be read out.
fn make(session: &Session, label: &str) -> Result<ObjectHandle, KeysError> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Label(label.into()),
        Attribute::ValueLen(32.into()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ];
    session.generate_key(&Mechanism::AesKeyGen, &template).map_err(failed("no key can be made"))
}

fn gcm<'a>(nonce: &'a mut [u8]) -> Result<Mechanism<'a>, KeysError> {
    let parameters = GcmParams::new(nonce, CONTEXT, TAG.into()).map_err(failed("AES-GCM"))?;
    Ok(Mechanism::AesGcm(parameters))
}

/// Seals the node key; the token's key is made where it is missing.
pub(super) fn seal(way: &Way, pin: &str, opened: &Opened) -> Result<Vec<u8>, KeysError> {
    let place = place(way)?;
    with_session(&place, pin, |session| {
        let key = match find(session, place.key)? {
            Some(key) => key,
            None => make(session, place.key)?,
        };
        let mut nonce = [0; NONCE];
        let made = |e: crypto::RandomFault| KeysError::Content("a nonce", e.into());
        SystemRandom.fill(&mut nonce).map_err(made)?;
        let mut sealed = nonce.to_vec();
        let out = session.encrypt(&gcm(&mut nonce)?, key, opened.bytes());
        sealed.extend(out.map_err(failed("it does not seal"))?);
        Ok(sealed)
    })
}

/// Opens the node key.
pub(super) fn open(way: &Way, pin: &str) -> Result<Opened, KeysError> {
    let place = place(way)?;
    let sealed = way.sealed().map_err(|e| KeysError::Content("the token's way", e))?;
    let (nonce, body) = sealed
        .split_at_checked(NONCE)
        .ok_or_else(|| KeysError::Locked("what the token sealed is cut short".into()))?;
    let mut nonce = nonce.to_vec();
    with_session(&place, pin, |session| {
        let key = find(session, place.key)?.ok_or_else(|| {
            KeysError::Locked(format!("the token has no key with the label `{}`", place.key))
        })?;
        let out = session.decrypt(&gcm(&mut nonce)?, key, body);
        let out = zeroize::Zeroizing::new(out.map_err(failed("it does not open the node key"))?);
        Opened::from_bytes(&out).map_err(|e| KeysError::Content("the node key", e))
    })
}
