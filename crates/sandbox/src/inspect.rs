//! Looks at the bytes of a program before anything is compiled.
//!
//! Compiling is not linear in the bytes: functions grow with the product of their branches and locals,
//! components with what they instantiate in each other, types with what they refer to. This pass is
//! linear, allocates nothing that a program can size, and bounds all of that; what it lets through is
//! then validated and compiled by the engine.

use wasmtime::wasmparser::{
    BinaryReaderError, CanonicalFunction, ComponentTypeRef, CompositeInnerType, Encoding,
    FunctionBody, Operator, Parser, Payload, RecGroup,
};

use crate::limits;
use crate::refused::Refused;

/// What was counted so far.
#[derive(Default)]
struct Count {
    parts: usize,
    depth: usize,
    functions: usize,
    instructions: usize,
    targets: usize,
    instances: usize,
    types: usize,
    type_bytes: usize,
    core_types: usize,
    globals: usize,
    exports: usize,
    imports: usize,
    data: usize,
    elements: usize,
}

/// Looks through a program.
///
/// # Errors
/// [`Refused::Form`] for what is no component, [`Refused::Size`] for what is beyond a limit,
/// [`Refused::Import`], [`Refused::Start`], [`Refused::BuiltIn`] for what a program may not have.
pub(crate) fn inspect(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.len() > limits::MOST_BYTES {
        return Err(Refused::Size("bytes"));
    }
    let mut parser = Parser::new(0);
    parser.set_features(crate::machine::FEATURES);
    let mut count = Count::default();
    let mut levels: Vec<Encoding> = Vec::new();
    for payload in parser.parse_all(bytes) {
        let payload = payload.map_err(form)?;
        match &payload {
            Payload::Version { encoding, .. } => {
                if levels.is_empty() && *encoding != Encoding::Component {
                    return Err(Refused::Form);
                }
                levels.push(*encoding);
                count.depth = levels.iter().filter(|one| **one == Encoding::Component).count() - 1;
                within(levels.len() - 1, limits::MOST_DEPTH + 1, "levels of components")?;
                within(count.depth, limits::MOST_DEPTH, "levels of components")?;
            }
            Payload::End(_) => {
                levels.pop();
            }
            Payload::ComponentImportSection(section) if levels.len() == 1 => {
                if let Some(import) = section.clone().into_iter().next() {
                    import.map_err(form)?;
                    return Err(Refused::Import);
                }
            }
            Payload::StartSection { .. } | Payload::ComponentStartSection { .. } => {
                return Err(Refused::Start);
            }
            _ => count.take(&payload)?,
        }
    }
    Ok(())
}

impl Count {
    /// Adds one part of a component.
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), Refused> {
        const ITEMS: usize = limits::MOST_ITEMS;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                add(&mut self.parts, 1, limits::MOST_PARTS, "modules and components")
            }
            Payload::TypeSection(section) => {
                add(&mut self.core_types, section.count(), ITEMS, "types")?;
                section.clone().into_iter().try_for_each(|group| narrow(&group.map_err(form)?))
            }
            Payload::CoreTypeSection(section) => {
                self.type_bytes(&section.range())?;
                add(&mut self.types, section.count(), limits::MOST_TYPES, "types")
            }
            Payload::ComponentTypeSection(section) => {
                self.type_bytes(&section.range())?;
                add(&mut self.types, section.count(), limits::MOST_TYPES, "types")
            }
            Payload::ImportSection(section) => {
                add(&mut self.imports, section.count(), ITEMS, "imports of modules")
            }
            Payload::ComponentImportSection(section) => {
                // A nested component names types that it is given; it is given nothing else.
                for import in section.clone() {
                    let import = import.map_err(form)?;
                    if matches!(import.ty, ComponentTypeRef::Module(_)) {
                        return Err(Refused::Import);
                    }
                }
                add(&mut self.imports, section.count(), ITEMS, "imports of modules")
            }
            Payload::ExportSection(section) => {
                add(&mut self.exports, section.count(), ITEMS, "exports")
            }
            Payload::ComponentExportSection(section) => {
                add(&mut self.exports, section.count(), ITEMS, "exports")
            }
            Payload::ComponentAliasSection(section) => {
                add(&mut self.exports, section.count(), ITEMS, "exports")
            }
            Payload::GlobalSection(section) => {
                add(&mut self.globals, section.count(), ITEMS, "globals")
            }
            Payload::MemorySection(section) => {
                within(section.count() as usize, 1, "memories of a module")
            }
            Payload::TableSection(section) => {
                within(section.count() as usize, limits::MOST_TABLES, "tables of a module")
            }
            Payload::DataSection(section) => {
                add(&mut self.data, section.count(), ITEMS, "segments of data")
            }
            Payload::ElementSection(section) => {
                add(&mut self.elements, section.count(), ITEMS, "segments of elements")
            }
            Payload::InstanceSection(section) => {
                add(&mut self.instances, section.count(), limits::MOST_INSTANCES, "instances")
            }
            Payload::ComponentInstanceSection(section) => {
                add(&mut self.instances, section.count(), limits::MOST_INSTANCES, "instances")
            }
            Payload::ComponentCanonicalSection(section) => section
                .clone()
                .into_iter()
                .try_for_each(|function| match function.map_err(form)? {
                    CanonicalFunction::Lift { .. } => Ok(()),
                    _ => Err(Refused::BuiltIn),
                }),
            Payload::CodeSectionStart { count, .. } => {
                add(&mut self.functions, *count, limits::MOST_FUNCTIONS, "functions")
            }
            Payload::CodeSectionEntry(body) => self.function(body),
            Payload::TagSection(_) | Payload::UnknownSection { .. } => Err(Refused::Form),
            _ => Ok(()),
        }
    }

    fn type_bytes(&mut self, range: &std::ops::Range<usize>) -> Result<(), Refused> {
        let bytes = u32::try_from(range.len()).unwrap_or(u32::MAX);
        add(&mut self.type_bytes, bytes, limits::MOST_TYPE_BYTES, "types")
    }

    fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), Refused> {
        within(body.range().len(), limits::MOST_FUNCTION_BYTES, "bytes in a function")?;
        let mut locals = 0_usize;
        for group in body.get_locals_reader().map_err(form)? {
            let (number, _) = group.map_err(form)?;
            add(&mut locals, number, limits::MOST_LOCALS, "locals in a function")?;
        }
        let mut branches = 0;
        for operator in body.get_operators_reader().map_err(form)? {
            add(&mut self.instructions, 1, limits::MOST_INSTRUCTIONS, "instructions")?;
            match operator.map_err(form)? {
                Operator::BrTable { targets } => {
                    let most = limits::MOST_BRANCH_TARGETS;
                    add(&mut self.targets, targets.len(), most, "targets of branch tables")?;
                    branches += 1;
                }
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::Else
                | Operator::End
                | Operator::Br { .. }
                | Operator::BrIf { .. }
                | Operator::Return
                | Operator::CallIndirect { .. }
                | Operator::TableGet { .. } => branches += 1,
                _ => {}
            }
        }
        within(branches, limits::MOST_BRANCHES, "branches in a function")?;
        let values = locals + limits::MOST_PARAMETERS_OF_TYPE;
        let product = branches.saturating_mul(values);
        within(product, limits::MOST_BRANCHES_BY_LOCALS, "branches and locals in a function")
    }
}

/// Checks that the functions and blocks of a type take and give few values.
fn narrow(group: &RecGroup) -> Result<(), Refused> {
    for one in group.types() {
        let CompositeInnerType::Func(function) = &one.composite_type.inner else {
            return Err(Refused::Form);
        };
        let most = limits::MOST_PARAMETERS_OF_TYPE;
        within(function.params().len(), most, "parameters of a function")?;
        within(function.results().len(), most, "results of a function")?;
    }
    Ok(())
}

/// Adds to a count that has a limit.
fn add(count: &mut usize, more: u32, most: usize, what: &'static str) -> Result<(), Refused> {
    *count = count.saturating_add(more as usize);
    within(*count, most, what)
}

fn within(number: usize, most: usize, what: &'static str) -> Result<(), Refused> {
    if number > most { Err(Refused::Size(what)) } else { Ok(()) }
}

/// What the parser says names offsets and contents, which tell nothing to who asks.
fn form(_: BinaryReaderError) -> Refused {
    Refused::Form
}
