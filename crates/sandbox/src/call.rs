//! One call of a program: a new instance with its own fuel, memory, stack and time.

use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc,
};
use wasmtime::{Error, ResourceLimiter, Store, Trap};

use crate::limits::{MOST_INSTANCES, MOST_PARTS, MOST_TABLE_ELEMENTS, MOST_TABLES};
use crate::refused::Refused;

/// What a call may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Fuel.
    pub fuel: u64,
    /// Bytes of all memories.
    pub memory: u64,
    /// Ticks of the machine's clock.
    pub ticks: u64,
    /// Bytes that it may give back.
    pub output: usize,
}

/// What the host remembers of a call.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_left: u64,
    is_short: bool,
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        match self.memory_left.checked_sub(more) {
            Some(left) => self.memory_left = left,
            None => self.is_short = true,
        }
        Ok(!self.is_short)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > MOST_TABLE_ELEMENTS {
            self.is_short = true;
        }
        Ok(!self.is_short)
    }

    fn instances(&self) -> usize {
        MOST_INSTANCES * MOST_PARTS
    }

    fn tables(&self) -> usize {
        MOST_TABLES * MOST_PARTS
    }

    fn memories(&self) -> usize {
        MOST_PARTS
    }
}

/// A new instance.
pub(crate) struct Call {
    store: Store<Meter>,
    instance: Instance,
}

impl Call {
    /// Makes the instance.
    ///
    /// # Errors
    /// [`Refused::Memory`] if its memories are too large from the beginning, [`Refused::Form`] if what
    /// it starts with does not fit where it should be.
    pub fn new(program: &InstancePre<Meter>, allowance: Allowance) -> Result<Self, Refused> {
        let meter = Meter { memory_left: allowance.memory, is_short: false };
        let mut store = Store::new(program.engine(), meter);
        store.limiter(|meter| meter);
        store.set_hostcall_fuel(allowance.output);
        store.set_epoch_deadline(allowance.ticks);
        store.set_fuel(allowance.fuel).map_err(|_| Refused::Machine)?;
        let made = program.instantiate(&mut store);
        match made {
            Ok(instance) => Ok(Self { store, instance }),
            Err(_) if store.data().is_short => Err(Refused::Memory),
            Err(error) => Err(rule(&error).unwrap_or(Refused::Form)),
        }
    }

    /// The function, if it is there and has these types.
    pub fn function<P, R>(
        &mut self,
        export: &ComponentExportIndex,
    ) -> Result<TypedFunc<P, R>, Refused>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let found = self.instance.get_typed_func::<P, R>(&mut self.store, export);
        found.map_err(|_| Refused::World)
    }

    /// Calls the function, once, and ends the instance. Gives the fuel that is left as well.
    ///
    /// # Errors
    /// The limit that it ran into, and nothing of what it says.
    pub fn run<P, R>(
        mut self,
        export: &ComponentExportIndex,
        parameters: P,
    ) -> Result<(R, u64), Refused>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let function = self.function::<P, R>(export)?;
        match function.call(&mut self.store, parameters) {
            Ok(given) => Ok((given, self.store.get_fuel().unwrap_or(0))),
            Err(error) => Err(match rule(&error) {
                None => Refused::Output,
                Some(Refused::Trap) if self.store.data().is_short => Refused::Memory,
                Some(rule) => rule,
            }),
        }
    }
}

/// The rule behind a trap; none for what is no trap, such as a pointer out of bounds in what is given.
fn rule(error: &Error) -> Option<Refused> {
    Some(match error.downcast_ref::<Trap>()? {
        Trap::OutOfFuel => Refused::Fuel,
        Trap::StackOverflow => Refused::Stack,
        Trap::Interrupt => Refused::Time,
        _ => Refused::Trap,
    })
}
