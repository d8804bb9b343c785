//! Recovery codes: what to sign in with when phone and passkeys are lost.
//!
//! Ten codes of 80 random bits, shown once and kept as SHA-256 (a look-up secret of NIST SP
//! 800-63B, section 5.1.2: with 64 bits and more a plain hash suffices). Each works once.

use crypto::Random;
use serde::{Deserialize, Serialize};
use store::Write;

use crate::account::{AccountError, Password};
use crate::accounts::Accounts;
use crate::fault::Fault;
use crate::hidden::Hidden;

/// Codes of one set.
pub const RECOVERY_CODES: usize = 10;
/// Characters of a code without its hyphens.
const CODE_CHARS: usize = 16;
/// Crockford's base 32: no letter that is taken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The codes of one account, as they are stored.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// When they were made, in milliseconds since the Unix epoch.
    made_ms: i64,
    /// SHA-256 of each code that has not been used, in hexadecimal digits.
    codes: Vec<String>,
    /// When they end, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
}

impl Recovery {
    /// How many can still be used.
    pub fn left(&self) -> usize {
        self.codes.len()
    }

    /// Takes the code out of the set; `false` where it is none of it, or the set has ended.
    pub fn take(&mut self, account_id: &str, code: &str, now_ms: i64) -> bool {
        if self.until_ms.is_some_and(|until_ms| now_ms >= until_ms) {
            return false;
        }
        let hash = hash(account_id, code);
        let found = self.codes.iter().position(|kept| *kept == hash);
        found.map(|at| self.codes.remove(at)).is_some()
    }
}

/// A code as people may type it, in its one spelling; `None` for what can be none.
pub(crate) fn spelled(text: &str) -> Option<String> {
    let mut code = String::with_capacity(CODE_CHARS);
    for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(CODE_CHARS + 1) {
        code.push(match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c if c.is_ascii() && ALPHABET.contains(&(c as u8)) => c,
            _ => return None,
        });
    }
    (code.len() == CODE_CHARS).then_some(code)
}

fn hash(account_id: &str, code: &str) -> String {
    let parts = [b"consilium recovery\0".as_slice(), account_id.as_bytes(), b"\0", code.as_bytes()];
    crypto::hash::hex(&crypto::hash::sha256_of_parts(&parts))
}

fn new_code(random: &dyn Random) -> Result<String, Fault> {
    let mut bytes = [0; CODE_CHARS];
    random.fill(&mut bytes)?;
    // 256 is a multiple of 32, so every character is as likely as any other.
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().map(char::from);
    Ok(bytes.iter().filter_map(letter).collect())
}

/// The code in groups of four, as it is shown.
fn grouped(code: &str) -> String {
    let chars: Vec<char> = code.chars().collect();
    chars.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

impl Accounts {
    /// Makes a new set of recovery codes, which replaces the one before. The codes are given out
    /// here and never again. `entry` is committed with them.
    ///
    /// Errors: [`AccountError::NotFound`], [`AccountError::Fault`].
    pub fn new_recovery_codes(
        &self,
        id: &str,
        entry: &[Write],
        now_ms: i64,
    ) -> Result<Hidden<Vec<String>>, AccountError> {
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        for _ in 0..RECOVERY_CODES {
            codes.push(new_code(self.random())?);
        }
        let hashes: Vec<String> = codes.iter().map(|code| hash(id, code)).collect();
        self.try_change_with(id, entry, |record| {
            let codes = hashes.clone();
            record.recovery = Some(Recovery { made_ms: now_ms, codes, until_ms: None });
            Ok::<(), AccountError>(())
        })?;
        Ok(Hidden::new(codes.iter().map(|code| grouped(code)).collect()))
    }

    /// Gives an account back to somebody who has lost everything: a new password, one recovery code
    /// that ends at `until_ms`, and nothing of what proved the account before; every session ends,
    /// and all that apps were allowed. `entry` is committed with it. Times are milliseconds since
    /// the Unix epoch. Returns the code, which is given out here and never again.
    ///
    /// Errors: [`AccountError::NotFound`], [`AccountError::Password`], [`AccountError::Fault`].
    pub fn recover(
        &self,
        id: &str,
        password: &Password,
        entry: &[Write],
        (now_ms, until_ms): (i64, i64),
    ) -> Result<Hidden<String>, AccountError> {
        let password_hash = self.hash_of(password)?;
        let code = new_code(self.random())?;
        let codes = vec![hash(id, &code)];
        self.try_change_with(id, entry, |record| {
            let (codes, until_ms) = (codes.clone(), Some(until_ms));
            record.recovery = Some(Recovery { made_ms: now_ms, codes, until_ms });
            record.password_hash.clone_from(&password_hash);
            record.totp = None;
            record.passkeys.clear();
            record.links.clear();
            record.sessions_from_ms = record.sessions_from_ms.max(now_ms.saturating_add(1));
            Ok::<(), AccountError>(())
        })?;
        Ok(Hidden::new(grouped(&code)))
    }

    /// Uses a recovery code up: of two callers with the same code one gets `true`.
    pub(crate) fn use_recovery_code(
        &self,
        id: &str,
        code: &str,
        now_ms: i64,
    ) -> Result<bool, AccountError> {
        let Some(code) = spelled(code) else { return Ok(false) };
        let used = self.try_change(id, |record| {
            let kept = record.recovery.as_mut();
            match kept.is_some_and(|recovery| recovery.take(id, &code, now_ms)) {
                true => Ok(()),
                false => Err(Unused::Wrong),
            }
        });
        match used {
            Ok(_) => Ok(true),
            Err(Unused::Wrong) => Ok(false),
            Err(Unused::Account(error)) => Err(error),
        }
    }
}

/// Why no code was used up.
enum Unused {
    Wrong,
    Account(AccountError),
}

impl From<AccountError> for Unused {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::SystemRandom;

    #[test]
    fn codes_are_read_however_they_are_typed() {
        let code = new_code(&SystemRandom).unwrap();
        let shown = grouped(&code);
        assert_eq!(shown.len(), 19);
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', " ")] {
            assert_eq!(spelled(&typed).as_ref(), Some(&code));
        }
        assert_eq!(spelled("oooo-iiii-llll-0000").unwrap(), "0000111111110000");
        for wrong in
            ["", "123456", "0000-0000-0000-000", "0000-0000-0000-00000", "uuuu-0000-0000-0000"]
        {
            assert_eq!(spelled(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_code_works_once_and_for_its_account() {
        let code = new_code(&SystemRandom).unwrap();
        let codes = vec![hash("a", &code)];
        let mut kept = Recovery { made_ms: 0, codes, until_ms: Some(10) };
        assert!(!format!("{kept:?}").contains(&code));
        assert!(!kept.clone().take("b", &code, 0));
        assert!(!kept.clone().take("a", &code, 10));
        assert!(kept.take("a", &code, 9));
        assert!(!kept.take("a", &code, 9));
        assert_eq!(kept.left(), 0);
    }
}
