//! What a project says of a program, held against the program itself and against what is asked of it.

use sandbox::{Program, Terms};
use statistics::{Analysis, Entry, Question};
use wire::research::{NamedProgram, ProgramOutput, Project};

use super::RULE;
use super::machine::Stopped;
use super::shelf::loaded;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Kind, Result};

/// A program as an application names it. The rest is said by the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its hash.
    pub hash: String,
    /// The variables that it may be given; empty where it names those that it needs.
    pub variables: Vec<String>,
    /// Most rows of one site.
    pub rows: u32,
    /// The sums that it may ask for.
    pub outputs: Vec<ProgramOutput>,
    /// Most instructions at one site in one round.
    pub fuel: u64,
    /// Most bytes of memory.
    pub memory: u64,
}

/// The program as the application states it. Blocks.
///
/// Errors: [`Kind::Invalid`] where it is not here, or needs what is not declared.
pub(crate) fn name(app: &App, draft: Draft) -> Result<NamedProgram> {
    let invalid = |message: String| Error::invalid("value", message);
    let program = app.programs().aside(|held| loaded(app, held, &draft.hash));
    let program = program.map_err(|stopped| match stopped {
        Stopped::Absent => {
            invalid("hand the program in first: `POST /research/programs`".to_owned())
        }
        stopped => stopped.into(),
    })?;
    let said = program.description();
    let needs = said.variables.iter().map(|need| need.name.clone());
    let named = NamedProgram {
        hash: draft.hash,
        name: said.name.clone(),
        version: said.version.clone(),
        bytes: u32::try_from(program.bytes()).unwrap_or(u32::MAX),
        variables: if draft.variables.is_empty() { needs.collect() } else { draft.variables },
        rows: draft.rows,
        outputs: draft.outputs,
        rounds: said.most_rounds,
        fuel: draft.fuel,
        memory: draft.memory,
    };
    if !is_as_named(&program, &named) {
        return Err(invalid("the program needs variables that are not declared for it".to_owned()));
    }
    match named.is_sound() {
        true => Ok(named),
        false => Err(invalid(
            "declare 1 to 200 variables, rows, 1 to 100 outputs with bounds above 0, and fuel and memory \
             within the limits"
                .to_owned(),
        )),
    }
}

/// Holds the programs of a project against their bytes, before somebody approves it. Blocks.
///
/// Errors: [`Kind::Conflict`] where they are not here yet, or are not what the project says.
pub(crate) fn verify(app: &App, caller: &Caller, id: &str, project: &Project) -> Result<()> {
    for named in &project.programs {
        let Err(stopped) = app.programs().aside(|held| {
            let program = loaded(app, held, &named.hash)?;
            if is_as_named(&program, named) { Ok(()) } else { Err(Stopped::Other) }
        }) else {
            continue;
        };
        if stopped.is_for_now() {
            return Err(stopped.into());
        }
        let note = format!("a program of a research project cannot be approved: {stopped}");
        let event = Event::by(caller, Pattern::Refuse).data(format!("ResearchStudy/{id}"));
        app.audit(event.refused(format!("{RULE}: {note}")))?;
        let message = match stopped {
            Stopped::Absent => {
                format!(
                    "the bytes of the program `{}` are not here yet; try again in a minute",
                    named.hash
                )
            }
            stopped => format!("rule {RULE}: {stopped}"),
        };
        return Err(Error::new(Kind::Conflict, message));
    }
    Ok(())
}

/// Whether a program is what a project says of it.
pub(super) fn is_as_named(program: &Program, named: &NamedProgram) -> bool {
    let said = program.description();
    program.hash() == named.hash
        && program.bytes() == named.bytes as usize
        && said.name == named.name
        && said.version == named.version
        && said.most_rounds == named.rounds
        && said.variables.iter().all(|need| named.variables.contains(&need.name))
}

/// The program that a question asks, as the project names it, where the project lets it be asked so; none
/// for other analyses.
///
/// # Errors
/// What stands against it, in words.
pub(crate) fn of<'p>(
    question: &Question,
    project: &'p Project,
) -> std::result::Result<Option<&'p NamedProgram>, &'static str> {
    let Analysis::Program(asked) = &question.analysis else { return Ok(None) };
    let named = project.programs.iter().find(|named| named.hash == asked.program);
    let named = named.ok_or("the project names no program of this hash")?;
    if asked.fuel > named.fuel || asked.memory > named.memory {
        return Err("the program is to have more fuel or memory than the project says");
    }
    if question.most_rows > named.rows {
        return Err("the program is to see more rows of a site than the project says");
    }
    let variables = &question.dictionary.variables;
    if !variables.iter().all(|one| named.variables.contains(&one.name)) {
        return Err("the program is to read a variable that the project does not declare for it");
    }
    Ok(Some(named))
}

/// The terms of a run, where a program is asked.
pub(super) fn terms(question: &Question, named: &NamedProgram) -> Option<Terms> {
    let Analysis::Program(asked) = &question.analysis else { return None };
    let output = |one: &ProgramOutput| Entry {
        name: one.name.clone(),
        length: one.length as usize,
        is_count: one.is_count,
        bound: one.bound,
    };
    Some(Terms {
        program: asked.program.clone(),
        dictionary: question.dictionary.clone(),
        most_rows: question.most_rows,
        block_rows: asked.block_rows,
        parameters: asked.parameters.clone(),
        fuel: asked.fuel,
        memory: asked.memory,
        outputs: named.outputs.iter().map(output).collect(),
    })
}
