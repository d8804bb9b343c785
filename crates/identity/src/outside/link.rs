//! Links between accounts here and accounts at outside providers, kept in the account; the side
//! value `o/<hash>` leads from the one there to the one here.

use serde::{Deserialize, Serialize};
use store::{Guard, SideWrite, Write};

use super::{MAX_LINKS, OutsideError};
use crate::account::{Account, Record};
use crate::accounts::{Accounts, SPACE, put};
use crate::fault::Fault;

/// Bytes of the id of a link.
const ID_BYTES: usize = 9;

/// A link as it is stored in its account.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Link {
    pub id: String,
    pub issuer: String,
    pub subject: String,
    pub added_ms: i64,
    pub used_ms: Option<i64>,
}

impl Link {
    fn is(&self, issuer: &str, subject: &str) -> bool {
        self.issuer == issuer && self.subject == subject
    }
}

/// A link as its owner sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Its id within the account.
    pub id: String,
    /// The provider.
    pub issuer: String,
    /// The name of the account there.
    pub subject: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub added_ms: i64,
    /// When it was last used.
    pub used_ms: Option<i64>,
}

impl From<&Link> for Linked {
    fn from(link: &Link) -> Self {
        Self {
            id: link.id.clone(),
            issuer: link.issuer.clone(),
            subject: link.subject.clone(),
            added_ms: link.added_ms,
            used_ms: link.used_ms,
        }
    }
}

impl Accounts {
    /// The account that is linked to `subject` at `issuer`, with the id of the link.
    pub fn find_linked(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<(Account, String)>, Fault> {
        let bytes = self.store().snapshot()?.side(SPACE, &place(issuer, subject))?;
        let Some((record, link)) = self.pointed(bytes, issuer, subject)? else { return Ok(None) };
        Ok(Some((record.account()?, link.id)))
    }

    /// The link that a side value leads to. One that was removed from its account leaves a value
    /// that leads to nothing.
    fn pointed(
        &self,
        bytes: Option<Vec<u8>>,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<(Record, Link)>, Fault> {
        let Some(bytes) = bytes else { return Ok(None) };
        let id = String::from_utf8(bytes).map_err(|_| Fault::Record("link"))?;
        let Some((_, record)) = self.record(&id)? else { return Ok(None) };
        let link = record.links.iter().find(|link| link.is(issuer, subject)).cloned();
        Ok(link.map(|link| (record, link)))
    }

    /// The links of an account, oldest first.
    pub fn links(&self, id: &str) -> Result<Vec<Linked>, Fault> {
        let record = self.record(id)?;
        Ok(record.iter().flat_map(|(_, record)| &record.links).map(Linked::from).collect())
    }

    /// Links an account to `subject` at `issuer`. `entry` is committed with it.
    ///
    /// Errors: [`OutsideError::Taken`], [`OutsideError::TooMany`], [`OutsideError::Account`].
    pub fn link(
        &self,
        id: &str,
        (issuer, subject): (&str, &str),
        entry: &[Write],
        now_ms: i64,
    ) -> Result<Account, OutsideError> {
        let place = place(issuer, subject);
        let before = self.store().snapshot().and_then(|s| s.side(SPACE, &place));
        let before = before.map_err(Fault::from)?;
        if self.pointed(before.clone(), issuer, subject)?.is_some() {
            return Err(OutsideError::Taken);
        }
        let link = Link {
            id: crypto::random::token(self.random(), ID_BYTES).map_err(Fault::from)?,
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            added_ms: now_ms,
            used_ms: None,
        };
        // Of two accounts that are linked to the same one at the same time, one gets it.
        let guard = Guard::Side { space: SPACE, key: place.clone(), value: before };
        let pointer = put(place, id.as_bytes().to_vec());
        let (account, ()) =
            self.try_change_beside(id, (entry, vec![guard], vec![pointer]), |record| {
                match record.links.len() < MAX_LINKS {
                    true => {
                        record.links.push(link.clone());
                        Ok(())
                    }
                    false => Err(OutsideError::TooMany),
                }
            })?;
        Ok(account)
    }

    /// Removes a link; sessions that began with it end. `entry` is committed with it.
    ///
    /// Errors: [`OutsideError::NoLink`], [`OutsideError::Account`].
    pub fn unlink(&self, id: &str, link: &str, entry: &[Write]) -> Result<Linked, OutsideError> {
        let found = self.links(id)?.into_iter().find(|one| one.id == link);
        let found = found.ok_or(OutsideError::NoLink)?;
        let place = place(&found.issuer, &found.subject);
        let pointer = SideWrite { space: SPACE, key: place, value: None };
        let (_, removed) =
            self.try_change_beside(id, (entry, Vec::new(), vec![pointer]), |record| {
                let at = record.links.iter().position(|one| one.id == link);
                Ok::<_, OutsideError>(record.links.remove(at.ok_or(OutsideError::NoLink)?))
            })?;
        Ok(Linked::from(&removed))
    }

    /// Notes that a link was used now.
    pub(crate) fn note_link(&self, id: &str, link: &str, now_ms: i64) -> Result<(), OutsideError> {
        self.try_change(id, |record| {
            let one = record.links.iter_mut().find(|one| one.id == link);
            let one = one.ok_or(OutsideError::NoLink)?;
            one.used_ms = Some(one.used_ms.unwrap_or(now_ms).max(now_ms));
            Ok::<(), OutsideError>(())
        })?;
        Ok(())
    }
}

fn place(issuer: &str, subject: &str) -> Vec<u8> {
    // An issuer is an address and holds no zero byte.
    let hash = crypto::hash::sha256_of_parts(&[issuer.as_bytes(), b"\0", subject.as_bytes()]);
    format!("o/{}", crypto::hash::hex(&hash)).into_bytes()
}
