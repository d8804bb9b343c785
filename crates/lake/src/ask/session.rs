//! A session of DataFusion that knows the tables of one snapshot and nothing else.

use std::sync::Arc;

use datafusion::common::config::Dialect;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::Limits;
use super::refused::{Refused, Rule};
use super::scan::Source;
use crate::keep::Snapshot;

/// The longest query in bytes.
pub const MAX_QUERY_BYTES: usize = 32 * 1024;
/// The most words, signs and values of a query.
const MAX_TOKENS: usize = 4_000;
/// The most operators, brackets and clauses of a query: each may make the plan one step deeper, and a plan
/// is walked by recursion.
const MAX_DEPTH_TOKENS: usize = 300;
/// How deep brackets may be nested.
const MAX_NESTING: usize = 40;
/// Functions that say something about anything but their arguments, or make something up.
const OUTSIDE: [&str; 12] = [
    "now",
    "current_date",
    "current_time",
    "current_timestamp",
    "today",
    "random",
    "uuid",
    "version",
    "arrow_typeof",
    "arrow_metadata",
    "arrow_field",
    "input_file_name",
];

/// A session for one query.
pub(crate) fn session(snapshot: &Snapshot, limits: &Limits) -> Result<SessionContext, Refused> {
    let failed = |_| Refused::new(Rule::Failed, "session");
    let config = SessionConfig::new()
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(true)
        .with_target_partitions(limits.partitions.max(1));
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes)))
        // Nothing is put down on disk, where it would not be sealed.
        .with_disk_manager_builder(disk)
        .build_arc()
        .map_err(failed)?;
    let mut planners: Vec<Arc<dyn ExprPlanner>> = SessionStateDefaults::default_expr_planners();
    planners.push(Arc::new(UnicodeFunctionPlanner));
    let mut scalar = SessionStateDefaults::default_scalar_functions();
    scalar.retain(|function| {
        !OUTSIDE.contains(&function.name())
            && !function.aliases().iter().any(|alias| OUTSIDE.contains(&alias.as_str()))
    });
    // No table functions, file formats or factories: there is nothing to read but these tables.
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(planners)
        .with_scalar_functions(scalar)
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .build();
    let context = SessionContext::new_with_state(state);
    let keys = snapshot.tables.iter().filter_map(|table| table.definition.own_key());
    let keys = Arc::new(keys.map(str::to_owned).collect());
    for table in &snapshot.tables {
        let source = Arc::new(Source::visible(table, &snapshot.seen, &keys));
        context.register_table(table.definition.name(), source).map_err(failed)?;
    }
    Ok(context)
}

/// The plan of a query: one statement that reads.
pub(crate) async fn plan(context: &SessionContext, sql: &str) -> Result<LogicalPlan, Refused> {
    measure(sql)?;
    let state = context.state();
    let statement = state
        .sql_to_statement(sql, &Dialect::Generic)
        .map_err(|_| Refused::new(Rule::Syntax, "query"))?;
    let reads = matches!(&statement,
        Statement::Statement(inner) if matches!(**inner, ast::Statement::Query(_)));
    if !reads {
        return Err(Refused::new(Rule::OneQuery, "query"));
    }
    let plan =
        state.statement_to_plan(statement).await.map_err(|error| Refused::planning(&error))?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|_| Refused::new(Rule::OneQuery, "query"))?;
    Ok(plan)
}

/// Refuses a text whose plan could be deeper than a thread's stack.
fn measure(sql: &str) -> Result<(), Refused> {
    let size = || Refused::new(Rule::QuerySize, "query");
    if sql.len() > MAX_QUERY_BYTES {
        return Err(size());
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .map_err(|_| Refused::new(Rule::Syntax, "query"))?;
    let (mut words, mut deep, mut open, mut ended): (usize, usize, usize, bool) = (0, 0, 0, false);
    for token in &tokens {
        match token {
            Token::Whitespace(_) => continue,
            Token::SemiColon => {
                ended = true;
                continue;
            }
            _ if ended => return Err(Refused::new(Rule::OneQuery, "query")),
            Token::LParen | Token::LBracket | Token::LBrace => open += 1,
            Token::RParen | Token::RBracket | Token::RBrace => open = open.saturating_sub(1),
            Token::Comma | Token::Period | Token::Number(..) | Token::SingleQuotedString(_) => {}
            Token::Word(word) => deep += usize::from(deepens(&word.value)),
            _ => deep += 1,
        }
        words += 1;
        if words > MAX_TOKENS || deep > MAX_DEPTH_TOKENS || open > MAX_NESTING {
            return Err(size());
        }
    }
    Ok(())
}

/// Words that make a plan or an expression one step deeper.
fn deepens(word: &str) -> bool {
    const WORDS: [&str; 15] = [
        "AND",
        "OR",
        "XOR",
        "NOT",
        "JOIN",
        "SELECT",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "CASE",
        "LIKE",
        "ILIKE",
        "IS",
        "BETWEEN",
        "DIV",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}
