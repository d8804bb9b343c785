//! The limits of programs. The WIT package states each of them to those who write programs.

/// Bytes of a component.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Functions of all modules of a component.
pub const MOST_FUNCTIONS: usize = 5_000;
/// Bytes of one function.
pub const MOST_FUNCTION_BYTES: usize = 64 * 1024;
/// Locals of one function, parameters aside.
pub const MOST_LOCALS: usize = 1_000;
/// Instructions of a component.
pub const MOST_INSTRUCTIONS: usize = 2_000_000;
/// Instructions of one function that begin, end or leave a block.
pub const MOST_BRANCHES: usize = 10_000;
/// Parameters of one core function or block, and results.
pub const MOST_PARAMETERS_OF_TYPE: usize = 100;
/// Branches of one function times its locals and 100 parameters: what building SSA form grows with.
pub const MOST_BRANCHES_BY_LOCALS: usize = 2_000_000;
/// Targets of the branch tables of a component.
pub const MOST_BRANCH_TARGETS: usize = 100_000;
/// Core types, globals, exports, imports and segments of a component, of each.
pub const MOST_ITEMS: usize = 10_000;
/// Tables of one module.
pub const MOST_TABLES: usize = 10;
/// Modules and nested components of a component, together.
pub const MOST_PARTS: usize = 20;
/// Instances that a component declares, of modules and components, at all levels together.
pub const MOST_INSTANCES: usize = 50;
/// How deep components stand in each other.
pub const MOST_DEPTH: usize = 2;
/// Component types of a component.
pub const MOST_TYPES: usize = 500;
/// Bytes of these types.
pub const MOST_TYPE_BYTES: usize = 64 * 1024;

/// Fuel of all calls of `contribute` for one round, and of one call of `start` or `next`.
pub const MOST_FUEL: u64 = 1_000_000_000_000;
/// Bytes of memory of one call.
pub const MOST_MEMORY: u64 = 1024 * 1024 * 1024;
/// Fuel of one instruction that the engine carries out by a function of its own.
pub const HOST_FUEL: u8 = 250;
/// Fuel of `describe`.
pub const DESCRIBE_FUEL: u64 = 100_000_000;
/// Bytes of memory of `describe`.
pub const DESCRIBE_MEMORY: u64 = 64 * 1024 * 1024;
/// Bytes of stack.
pub const MOST_STACK: usize = 512 * 1024;
/// Elements of a table.
pub const MOST_TABLE_ELEMENTS: usize = 100_000;
/// Calls of `contribute` for one round at one site: each is a new instance, whose making no fuel counts.
pub const MOST_CALLS: u32 = 1_000;

/// Bytes of parameters.
pub const MOST_PARAMETERS: usize = 64 * 1024;
/// Bytes of a round's state.
pub const MOST_STATE: usize = 256 * 1024;
/// Bytes of a result.
pub const MOST_RESULT: usize = 256 * 1024;
/// Entries of a layout.
pub const MOST_ENTRIES: usize = 1_000;
/// Numbers of a vector. With the number of rows, which the host adds, it is as long as the longest
/// vector that can be added in secret.
pub const MOST_NUMBERS: usize = 19_999;
/// The greatest bound of an entry, as a power of two; its inverse is the least.
pub const GREATEST_EXPONENT: i32 = 300;
/// Rounds that a program may ask for.
pub const MOST_ROUNDS: u32 = 1_000;
/// Variables of a question.
pub const MOST_VARIABLES: usize = 200;
/// Bytes of the name of a variable.
pub const MOST_VARIABLE_NAME: usize = 200;
/// Characters of the name of a program or entry.
pub const MOST_NAME: usize = 64;
/// Characters of the version of a program.
pub const MOST_VERSION: usize = 32;
