//! What a data set says of its variables, the same at every institution that holds a part of it.

use serde::{Deserialize, Serialize};

/// The variables of a data set. A site refuses rows that hold what its dictionary does not list, so
/// that the levels of a question never depend on who happens to be treated where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dictionary {
    /// In the order of the data set's columns; no name twice.
    pub variables: Vec<Variable>,
}

/// One variable. Fields that it does not know are refused by [`Kind`], which reads what is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name, as questions write it.
    pub name: String,
    /// What its values are.
    #[serde(flatten)]
    pub kind: Kind,
    /// What it means, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// What the values of a variable are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// A number, in the unit that the description states. The bounds are what a value can be at
    /// all, not what was seen: they limit what one institution may add to a sum.
    Number {
        /// The least value, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// The greatest value, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// One of these texts. The first is the reference of indicator variables.
    Category {
        /// All that there may be, no one twice.
        levels: Vec<String>,
    },
}

impl Dictionary {
    /// The variable of this name.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Variable;

    #[test]
    fn a_variable_comes_back_and_unknown_fields_do_not() {
        let text = r#"{"name":"age","kind":"number","min":0.0,"max":130.0}"#;
        let variable: Variable = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&variable).unwrap(), text);
        let text = r#"{"name":"age","kind":"number","most":130.0}"#;
        assert!(serde_json::from_str::<Variable>(text).is_err());
    }
}
