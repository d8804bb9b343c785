//! Passkeys of people: signing in with one, proving presence with one, adding, listing, removing.
//!
//! Each proof is a ceremony of two steps: `begin_…` gives out a challenge, `finish_…` takes the
//! answer. A challenge is used up by the first answer, right or wrong. Signing in needs no name:
//! the device says whose passkey it is (a discoverable credential), so nobody can ask which
//! accounts there are. A passkey that does not is still good for proving presence.

use store::Write;
use webauthn_rs::prelude::{
    Passkey, PasskeyAuthentication, PublicKeyCredential, RegisterPublicKeyCredential,
};

use super::{Session, Sessions, short, throttle_name};
use crate::account::Account;
use crate::fault::Fault;
use crate::hidden::Hidden;
use crate::passkey::{
    Ceremony, Device, Kept, MAX_PASSKEYS, PasskeyError, Site, Started, account_of, handle, id_of,
    name,
};
use crate::principal::{Principal, is_fresh};
use crate::session::{Factor, Record, SessionError, place};

/// Longest answer of a browser that is read, in bytes.
const MAX_ANSWER: usize = 32 * 1024;

type Result<T> = std::result::Result<T, PasskeyError>;

impl Sessions {
    /// Whether passkeys can be used at this node.
    pub fn has_passkeys(&self) -> bool {
        self.site.is_some()
    }

    pub(super) fn site(&self) -> Result<&Site> {
        self.site.as_deref().ok_or(PasskeyError::Unusable)
    }

    /// Begins signing in with a passkey.
    ///
    /// Errors: [`PasskeyError::Unusable`].
    pub fn begin_passkey_sign_in(&self, address: &str, now_ms: i64) -> Result<Started> {
        let (mut options, state) = self
            .site()?
            .webauthn()
            .start_discoverable_authentication()
            .map_err(|error| PasskeyError::from_library(&error, ""))?;
        // Whether passkeys are offered while a name is typed is for the page to say.
        options.mediation = None;
        self.begun(Ceremony::SignIn(state), &options, address, now_ms)
    }

    /// Begins a session with what the browser answered, as JSON. Two factors are proved by it:
    /// the key, and what the device checked its owner by.
    ///
    /// Errors: every refusal of [`PasskeyError`] that concerns an answer.
    pub fn finish_passkey_sign_in(
        &self,
        ceremony: &str,
        answer: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Session> {
        let attempt = self
            .throttle
            .begin_unnamed(ceremony, &short(address), now_ms)
            .map_err(|retry_after_s| PasskeyError::Throttled { retry_after_s })?;
        let outcome = self.check_passkey_sign_in(ceremony, answer, now_ms);
        match &outcome {
            Ok(_) => self.throttle.succeeded(&attempt),
            // Each leaves a trace in the audit, so a stranger has only so many of them.
            Err(PasskeyError::Expired) => {}
            Err(error) if !error.is_guess() => self.throttle.withdrawn(&attempt),
            Err(_) => tracing::info!("a sign-in with a passkey failed"),
        }
        outcome
    }

    fn check_passkey_sign_in(&self, ceremony: &str, answer: &str, now_ms: i64) -> Result<Session> {
        let webauthn = self.site()?.webauthn();
        let Some(Ceremony::SignIn(state)) = self.ceremonies.take(ceremony, now_ms) else {
            return Err(PasskeyError::Expired);
        };
        let answer: PublicKeyCredential = read(answer)?;
        let (handle, credential_id) = webauthn
            .identify_discoverable_authentication(&answer)
            .map_err(|error| PasskeyError::from_library(&error, ""))?;
        let account_id = account_of(&handle);
        let (account, passkey) = self.owned(&account_id, credential_id)?;
        let proof = webauthn.finish_discoverable_authentication_v2(&answer, state, &passkey);
        let device = id_of(credential_id);
        let proof = self.judged(&account_id, &device, proof, now_ms)?;
        self.note_use(&account_id, &device, &proof, now_ms)?;
        let mut record =
            Record { password: false, device: Some(device), ..Record::begin(&account_id, now_ms) };
        record.prove(Factor::Passkey, now_ms);
        Ok(self.open(account, &record)?)
    }

    /// Begins proving presence with a passkey of the session's account.
    ///
    /// Errors: [`PasskeyError::NoPasskey`], [`PasskeyError::Session`], [`PasskeyError::Unusable`].
    pub fn begin_passkey_step_up(
        &self,
        token: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Started> {
        let webauthn = self.site()?.webauthn();
        let principal = self.resolve(token, now_ms)?;
        let passkeys = self.passkeys_of(&principal.account_id)?;
        if passkeys.is_empty() {
            return Err(PasskeyError::NoPasskey);
        }
        let (options, state) = webauthn
            .start_passkey_authentication(&passkeys)
            .map_err(|error| PasskeyError::from_library(&error, ""))?;
        let place = place(token).ok_or(SessionError::Unknown)?;
        self.begun(Ceremony::StepUp(place, state), &options, address, now_ms)
    }

    /// Takes the browser's answer as proof that the person is present now.
    ///
    /// Errors: every refusal of [`PasskeyError`] that concerns an answer.
    pub fn finish_passkey_step_up(
        &self,
        token: &str,
        ceremony: &str,
        answer: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Principal> {
        let principal = self.resolve(token, now_ms)?;
        let attempt = self
            .throttle
            .begin_factor(&throttle_name(&principal.username), &short(address), now_ms)
            .map_err(|retry_after_s| PasskeyError::Throttled { retry_after_s })?;
        match self.check_passkey_step_up(&principal.account_id, token, ceremony, answer, now_ms) {
            Ok(()) => self.throttle.succeeded(&attempt),
            Err(error) => {
                match error.is_guess() {
                    true => tracing::info!("a proof with a passkey failed"),
                    false => self.throttle.withdrawn(&attempt),
                }
                return Err(error);
            }
        }
        Ok(self.proved(token, Factor::Passkey, now_ms)?)
    }

    fn check_passkey_step_up(
        &self,
        account_id: &str,
        token: &str,
        ceremony: &str,
        answer: &str,
        now_ms: i64,
    ) -> Result<()> {
        let own = place(token).ok_or(SessionError::Unknown)?;
        let state = match self.ceremonies.take(ceremony, now_ms) {
            Some(Ceremony::StepUp(place, state)) if place == own => state,
            _ => return Err(PasskeyError::Expired),
        };
        self.check_answer(account_id, answer, &state, now_ms).map(drop)
    }

    /// Whether `answer` proves one of the account's passkeys; the passkey, as it was before.
    pub(super) fn check_answer(
        &self,
        account_id: &str,
        answer: &str,
        state: &PasskeyAuthentication,
        now_ms: i64,
    ) -> Result<Passkey> {
        let answer: PublicKeyCredential = read(answer)?;
        if answer
            .get_user_unique_id()
            .is_some_and(|given| Some(given) != bytes(account_id).as_deref())
        {
            return Err(PasskeyError::Unknown);
        }
        // A passkey that was removed since the challenge was given out no longer counts.
        let device = id_of(answer.get_credential_id());
        let (_, passkey) = self.owned(account_id, answer.get_credential_id())?;
        let proof = self.site()?.webauthn().finish_passkey_authentication(&answer, state);
        let proof = self.judged(account_id, &device, proof, now_ms)?;
        self.note_use(account_id, &device, &proof, now_ms)?;
        Ok(passkey)
    }

    /// Begins adding a passkey to the session's account.
    ///
    /// Errors: [`PasskeyError::FactorNeeded`] or [`PasskeyError::SignInNeeded`] where the session
    /// has not proved enough lately, [`PasskeyError::TooMany`].
    pub fn begin_passkey_enrolment(
        &self,
        token: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Started> {
        let site = self.site()?;
        let place = place(token).ok_or(SessionError::Unknown)?;
        let (_, record, account) = self.load(&place, now_ms)?;
        self.may_change_factors(&record, &account, now_ms)?;
        if account.passkeys.len() >= MAX_PASSKEYS {
            return Err(PasskeyError::TooMany);
        }
        let known = self.passkeys_of(&account.id)?;
        let known = known.iter().map(|passkey| passkey.cred_id().clone()).collect();
        let (options, state) = site
            .webauthn()
            .start_passkey_registration(
                handle(&account.id)?,
                account.username.as_str(),
                &account.display_name,
                Some(known),
            )
            .map_err(|error| PasskeyError::from_library(&error, &account.id))?;
        // One that the device finds by itself signs in without a name; security keys with little
        // room are taken too.
        let mut options = serde_json::to_value(options).map_err(|_| Fault::Record("passkey"))?;
        if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection") {
            selection["residentKey"] = "preferred".into();
        }
        self.begun(Ceremony::Enrol(place, state), &options, address, now_ms)
    }

    /// Adds the passkey that the browser made, under a name that its owner chose. The session has
    /// proved it by that. `entry` is committed with it.
    ///
    /// Errors: as beginning, and every refusal of [`PasskeyError`] that concerns an answer.
    pub fn finish_passkey_enrolment(
        &self,
        token: &str,
        ceremony: &str,
        device_name: &str,
        answer: &str,
        entry: &[Write],
        now_ms: i64,
    ) -> Result<(Device, Principal)> {
        let webauthn = self.site()?.webauthn();
        let own = place(token).ok_or(SessionError::Unknown)?;
        let state = match self.ceremonies.take(ceremony, now_ms) {
            Some(Ceremony::Enrol(place, state)) if place == own => state,
            _ => return Err(PasskeyError::Expired),
        };
        let (_, record, account) = self.load(&own, now_ms)?;
        self.may_change_factors(&record, &account, now_ms)?;
        let name = name(device_name)?;
        let answer: RegisterPublicKeyCredential = read(answer)?;
        let passkey = webauthn
            .finish_passkey_registration(&answer, &state)
            .map_err(|error| PasskeyError::from_library(&error, &account.id))?;
        let kept = Kept::new(&passkey, name, now_ms)?;
        let device = kept.device()?;
        self.accounts.try_change_with(&account.id, entry, |record| {
            if record.passkeys.iter().any(|other| other.id == kept.id) {
                return Err(PasskeyError::Known);
            }
            if record.passkeys.len() >= MAX_PASSKEYS {
                return Err(PasskeyError::TooMany);
            }
            record.passkeys.push(kept.clone());
            Ok(())
        })?;
        Ok((device, self.proved(token, Factor::Passkey, now_ms)?))
    }

    /// The passkeys of the session's account, oldest first.
    pub fn passkeys(&self, token: &str, now_ms: i64) -> Result<Vec<Device>> {
        let principal = self.resolve(token, now_ms)?;
        let Some((_, record)) = self.accounts.record(&principal.account_id)? else {
            return Err(SessionError::Unknown.into());
        };
        Ok(record.passkeys.iter().map(Kept::device).collect::<std::result::Result<_, _>>()?)
    }

    /// Removes a passkey of the session's account, and ends the sessions that began with it.
    /// `entry` is committed with that.
    ///
    /// Errors: [`PasskeyError::FactorNeeded`], [`PasskeyError::NotFound`],
    /// [`PasskeyError::LastFactor`] where nothing would be left to prove presence with; for a role
    /// that needs a passkey, other factors do not count.
    pub fn remove_passkey(
        &self,
        token: &str,
        device: &str,
        entry: &[Write],
        now_ms: i64,
    ) -> Result<Device> {
        let (account, required) = self.may_remove(token, now_ms)?;
        let (_, removed) = self.accounts.try_change_with(&account.id, entry, |record| {
            let found = record.passkeys.iter().position(|kept| kept.id == device);
            let at = found.ok_or(PasskeyError::NotFound)?;
            let last = record.passkeys.len() == 1;
            if last && (required || record.totp.is_none()) {
                return Err(PasskeyError::LastFactor);
            }
            Ok(record.passkeys.remove(at).device()?)
        })?;
        Ok(removed)
    }

    /// Takes one-time codes away from the session's account. `entry` is committed with that.
    ///
    /// Errors: [`PasskeyError::FactorNeeded`], [`PasskeyError::LastFactor`] where the account has
    /// no passkey.
    pub fn remove_totp(&self, token: &str, entry: &[Write], now_ms: i64) -> Result<()> {
        let (account, _) = self.may_remove(token, now_ms)?;
        self.accounts.try_change_with(&account.id, entry, |record| {
            if record.passkeys.is_empty() {
                return Err(PasskeyError::LastFactor);
            }
            record.totp = None;
            Ok(())
        })?;
        Ok(())
    }

    /// New recovery codes for the session's account; those before no longer work. They are given
    /// out here and never again. `entry` is committed with them.
    ///
    /// Errors: [`PasskeyError::FactorNeeded`], [`PasskeyError::NoPasskey`] for an account that has
    /// no second factor to recover.
    pub fn renew_recovery_codes(
        &self,
        token: &str,
        entry: &[Write],
        now_ms: i64,
    ) -> Result<Hidden<Vec<String>>> {
        let (account, _) = self.may_remove(token, now_ms)?;
        if !account.has_totp && account.passkeys.is_empty() {
            return Err(PasskeyError::NoPasskey);
        }
        Ok(self.accounts.new_recovery_codes(&account.id, entry, now_ms)?)
    }

    fn may_remove(&self, token: &str, now_ms: i64) -> Result<(Account, bool)> {
        let place = place(token).ok_or(SessionError::Unknown)?;
        let (_, record, account) = self.load(&place, now_ms)?;
        if !account.has_second_factor() {
            return Err(PasskeyError::NoPasskey);
        }
        self.may_change_factors(&record, &account, now_ms)?;
        let required = self.site.as_ref().is_some_and(|site| site.requires(account.role));
        Ok((account, required))
    }

    /// Whether the session has proved enough to change what proves its owner: a second factor
    /// within five minutes, or, for an account without any, signing in within five minutes. Where
    /// the role needs a passkey and there is one, a one-time code is not enough: whoever phished
    /// one could otherwise add a passkey of their own.
    pub(super) fn may_change_factors(
        &self,
        record: &Record,
        account: &Account,
        now_ms: i64,
    ) -> Result<()> {
        if !account.has_second_factor() && record.recovery_ms.is_none() {
            return match is_fresh(Some(record.auth_time_ms), now_ms) {
                true => Ok(()),
                false => Err(PasskeyError::SignInNeeded),
            };
        }
        let required = self.site.as_ref().is_some_and(|site| site.requires(account.role));
        let proved_ms = match required && !account.passkeys.is_empty() {
            true => record.passkey_ms.max(record.recovery_ms),
            false => record.mfa_time_ms,
        };
        match is_fresh(proved_ms, now_ms) {
            true => Ok(()),
            false => Err(PasskeyError::FactorNeeded),
        }
    }

    pub(super) fn begun(
        &self,
        ceremony: Ceremony,
        options: &impl serde::Serialize,
        address: &str,
        now_ms: i64,
    ) -> Result<Started> {
        let options = serde_json::to_value(options).map_err(|_| Fault::Record("passkey"))?;
        let random = self.accounts.random();
        let ceremony = self.ceremonies.begin(ceremony, &short(address), random, now_ms)?;
        Ok(Started { ceremony, options })
    }

    pub(super) fn passkeys_of(&self, account_id: &str) -> Result<Vec<Passkey>> {
        let Some((_, record)) = self.accounts.record(account_id)? else {
            return Err(SessionError::Unknown.into());
        };
        Ok(record.passkeys.iter().map(Kept::passkey).collect::<std::result::Result<_, _>>()?)
    }

    /// The passkey with this credential id, if the account is open and has it.
    pub(super) fn owned(
        &self,
        account_id: &str,
        credential_id: &[u8],
    ) -> Result<(Account, Passkey)> {
        let Some((_, record)) = self.accounts.record(account_id)? else {
            return Err(PasskeyError::Unknown);
        };
        let device = id_of(credential_id);
        let kept = record.passkeys.iter().find(|kept| kept.id == device);
        let account = record.account()?;
        match kept {
            Some(kept) if !account.disabled => Ok((account, kept.passkey()?)),
            _ => Err(PasskeyError::Unknown),
        }
    }

    /// The library's verdict in our words; a counter that went back is noted beside the passkey.
    pub(super) fn judged<T>(
        &self,
        account_id: &str,
        device: &str,
        verdict: std::result::Result<T, webauthn_rs::prelude::WebauthnError>,
        now_ms: i64,
    ) -> Result<T> {
        let error = match verdict {
            Ok(proof) => return Ok(proof),
            Err(error) => PasskeyError::from_library(&error, account_id),
        };
        if matches!(error, PasskeyError::CounterWentBack { .. }) {
            self.accounts.try_change(account_id, |record| {
                let kept = record.passkeys.iter_mut().find(|kept| kept.id == device);
                kept.ok_or(PasskeyError::Unknown)?.suspect_ms = Some(now_ms);
                Ok::<(), PasskeyError>(())
            })?;
        }
        Err(error)
    }

    pub(super) fn note_use(
        &self,
        account_id: &str,
        device: &str,
        proof: &webauthn_rs::prelude::AuthenticationResult,
        now_ms: i64,
    ) -> Result<()> {
        if !proof.user_verified() {
            return Err(PasskeyError::NotVerified);
        }
        self.accounts.try_change(account_id, |record| {
            let kept = record.passkeys.iter_mut().find(|kept| kept.id == device);
            match kept.ok_or(PasskeyError::Unknown)?.used(proof, now_ms)? {
                true => Ok(()),
                false => Err(PasskeyError::CounterWentBack { account_id: account_id.to_owned() }),
            }
        })?;
        Ok(())
    }
}

fn bytes(account_id: &str) -> Option<Vec<u8>> {
    handle(account_id).ok().map(|handle| handle.as_bytes().to_vec())
}

pub(super) fn read<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T> {
    if answer.len() > MAX_ANSWER {
        return Err(PasskeyError::Malformed);
    }
    serde_json::from_str(answer).map_err(|_| PasskeyError::Malformed)
}
