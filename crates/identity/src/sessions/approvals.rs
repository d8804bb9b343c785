//! Approving one exact thing: with a passkey whose challenge is its SHA-256, or with a code of the
//! person who approves, typed at somebody else's screen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use fhir::Id;

use super::{Sessions, StepUpError, short, throttle_name};
use crate::account::{Account, Role};
use crate::fault::Fault;
use crate::passkey::approval::Approval;
use crate::passkey::{Ceremony, PasskeyError, Started};
use crate::session::{SessionError, place};
use crate::totp::Code;

/// Most accounts that are looked through for a patient's.
const MAX_ACCOUNTS: usize = 200_000;

impl Sessions {
    /// Begins approving what has the SHA-256 `digest` with a passkey of the session's account: that
    /// is the challenge. It must be unpredictable, so what is approved holds a random part.
    ///
    /// Errors: [`PasskeyError::NoPasskey`], [`PasskeyError::Session`], [`PasskeyError::Unusable`].
    pub fn begin_passkey_approval(
        &self,
        token: &str,
        digest: &[u8; 32],
        address: &str,
        now_ms: i64,
    ) -> Result<Started, PasskeyError> {
        let webauthn = self.site()?.webauthn();
        let principal = self.resolve(token, now_ms)?;
        let passkeys = self.passkeys_of(&principal.account_id)?;
        if passkeys.is_empty() {
            return Err(PasskeyError::NoPasskey);
        }
        let (options, state) = webauthn
            .start_passkey_authentication(&passkeys)
            .map_err(|error| PasskeyError::from_library(&error, ""))?;
        // The library draws the challenge itself. Both what it keeps and what the browser is asked
        // get ours; all of its checks stay.
        let unwritten = || Fault::Record("passkey");
        let challenge = BASE64.encode(digest);
        let mut state = serde_json::to_value(&state).map_err(|_| unwritten())?;
        let mut options = serde_json::to_value(&options).map_err(|_| unwritten())?;
        *state.pointer_mut("/ast/challenge").ok_or_else(unwritten)? = challenge.clone().into();
        *options.pointer_mut("/publicKey/challenge").ok_or_else(unwritten)? = challenge.into();
        let state = serde_json::from_value(state).map_err(|_| unwritten())?;
        let place = place(token).ok_or(SessionError::Unknown)?;
        self.begun(Ceremony::Approve(place, *digest, state), &options, address, now_ms)
    }

    /// Takes the browser's answer as the approval of what has the SHA-256 `digest`. It is checked
    /// as every proof with a passkey is, and once more as whoever holds it later will.
    ///
    /// Errors: every refusal of [`PasskeyError`] that concerns an answer;
    /// [`PasskeyError::Expired`] where the challenge was another one.
    pub fn finish_passkey_approval(
        &self,
        token: &str,
        digest: &[u8; 32],
        ceremony: &str,
        answer: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Approval, PasskeyError> {
        let principal = self.resolve(token, now_ms)?;
        let attempt = self
            .throttle
            .begin(&throttle_name(&principal.username), &short(address), now_ms)
            .map_err(|retry_after_s| PasskeyError::Throttled { retry_after_s })?;
        let check = || {
            let own = place(token).ok_or(SessionError::Unknown)?;
            let state = match self.ceremonies.take(ceremony, now_ms) {
                Some(Ceremony::Approve(place, asked, state))
                    if place == own && asked == *digest =>
                {
                    state
                }
                _ => return Err(PasskeyError::Expired),
            };
            let passkey = self.check_answer(&principal.account_id, answer, &state, now_ms)?;
            let origins = self.site()?.webauthn().get_allowed_origins();
            let origin = origins.first().ok_or(PasskeyError::Unusable)?;
            let approval = Approval::of(answer, passkey, origin);
            let approval = approval.map_err(|_| PasskeyError::Malformed)?;
            approval.verify(digest).map_err(|_| PasskeyError::Refused)?;
            Ok(approval)
        };
        let outcome = check();
        match &outcome {
            Ok(_) => self.throttle.succeeded(&attempt),
            Err(error) if !error.is_guess() => self.throttle.withdrawn(&attempt),
            Err(_) => tracing::info!("an approval with a passkey failed"),
        }
        outcome
    }

    /// Uses up a one-time code or a recovery code of the account of `patient`, typed at a screen
    /// where somebody else is signed in. Guessing is slowed down as everywhere.
    ///
    /// Errors: [`StepUpError::NoSecondFactor`] where the patient has no account with one,
    /// [`StepUpError::SecondFactorWrong`], [`StepUpError::SecondFactorReused`],
    /// [`StepUpError::Throttled`].
    pub fn use_code_of_patient(
        &self,
        patient: &Id,
        code: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Account, StepUpError> {
        let accounts = self.accounts.list(MAX_ACCOUNTS)?;
        let is_theirs = |account: &Account| {
            account.role == Role::Patient
                && !account.disabled
                && account.patient.as_ref() == Some(patient)
                && account.has_second_factor()
        };
        let account = accounts.into_iter().find(is_theirs).ok_or(StepUpError::NoSecondFactor)?;
        let attempt = self
            .throttle
            .begin(&throttle_name(account.username.as_str()), &short(address), now_ms)
            .map_err(|retry_after_s| StepUpError::Throttled { retry_after_s })?;
        match self.use_code(&account.id, code, now_ms) {
            Ok((Code::Good(_), _)) => {
                self.throttle.succeeded(&attempt);
                Ok(account)
            }
            Ok((Code::Wrong, _)) => {
                tracing::info!("a second factor was wrong");
                Err(StepUpError::SecondFactorWrong)
            }
            Ok((Code::Used, _)) => {
                self.throttle.withdrawn(&attempt);
                Err(StepUpError::SecondFactorReused)
            }
            Err(fault) => {
                self.throttle.withdrawn(&attempt);
                Err(fault.into())
            }
        }
    }
}
