//! A site's part of a round: runs the program over its own rows.

use statistics::{Column, Contribution, Frame, Kind, Round};

use crate::asked::Asked;
use crate::call::{Allowance, Call};
use crate::program::{Given, Program, RowsOf};
use crate::refused::{Refused, Withheld};
use crate::terms::Terms;
use crate::world::{Setting, Values};

/// Bytes beside the numbers themselves that a call may give back.
const ROOM: usize = 1024;

/// What a site with these rows gives in a round: how many rows it has, and what the program makes of
/// them, within the bounds of the round's layout. All calls together have `ticks` of the machine's clock.
/// Blocks, for as long as the fuel of the terms and these ticks last.
///
/// The round must be the one that follows from the sums so far: whoever calls this has run
/// [`crate::replay`] over them and compared.
///
/// # Errors
/// [`Withheld`], whose text is what may be told to others.
pub fn contribute(
    program: &Program,
    terms: &Terms,
    round: &Round,
    rows: &Frame,
    ticks: u64,
) -> Result<Contribution, Withheld> {
    terms.check(program).map_err(Withheld::before)?;
    if rows.rows() > terms.most_rows as usize {
        return Err(Withheld::before(Refused::Rows));
    }
    let asked = Asked::read(round).map_err(Withheld::before)?;
    if asked.layout(terms).map_err(Withheld::before)? != round.layout {
        return Err(Withheld::before(Refused::Round));
    }
    let columns = columns(program, terms, rows).map_err(Withheld::before)?;
    let setting = terms.setting(program).map_err(Withheld::before)?;
    let sums = Site { program, terms, asked: &asked, setting, columns, ticks }
        .run(rows.rows())
        .map_err(Withheld::after)?;
    // A site has at most `most_rows` rows, a u32, which an f64 holds exactly.
    let mut values = vec![rows.rows() as f64];
    values.extend(sums);
    Ok(Contribution { values, rows: rows.rows(), dropped: 0 })
}

/// The columns that the program is given, in its order. Only they are ever put into its memory.
fn columns<'f>(
    program: &Program,
    terms: &Terms,
    rows: &'f Frame,
) -> Result<Vec<&'f Column>, Refused> {
    let column = |variable: &statistics::Variable| {
        let column = rows.column(&variable.name).ok_or(Refused::Columns)?;
        let is_kind = match (column, &variable.kind) {
            (Column::Number(_), Kind::Number { .. }) => true,
            (Column::Category(values), Kind::Category { levels }) => {
                values.iter().flatten().all(|level| (*level as usize) < levels.len())
            }
            _ => false,
        };
        if is_kind { Ok(column) } else { Err(Refused::Columns) }
    };
    terms.given(program)?.into_iter().map(column).collect()
}

/// A run over the rows of a site.
struct Site<'a> {
    program: &'a Program,
    terms: &'a Terms,
    asked: &'a Asked,
    setting: Setting,
    columns: Vec<&'a Column>,
    ticks: u64,
}

impl Site<'_> {
    /// The sums over the calls.
    fn run(&self, rows: usize) -> Result<Vec<f64>, Refused> {
        let mut fuel = self.terms.fuel;
        let began = self.program.clock.ticks();
        let mut sums = vec![Sum::default(); self.asked.numbers()];
        let step = self.terms.call_rows().max(1) as usize;
        for from in (0..rows).step_by(step) {
            let until = rows.min(from.saturating_add(step));
            let past = self.program.clock.ticks().saturating_sub(began);
            let ticks = self.ticks.saturating_sub(past);
            if ticks == 0 {
                return Err(Refused::Time);
            }
            let values;
            (values, fuel) = self.call(from..until, fuel, ticks)?;
            for (sum, value) in sums.iter_mut().zip(values) {
                sum.add(value);
            }
        }
        Ok(sums.into_iter().map(Sum::value).collect())
    }

    /// One call over some of the rows, with what is left of the fuel and the ticks of the round.
    fn call(
        &self,
        rows: std::ops::Range<usize>,
        fuel: u64,
        ticks: u64,
    ) -> Result<(Vec<f64>, u64), Refused> {
        let values: Option<Vec<Values<'_>>> =
            self.columns.iter().map(|column| Values::of(column, rows.clone())).collect();
        let values = values.ok_or(Refused::Columns)?;
        let allowance = Allowance {
            fuel,
            memory: self.terms.memory,
            ticks,
            output: self.asked.numbers() * size_of::<f64>() + ROOM,
        };
        let call = Call::new(&self.program.code, allowance)?;
        let parameters = (&self.setting, self.asked.state.as_slice(), values.as_slice());
        let export = &self.program.exports.contribute;
        let ((given,), left) = call.run::<RowsOf<'_>, Given>(export, parameters)?;
        let given = given.map_err(Refused::Fault)?;
        self.asked.check_vector(&given)?;
        Ok((given, left))
    }
}

/// A sum of numbers whose rounding errors are added beside it (Neumaier 1974), so that dealing rows
/// into blocks costs no digits.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    fn value(self) -> f64 {
        self.sum + self.lost
    }
}
