//! Programs of researchers: WebAssembly components that see what they are given and nothing else.
//!
//! A [`Program`] is a component of the world `consilium:analysis` (`wit/analysis.wit`): it imports
//! nothing and exports `describe`, `start`, `next` and `contribute`. It takes part in federated rounds
//! like any analysis of `statistics`: [`progress`] leads the conversation out of sums, [`contribute`] gives
//! a site's vector, which is added in secret. No row, no text and no error of a program ever leaves a site.
//!
//! # What holds whatever a program does
//!
//! - It reaches nothing: there is no import, and the engine is built without what could be imported.
//! - It ends: fuel is counted by instruction, memory, tables, stack and output have limits, and ticks of
//!   the caller's clock are the second line. Its bytes are bounded before they are compiled.
//! - Every call is a new instance. Equal inputs give equal outputs on every machine: one NaN, no SIMD,
//!   no threads, fuel instead of time.
//! - A vector has the declared length, every number in it is finite and within its declared bound, a
//!   count is whole. What is not is refused as a whole, never clipped.
//! - What is told of a call that failed over rows is one and the same text for all failures.
//! - The number of rows in an answer is counted by the host.
//!
//! # What does not hold by itself
//!
//! *Sums of what a program chooses may single a row out.* A program could give the value of one row and
//! nothing of all others, or give something only where a site is of a certain size, or write several
//! rows into the digits of one number; neither bounds nor secret addition can tell that from arithmetic.
//! Four things stand against it, and holders choose among them when they approve a hash: they read the
//! source and build it themselves; they ask for a least number of rows and sites; people check the
//! result before its release, as it is of no statistical kind that a machine could judge; and they ask
//! for noise. With [`Terms::block_rows`] each call sees few rows, a site's vector is the sum of the calls'
//! vectors, and one row changes one of them: [`sensitivity`] is then small and known to the host, so
//! noise hides a row from any program.
//!
//! *The state of a round is chosen by `next` and read by `contribute`.* It is made of sums that everybody
//! who replays them knows, but whoever leads a question could send another: one that says which row to
//! look at. So `next` is pure, and a site runs it over the signed sums itself ([`replay`]) and gives nothing for
//! a round that is not the one it finds. What a replayed state can still carry is what the sums so far said:
//! a program may search step by step. The rounds are counted and limited, and a ledger of budgets must count each.
//!
//! *Whether a site answers, and when, is seen.* A program can fail on purpose: one bit of each question and
//! site, which ends the question. Whoever wires this counts such failures against the program, and hands a
//! vector in at fixed times, not when the program is done.

mod asked;
mod call;
mod conversation;
mod inspect;
pub mod limits;
mod machine;
mod program;
mod refused;
mod site;
mod terms;
mod world;

pub use asked::sensitivity;
pub use conversation::{progress, replay};
pub use machine::Machine;
pub use program::{Program, hash};
pub use refused::{Refused, Withheld};
pub use site::contribute;
pub use terms::Terms;
pub use world::{Description, Fault, Form, Need};
