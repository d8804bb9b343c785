//! The variables of a data set as a `csvw:TableGroup` (Metadata Vocabulary for Tabular Data, W3C 2015).

use super::below;
use super::terms::{CSVW, DCT, HEALTH};
use crate::description::{Dataset, Kind, Variable};
use crate::graph::{Graph, Value};
use crate::words::Texts;

/// Writes whether there are variables, and each as a column.
pub(super) fn write(graph: &mut Graph, set: &Dataset) {
    let node = &set.iri;
    let has_variables = !set.variables.is_empty();
    graph.add(node, HEALTH!("hasStructuredData"), Value::truth(has_variables));
    if !has_variables {
        return;
    }
    let group = below(node, "variables");
    graph.link(node, HEALTH!("hasVariables"), &group);
    graph.class(&group, CSVW!("TableGroup"));
    graph.texts(&group, DCT!("title"), &set.title);
    let table = below(node, "table");
    graph.link(&group, CSVW!("table"), &table);
    graph.class(&table, CSVW!("Table"));
    graph.texts(&table, DCT!("title"), &set.title);
    for (place, variable) in set.variables.iter().enumerate() {
        let column = below(node, &format!("variable-{place}"));
        graph.link(&table, CSVW!("column"), &column);
        graph.class(&column, CSVW!("Column"));
        graph.add(&column, CSVW!("name"), Value::plain(variable.name.as_str()));
        // Release 8 says `title`, the draft before it `titles`.
        graph.texts(&column, CSVW!("title"), &variable.title);
        graph.texts(&column, CSVW!("titles"), &variable.title);
        graph.texts(&column, DCT!("description"), described(variable));
        graph.add(&column, CSVW!("datatype"), Value::plain(datatype(&variable.kind)));
        if let Some(iri) = variable.coding.as_ref().and_then(|coding| coding.iri.as_ref()) {
            graph.link(&column, CSVW!("propertyUrl"), iri);
        }
    }
}

/// A column must be described; what has no description is described by its title.
fn described(variable: &Variable) -> &Texts {
    if variable.description.is_empty() { &variable.title } else { &variable.description }
}

/// The built-in data type of CSVW.
fn datatype(kind: &Kind) -> &'static str {
    match kind {
        Kind::Integer { .. } => "integer",
        Kind::Decimal { .. } => "number",
        Kind::Category { .. } | Kind::Text => "string",
        Kind::Truth => "boolean",
        Kind::Date => "date",
        Kind::Instant => "dateTime",
    }
}
