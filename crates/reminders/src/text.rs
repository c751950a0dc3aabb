//! Texts with variables: `Hello {name}, your visit is at {time}.`

use std::collections::{BTreeMap, BTreeSet};

/// Characters of a text after its variables are filled in.
pub const MAX_TEXT: usize = 2000;

/// Why a text can't be said. Values of variables are never part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A `{` has no `}`.
    #[error("the '{{' at character {0} is never closed; write '{{{{' for a brace")]
    Unclosed(usize),
    /// A `}` has no `{`.
    #[error("the '}}' at character {0} closes nothing; write '}}}}' for a brace")]
    Unopened(usize),
    /// What is between braces is no name.
    #[error("at character {0}: a variable's name has 1 to 40 letters, digits, '-' and '_'")]
    Name(usize),
    /// The variable has no value.
    #[error("the variable '{0}' has no value")]
    Missing(String),
    /// A value is given that the text doesn't use.
    #[error("the text has no variable '{0}'")]
    Unused(String),
    /// There is nothing to say.
    #[error("the text is empty")]
    Empty,
    /// It is too long.
    #[error("the text has {0} characters, {MAX_TEXT} are allowed")]
    TooLong(usize),
}

/// Fills `{name}` with the value of `name`; `{{` and `}}` are braces.
///
/// # Errors
/// [`TextError`]: the first thing that is wrong.
pub fn render(text: &str, variables: &BTreeMap<String, String>) -> Result<String, TextError> {
    let mut said = String::with_capacity(text.len());
    let mut used = BTreeSet::new();
    let mut characters = text.char_indices().peekable();
    let mut position = 0;
    while let Some((at, character)) = characters.next() {
        position += 1;
        let twice = characters
            .peek()
            .is_some_and(|(_, next)| *next == character);
        match character {
            '{' | '}' if twice => {
                characters.next();
                position += 1;
                said.push(character);
            }
            '}' => return Err(TextError::Unopened(position)),
            '{' => {
                let name = variable(&text[at + 1..], position)?;
                let value = variables.get(name);
                said.push_str(value.ok_or_else(|| TextError::Missing(name.to_owned()))?);
                used.insert(name);
                // A name is ASCII: as many characters as bytes, and its brace.
                position += name.len() + 1;
                characters.nth(name.len());
            }
            _ => said.push(character),
        }
    }
    if let Some(unused) = variables.keys().find(|name| !used.contains(name.as_str())) {
        return Err(TextError::Unused(unused.clone()));
    }
    checked(said)
}

fn variable(rest: &str, position: usize) -> Result<&str, TextError> {
    let end = rest.find('}').ok_or(TextError::Unclosed(position))?;
    let name = &rest[..end];
    if is_name(name) {
        Ok(name)
    } else {
        Err(TextError::Name(position))
    }
}

/// Whether a variable may be called so.
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn checked(said: String) -> Result<String, TextError> {
    let length = said.chars().count();
    if said.trim().is_empty() {
        Err(TextError::Empty)
    } else if length > MAX_TEXT {
        Err(TextError::TooLong(length))
    } else {
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn variables_are_filled_in_and_values_are_not_looked_into() {
        let values = with(&[("name", "Zoë {x}"), ("time", "9:00")]);
        assert_eq!(
            render("Grüße, {name}: {time} {{ok}} {name}", &values).unwrap(),
            "Grüße, Zoë {x}: 9:00 {ok} Zoë {x}"
        );
    }

    #[test]
    fn mistakes_are_named() {
        let values = with(&[("name", "x")]);
        let error = |text| render(text, &values).unwrap_err();
        assert_eq!(error("é {name"), TextError::Unclosed(3));
        assert_eq!(error("a } b"), TextError::Unopened(3));
        assert_eq!(error("{na me}"), TextError::Name(1));
        assert_eq!(error("{}"), TextError::Name(1));
        assert_eq!(error("{other}"), TextError::Missing("other".to_owned()));
        assert_eq!(error("hello"), TextError::Unused("name".to_owned()));
        assert_eq!(render(" ", &with(&[])).unwrap_err(), TextError::Empty);
        assert_eq!(
            render(&"é".repeat(2001), &with(&[])).unwrap_err(),
            TextError::TooLong(2001)
        );
    }

    proptest! {
        #[test]
        fn nothing_panics_and_plain_text_stays(text in ".{0,80}") {
            let rendered = render(&text, &BTreeMap::new());
            if !text.contains(['{', '}']) && !text.trim().is_empty() {
                prop_assert_eq!(rendered.unwrap(), text);
            }
        }
    }
}
