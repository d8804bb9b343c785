//! The exported tables, and the queries.

use std::path::{Path, PathBuf};

use datafusion::prelude::{ParquetReadOptions, SessionContext};

use crate::{Fault, text};

/// A query.
pub struct Query {
    /// The name of its file.
    pub name: String,
    /// Its text, the same for every engine.
    pub sql: String,
}

/// The tables in a folder as `consilium lake export` writes it: one folder with Parquet files each.
pub fn tables(folder: &Path) -> Result<Vec<(String, PathBuf)>, Fault> {
    let mut found = Vec::new();
    for path in sorted(folder)? {
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && path.is_dir()
        {
            found.push((name.to_owned(), path.clone()));
        }
    }
    if found.is_empty() {
        return Err(format!("`{}` holds no table", folder.display()).into());
    }
    Ok(found)
}

/// The Parquet files of a table.
pub fn files(table: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut files = sorted(table)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "parquet"));
    Ok(files)
}

/// The queries in a folder, by name.
pub fn queries(folder: &Path) -> Result<Vec<Query>, Fault> {
    let mut found = Vec::new();
    for path in sorted(folder)? {
        if path.extension().is_some_and(|extension| extension == "sql") {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            found.push(Query { name: name.to_owned(), sql: std::fs::read_to_string(&path)? });
        }
    }
    Ok(found)
}

/// Makes the tables known under their names.
pub async fn register(context: &SessionContext, folder: &Path) -> Result<(), Fault> {
    for (name, path) in tables(folder)? {
        // With the stroke at the end it is a folder.
        let place = format!("{}/", text(&path)?);
        context.register_parquet(name, place, ParquetReadOptions::default()).await?;
    }
    Ok(())
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| format!("cannot read `{}`: {error}", folder.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    Ok(paths)
}
