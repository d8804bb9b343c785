//! Sessions and links by what an outside provider has proved.

use store::{SideWrite, Transaction, Write};

use super::{SPACE, Session, Sessions};
use crate::account::{Account, Role};
use crate::fault::Fault;
use crate::outside::{Ended, Linked, OutsideError, Proved};
use crate::principal::Principal;
use crate::session::{OUTSIDE_METHODS, Outside, Record, SessionError, place};

/// Sessions under one first byte that are looked through when one has ended at a provider.
const MOST_PER_PREFIX: usize = 4_096;

type Result<T> = std::result::Result<T, OutsideError>;

impl Sessions {
    /// Begins a session for the account that is linked to what was proved. A second factor counts
    /// as given when the person signed in at the provider.
    ///
    /// Errors: [`OutsideError::NotLinked`], for an account that is disabled too.
    pub fn sign_in_outside(&self, proved: &Proved, now_ms: i64) -> Result<Session> {
        let found = self.accounts.find_linked(&proved.issuer, &proved.subject)?;
        let found = found.filter(|(account, _)| !account.disabled && account.role != Role::Service);
        let Some((account, link)) = found else {
            return Err(OutsideError::NotLinked { subject: proved.subject.clone() });
        };
        self.accounts.note_link(&account.id, &link, now_ms)?;
        let mut record = Record {
            password: false,
            auth_time_ms: proved.auth_time_ms.min(now_ms),
            ..Record::begin(&account.id, now_ms)
        };
        stated(&mut record, link, proved, true);
        Ok(self.open(account, &record)?)
    }

    /// Whether the session's account can prove presence at a provider that states second factors.
    /// The roles that need a passkey of this node cannot.
    ///
    /// Errors: [`OutsideError::PasskeyNeeded`], [`OutsideError::NoLink`],
    /// [`OutsideError::Session`].
    pub fn may_step_up_outside(&self, token: &str, issuer: &str, now_ms: i64) -> Result<()> {
        let principal = self.resolve(token, now_ms)?;
        if self.site.as_ref().is_some_and(|site| site.requires(principal.role)) {
            return Err(OutsideError::PasskeyNeeded);
        }
        let links = self.accounts.links(&principal.account_id)?;
        match links.iter().any(|link| link.issuer == issuer) {
            true => Ok(()),
            false => Err(OutsideError::NoLink),
        }
    }

    /// Takes what was proved as proof that the session's owner is present now.
    ///
    /// Errors: as [`Sessions::may_step_up_outside`], [`OutsideError::Another`],
    /// [`OutsideError::NoSecondFactor`].
    pub fn step_up_outside(&self, token: &str, proved: &Proved, now_ms: i64) -> Result<Principal> {
        self.may_step_up_outside(token, &proved.issuer, now_ms)?;
        let principal = self.resolve(token, now_ms)?;
        let found = self.accounts.find_linked(&proved.issuer, &proved.subject)?;
        let own = found.filter(|(account, _)| account.id == principal.account_id);
        let (account, link) = own.ok_or(OutsideError::Another)?;
        if !proved.second_factor {
            return Err(OutsideError::NoSecondFactor);
        }
        self.accounts.note_link(&account.id, &link, now_ms)?;
        Ok(self.note(token, now_ms, |record| stated(record, link.clone(), proved, false))?)
    }

    /// Whether the session has proved enough to link its account.
    ///
    /// Errors: [`OutsideError::Factors`], [`OutsideError::Session`].
    pub fn may_link(&self, token: &str, now_ms: i64) -> Result<Account> {
        let place = place(token).ok_or(SessionError::Unknown)?;
        let (_, record, account) = self.load(&place, now_ms)?;
        self.may_change_factors(&record, &account, now_ms)?;
        Ok(account)
    }

    /// Links the session's account to what was proved. `entry` is committed with it.
    ///
    /// Errors: as [`Sessions::may_link`], [`OutsideError::Taken`], [`OutsideError::TooMany`].
    pub fn link_outside(
        &self,
        token: &str,
        proved: &Proved,
        entry: &[Write],
        now_ms: i64,
    ) -> Result<()> {
        let account = self.may_link(token, now_ms)?;
        let there = (proved.issuer.as_str(), proved.subject.as_str());
        self.accounts.link(&account.id, there, entry, now_ms).map(drop)
    }

    /// Removes a link of the session's account, and ends the sessions that began with it. `entry`
    /// is committed with that.
    ///
    /// Errors: as [`Sessions::may_link`], [`OutsideError::NoLink`].
    pub fn unlink_outside(
        &self,
        token: &str,
        link: &str,
        entry: &[Write],
        now_ms: i64,
    ) -> Result<Linked> {
        let account = self.may_link(token, now_ms)?;
        self.accounts.unlink(&account.id, link, entry)
    }

    /// The provider at which the session began, for signing out there too.
    pub fn began_outside(&self, token: &str, now_ms: i64) -> Result<Option<String>> {
        let place = place(token).ok_or(SessionError::Unknown)?;
        let (_, record, account) = self.load(&place, now_ms)?;
        let Some(outside) = record.outside.filter(|outside| outside.began) else {
            return Ok(None);
        };
        let links = self.accounts.links(&account.id)?;
        Ok(links.into_iter().find(|link| link.id == outside.link).map(|link| link.issuer))
    }

    /// Ends the sessions that began with one that has ended at a provider. `entries` makes what is
    /// committed with that, for the ids of the accounts. Returns how many ended.
    pub fn end_outside<E: From<OutsideError>>(
        &self,
        ended: &Ended,
        entries: impl FnOnce(&[String]) -> std::result::Result<Vec<Write>, E>,
    ) -> std::result::Result<usize, E> {
        let (side, mut accounts) = self.ended_sessions(ended)?;
        accounts.sort();
        accounts.dedup();
        let count = side.len();
        let writes = entries(&accounts)?;
        let transaction = Transaction { writes, side, ..Transaction::default() };
        let done = self.store().commit(transaction);
        done.map_err(|error| OutsideError::from(Fault::from(error)))?;
        self.accounts.changes().happened();
        Ok(count)
    }

    fn ended_sessions(&self, ended: &Ended) -> Result<(Vec<SideWrite>, Vec<String>)> {
        let snapshot = self.store().snapshot().map_err(Fault::from)?;
        let (mut side, mut accounts) = (Vec::new(), Vec::new());
        for prefix in 0..=u8::MAX {
            let found = snapshot.side_scan(SPACE, &[prefix], MOST_PER_PREFIX);
            for (key, bytes) in found.map_err(Fault::from)? {
                let Ok(record) = Record::read(&bytes) else { continue };
                let Some(outside) = record.outside.filter(|outside| outside.began) else {
                    continue;
                };
                if ended.sid.is_some() && outside.sid != ended.sid {
                    continue;
                }
                let links = self.accounts.links(&record.account_id)?;
                let theirs = links.iter().find(|link| link.id == outside.link);
                let is_it = theirs.is_some_and(|link| {
                    let subject = ended.subject.as_ref();
                    link.issuer == ended.issuer && subject.is_none_or(|it| *it == link.subject)
                });
                if is_it {
                    side.push(SideWrite { space: SPACE, key, value: None });
                    accounts.push(record.account_id);
                }
            }
        }
        Ok((side, accounts))
    }
}

/// Notes in a session what a provider has stated.
fn stated(record: &mut Record, link: String, proved: &Proved, began: bool) {
    let taken = |method: &&String| OUTSIDE_METHODS.contains(&method.as_str());
    let methods: Vec<String> = proved.methods.iter().filter(taken).cloned().collect();
    let mfa_ms = proved.second_factor.then_some(proved.auth_time_ms);
    let before = record.outside.take().filter(|outside| outside.began);
    record.outside = Some(match before {
        // The link that the session stands or falls with stays.
        Some(before) if !began => Outside { methods, mfa_ms, ..before },
        _ => Outside { link, sid: proved.sid.clone(), began, methods, mfa_ms },
    });
    if mfa_ms.is_some() {
        record.mfa_time_ms = record.mfa_time_ms.max(mfa_ms);
    }
}
