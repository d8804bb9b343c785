//! What is rare: versions that go for good, and versions that come from another store.

use crypto::entry::leaf_of;
use rusqlite::params;
use store::rules::{AUDIT_TYPE, continues};
use store::{Key, Restored, StoreError};

use super::super::bodies::Body;
use super::super::fault::Fault;
use super::super::handle::signed;
use super::super::rows::Indexed;
use super::super::side;
use super::Writer;
use super::apply::Content;

impl Writer {
    /// Removes the versions of a resource below `below`, but not the newest. The pages they were
    /// on are overwritten.
    pub(super) fn forget(&mut self, key: &Key, below: u64) -> Result<(), Fault> {
        let Some(current) = self.current(key)?.filter(|current| current.seq > 0) else {
            return Ok(());
        };
        self.overwrite(true)?;
        let conn = &self.handle.conn;
        let mut before =
            conn.prepare_cached("SELECT previous, version FROM version WHERE seq = ?1")?;
        let mut remove = conn.prepare_cached("DELETE FROM version WHERE seq = ?1")?;
        let (mut at, mut oldest, mut gone) = (current.seq, current.seq, 0);
        while at > 0 {
            let (previous, version): (i64, i64) =
                before.query_row([at], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if at != current.seq && version < signed(below) {
                gone += remove.execute([at])?;
            } else {
                oldest = at;
            }
            at = previous;
        }
        drop((before, remove));
        conn.prepare_cached("UPDATE version SET previous = 0 WHERE seq = ?1")?.execute([oldest])?;
        let sql = "UPDATE resource SET first = ?2 WHERE rid = ?1";
        conn.prepare_cached(sql)?.execute(params![current.rid, oldest])?;
        self.count_forgotten(i64::try_from(gone).unwrap_or(i64::MAX))
    }

    /// Whether what is deleted from now on is overwritten on disk.
    pub(super) fn overwrite(&mut self, on: bool) -> Result<(), Fault> {
        if self.overwriting != on {
            self.handle.conn.pragma_update(None, "secure_delete", on)?;
            self.overwriting = on;
        }
        Ok(())
    }

    /// Numbers without a version are counted, so that one that is lost is found.
    fn count_forgotten(&self, more: i64) -> Result<(), Fault> {
        if more > 0 {
            let sql = "INSERT INTO meta(name, value) VALUES('forgotten', ?1)
                       ON CONFLICT(name) DO UPDATE SET value = value + excluded.value";
            self.handle.conn.prepare_cached(sql)?.execute([more])?;
        }
        Ok(())
    }

    /// Takes in versions and side values of another store.
    pub(super) fn restore(&mut self, part: Restored) -> Result<(), StoreError> {
        let done = self.take_in(part);
        match &done {
            Ok(()) => self.announce(),
            Err(_) => self.recover(),
        }
        Ok(done?)
    }

    fn take_in(&mut self, part: Restored) -> Result<(), Fault> {
        self.sync(true)?;
        self.handle.run("BEGIN IMMEDIATE")?;
        let mut gaps = 0;
        for stored in part.versions {
            let current = self.current(&stored.key)?;
            let standing = current.and_then(|current| current.standing);
            let newest = (self.state.seq.unsigned_abs(), self.state.ms);
            let resource = continues(&stored, newest, standing)?;
            let seq = signed(stored.seq);
            gaps += seq - self.state.seq - 1;
            let place = self.place(&stored.key, current, None, seq, stored.version)?;
            let now = resource.as_ref().filter(|_| stored.key.resource_type != AUDIT_TYPE);
            let indexed = now.map_or(Indexed::default(), |resource| {
                let day = self.shared.day(stored.key.resource_type);
                Indexed::of(resource, &self.shared.registry(), &self.shared.kinds, day)
            });
            self.state.ms = stored.last_updated_ms;
            let body = match resource {
                Some(_) => self.shared.packer().pack_any(&stored.text)?,
                None => Body::empty(),
            };
            let (method, resource) = (stored.method, resource.as_ref());
            let leaf =
                (stored.key.resource_type == AUDIT_TYPE).then(|| leaf_of(stored.text.as_bytes()));
            let content = Content { method, body: &body, leaf, resource };
            self.add(&place, &stored.key, seq, content, indexed)?;
        }
        self.count_forgotten(gaps)?;
        for (space, key, value) in part.side {
            side::set(&self.handle.conn, &space, &key, value.as_deref())?;
        }
        self.flush()?;
        self.handle.run("COMMIT")
    }
}
