//! What is wrong with a flow, and where.

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

/// All that is wrong with a flow, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Gathers problems of one text.
pub(super) struct Report<'a> {
    text: &'a str,
    found: Vec<(usize, Problem)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, place: Range<usize>, message: String, suggestion: Option<String>) {
        let before = self.text.get(..place.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let problem = Problem {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
            suggestion,
        };
        self.found.push((place.start, problem));
    }

    /// The file isn't a flow at all.
    pub(super) fn unreadable(mut self, error: &toml::de::Error) -> Problems {
        let message = error.message().trim().to_owned();
        let suggestion = suggest_field(&message);
        self.add(error.span().unwrap_or(0..0), message, suggestion);
        self.into_problems()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn into_problems(mut self) -> Problems {
        self.found.sort_by_key(|(at, _)| *at);
        Problems(self.found.into_iter().map(|(_, problem)| problem).collect())
    }
}

/// serde names the fields it knows in backquotes, the unknown one first.
fn suggest_field(message: &str) -> Option<String> {
    let mut names = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = names.next()?;
    did_you_mean(unknown, names)
}

/// The candidate that is closest, if it is close enough to be a slip.
pub(super) fn did_you_mean<'a>(
    written: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let slips = |candidate: &&str| distance(written, candidate);
    let closest = candidates.min_by_key(slips)?;
    let allowed = written.chars().count().div_ceil(3).max(1);
    (distance(written, closest) <= allowed).then(|| format!("did you mean \"{closest}\"?"))
}

/// Damerau–Levenshtein distance (optimal string alignment): insertions, deletions,
/// replacements and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
