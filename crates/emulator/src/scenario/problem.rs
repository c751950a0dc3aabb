//! What is wrong with a scenario file, and where.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What may have been meant, or what to do.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Problems(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// Gathers the problems of one text.
pub(crate) struct Findings<'a> {
    text: &'a str,
    found: Vec<(usize, Problem)>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    /// Line and column of a byte, both from 1.
    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    pub(crate) fn add(
        &mut self,
        place: &Range<usize>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        let (line, column) = self.place(place.start);
        let problem = Problem {
            line,
            column,
            message: message.into(),
            suggestion,
        };
        let finding = (place.start, problem);
        // A value that several actions look at is wrong once.
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    /// The file has not the form of a scenario at all.
    pub(crate) fn unreadable(mut self, error: &toml::de::Error) -> Problems {
        let message = error.message().trim().to_owned();
        let suggestion = known_name(&message);
        self.add(&error.span().unwrap_or(0..0), message, suggestion);
        self.into_problems()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_problems(mut self) -> Problems {
        self.found.sort_by_key(|(at, _)| *at);
        Problems(self.found.into_iter().map(|(_, problem)| problem).collect())
    }
}

/// The name that may have been meant where serde found one that it doesn't know; it
/// puts names in backquotes, the unknown one first.
fn known_name(message: &str) -> Option<String> {
    let unknown = ["unknown field ", "unknown variant "];
    let rest = unknown
        .iter()
        .find_map(|start| message.strip_prefix(start))?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let written = names.next()?;
    did_you_mean(written, names)
}

/// The candidate that is close enough to be meant.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let allowed = written.chars().count().div_ceil(3).max(1);
    let (slips, closest) = candidates
        .into_iter()
        .map(|candidate| (slips(written, candidate), candidate))
        .min()?;
    (slips <= allowed).then(|| format!("did you mean \"{closest}\"?"))
}

/// How many insertions, deletions, replacements and swaps of neighbours make one word
/// of the other (optimal string alignment).
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, expected) in [
            ("", "", 0),
            ("call", "call", 0),
            ("cal", "call", 1),
            ("clal", "call", 1),
            ("", "abc", 3),
            ("hear", "call", 4),
        ] {
            assert_eq!(slips(a, b), expected, "{a} {b}");
        }
        assert_eq!(
            did_you_mean("pres", ["press", "pause"]).as_deref(),
            Some("did you mean \"press\"?")
        );
        assert_eq!(did_you_mean("dance", ["press", "pause"]), None);
    }

    #[test]
    fn places_count_characters() {
        let findings = Findings::new("a\n\u{e9}\u{e9}x");
        assert_eq!(findings.place(0), (1, 1));
        assert_eq!(findings.place(6), (2, 3));
    }
}
