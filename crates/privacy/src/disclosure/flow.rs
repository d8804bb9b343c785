//! How closely a cell that was left out can be worked out from the margins.
//!
//! The cells of a table with its margins are a network: rows on one side, columns on the other, a cell
//! is the edge between them, and every row and column adds up. Margins are cells of one more row and
//! column with the opposite sign, so every sum is zero. What the reader knows of a cell left out is
//! exactly the range of its values over all tables with the published cells. A cell can grow by as much
//! as can flow back from its column to its row through other cells left out, each of which can grow
//! without limit or shrink to zero. By the theorem of maximum flow that range is exact, also for whole
//! numbers (Gusfield 1988; Cox 1995), so no weaker bound passes for protection.

use std::collections::VecDeque;

/// More than any count: a cell may grow without limit.
const UNLIMITED: u64 = u64::MAX / 4;

/// Cells of a table with its margins: `rows` × `columns`, the last of each the margin.
pub(super) struct Grid<'a> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Row by row.
    pub(super) values: &'a [u64],
    /// Which are left out.
    pub(super) hidden: &'a [bool],
}

impl Grid<'_> {
    /// The least and the greatest value that the cell can have for whoever sees the others. A greatest
    /// value without limit is `u64::MAX`.
    pub(super) fn bounds(&self, row: usize, column: usize) -> (u64, u64) {
        let value = self.value(row, column);
        // A margin is a cell of opposite sign: it grows where the cell's edge shrinks.
        let (grow, shrink) = (self.flow(row, column, true), self.flow(row, column, false));
        let (up, down) =
            if self.is_opposite(row, column) { (shrink, grow) } else { (grow, shrink) };
        let greatest = if up >= UNLIMITED / 2 { u64::MAX } else { value.saturating_add(up) };
        (value - down.min(value), greatest)
    }

    fn value(&self, row: usize, column: usize) -> u64 {
        self.values.get(row * self.columns + column).copied().unwrap_or_default()
    }

    /// Row totals and column totals have the opposite sign of cells, the grand total the same.
    fn is_opposite(&self, row: usize, column: usize) -> bool {
        (row + 1 == self.rows) != (column + 1 == self.columns)
    }

    /// By how much the edge of a cell can grow, and shrink.
    fn room(&self, row: usize, column: usize) -> (u64, u64) {
        if !self.hidden.get(row * self.columns + column).copied().unwrap_or_default() {
            return (0, 0);
        }
        let value = self.value(row, column);
        if self.is_opposite(row, column) { (value, UNLIMITED) } else { (UNLIMITED, value) }
    }

    /// How much the edge of the cell can grow (or shrink) while all sums hold: the greatest flow
    /// between its column and its row through the other edges (Edmonds, Karp 1972), and no more than
    /// its own room.
    fn flow(&self, row: usize, column: usize, grows: bool) -> u64 {
        let (up, down) = self.room(row, column);
        // A growing cell adds to its row and column: something else in the row must shrink, and so on
        // around to the column. Pushing along "row to column" grows an edge.
        let (own, source, sink) =
            if grows { (up, self.rows + column, row) } else { (down, row, self.rows + column) };
        let place =
            |r: usize, c: usize| if (r, c) == (row, column) { (0, 0) } else { self.room(r, c) };
        let cells = (0..self.rows).flat_map(|r| (0..self.columns).map(move |c| (r, c)));
        let room = cells.map(|(r, c)| place(r, c)).collect();
        let mut network = Network { rows: self.rows, columns: self.columns, room };
        let mut total = 0u64;
        while total < own {
            let Some(added) = network.augment(source, sink) else { break };
            total = total.saturating_add(added);
        }
        total.min(own)
    }
}

/// Rows are the nodes from 0, columns follow. Each cell has the room left from row to column, and back.
struct Network {
    rows: usize,
    columns: usize,
    room: Vec<(u64, u64)>,
}

impl Network {
    /// Pushes along the shortest way that has room left. None when there is none.
    fn augment(&mut self, source: usize, sink: usize) -> Option<u64> {
        let nodes = self.rows + self.columns;
        let mut before = vec![usize::MAX; nodes];
        let mut queue = VecDeque::from([source]);
        *before.get_mut(source)? = source;
        while let Some(node) = queue.pop_front() {
            if node == sink {
                break;
            }
            let others = if node < self.rows { self.rows..nodes } else { 0..self.rows };
            for next in others {
                if *before.get(next)? == usize::MAX && *self.edge(node, next)?.0 > 0 {
                    *before.get_mut(next)? = node;
                    queue.push_back(next);
                }
            }
        }
        let mut way = Vec::new();
        let mut at = sink;
        while at != source {
            let from = *before.get(at)?;
            if from == usize::MAX {
                return None;
            }
            way.push((from, at));
            at = from;
        }
        let mut least = u64::MAX;
        for (from, to) in &way {
            least = least.min(*self.edge(*from, *to)?.0);
        }
        for (from, to) in way {
            let (forward, back) = self.edge(from, to)?;
            *forward = if *forward >= UNLIMITED { *forward } else { *forward - least };
            *back = back.saturating_add(least).min(UNLIMITED);
        }
        Some(least)
    }

    /// The room from one node to the other, and back.
    fn edge(&mut self, from: usize, to: usize) -> Option<(&mut u64, &mut u64)> {
        let (row, column) = (from.min(to), from.max(to) - self.rows);
        let (up, down) = self.room.get_mut(row * self.columns + column)?;
        Some(if from < to { (up, down) } else { (down, up) })
    }
}
