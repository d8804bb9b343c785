//! Approving one exact thing: with a passkey whose challenge is its SHA-256, or with a code of the
//! person who approves, typed at somebody else's screen.

use fhir::Id;

use super::{Sessions, StepUpError, short};
use crate::account::{Account, Role};
use crate::passkey::PasskeyError;
use crate::passkey::approval::Approval;

/// Most accounts that are looked through for a patient's.
const MAX_ACCOUNTS: usize = 200_000;

impl Sessions {
    /// Takes the browser's answer as the approval of what has the SHA-256 `digest`, which was begun
    /// as a signature over it ([`Sessions::begin_passkey_signature`]). It must be unpredictable, so
    /// what is approved holds a random part. It is checked as every proof with a passkey is, and
    /// once more as whoever holds it later will.
    ///
    /// Errors: every refusal of [`PasskeyError`] that concerns an answer;
    /// [`PasskeyError::Expired`] where the challenge was another one.
    pub fn finish_passkey_approval(
        &self,
        token: &str,
        ceremony: &str,
        digest: &[u8; 32],
        answer: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Approval, PasskeyError> {
        self.signed(token, ceremony, digest, answer, address, now_ms, |passkey| {
            let origins = self.site()?.webauthn().get_allowed_origins();
            let origin = origins.first().ok_or(PasskeyError::Unusable)?;
            let approval = Approval::of(answer, passkey, origin);
            let approval = approval.map_err(|_| PasskeyError::Malformed)?;
            approval.verify(digest).map_err(|_| PasskeyError::Refused)?;
            Ok(approval)
        })
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
        self.prove_code(&account, code, &short(address), now_ms)?;
        Ok(account)
    }
}
