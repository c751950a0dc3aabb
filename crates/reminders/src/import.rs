//! Reminders from CSV (RFC 4180): a header with the field names of [`Draft`], then one
//! reminder a row. Columns named `var.NAME` are variables of the text.

use csv::{ByteRecord, Position};
use jiff::Timestamp;

use crate::draft::{Checked, Defaults, Draft, FieldError, shown};

/// Rows of one import at most.
pub const MAX_ROWS: usize = 50_000;

/// What is wrong with a cell, a row or the whole file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct CellError {
    /// The line in which the row begins, from 1: the header's.
    pub line: u64,
    /// The column's name, or its number from 1 if it has none; empty for the whole row.
    pub column: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// What is in a file.
#[derive(Debug, Default)]
pub struct Import {
    /// Rows that hold, with the line each begins in.
    pub good: Vec<(u64, Checked)>,
    /// All that is wrong, in the order of the file.
    pub errors: Vec<CellError>,
}

/// Reads a whole file; every row is looked at, whatever is wrong with others.
pub fn read(file: &[u8], defaults: &Defaults, now: Timestamp) -> Import {
    let mut import = Import::default();
    let file = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(file);
    let mut rows = reader.byte_records();
    let Some(Ok(header)) = rows.next() else {
        import.errors.push(whole(1, "the file is empty"));
        return import;
    };
    let columns = columns(&header, &mut import.errors);
    if !import.errors.is_empty() {
        return import;
    }
    let mut lines = Lines::new(file);
    // A slice can't fail to be read, and any number of columns is taken.
    for (number, row) in rows.map_while(Result::ok).enumerate() {
        let line = lines.of(&row);
        if number == MAX_ROWS {
            let problem = format!("more than {MAX_ROWS} rows; split the file");
            import.errors.push(whole(line, &problem));
            break;
        }
        read_row(line, &row, &columns, defaults, now, &mut import);
    }
    import
}

fn whole(line: u64, problem: &str) -> CellError {
    CellError {
        line,
        column: String::new(),
        problem: problem.to_owned(),
    }
}

/// Which line a byte is in; bytes are asked for in their order.
struct Lines<'a> {
    file: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(file: &'a [u8]) -> Self {
        Self {
            file,
            at: 0,
            line: 1,
        }
    }

    /// The line in which a row begins. Its position may be that of line breaks before it.
    fn of(&mut self, row: &ByteRecord) -> u64 {
        let begin = row.position().map_or(0, Position::byte);
        let mut begin = usize::try_from(begin).unwrap_or(usize::MAX);
        while matches!(self.file.get(begin), Some(b'\r' | b'\n')) {
            begin += 1;
        }
        let passed = self.file.get(self.at..begin).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = self.at.max(begin);
        self.line
    }
}

/// A column that means something.
#[derive(Clone, Copy)]
enum Meaning {
    Text(fn(&mut Draft) -> &mut Option<String>),
    Number(fn(&mut Draft) -> &mut Option<u32>),
    Variable,
}

struct Column {
    name: String,
    meaning: Meaning,
}

const FIELDS: [(&str, Meaning); 16] = [
    ("phone", Meaning::Text(|draft| &mut draft.phone)),
    ("user", Meaning::Text(|draft| &mut draft.user)),
    ("from", Meaning::Text(|draft| &mut draft.from)),
    ("at", Meaning::Text(|draft| &mut draft.at)),
    ("zone", Meaning::Text(|draft| &mut draft.zone)),
    ("expires", Meaning::Text(|draft| &mut draft.expires)),
    ("text", Meaning::Text(|draft| &mut draft.text)),
    ("prompt", Meaning::Text(|draft| &mut draft.prompt)),
    ("attempts", Meaning::Number(|draft| &mut draft.attempts)),
    (
        "spacingMinutes",
        Meaning::Number(|draft| &mut draft.spacing_minutes),
    ),
    ("quietFrom", Meaning::Text(|draft| &mut draft.quiet_from)),
    ("quietTo", Meaning::Text(|draft| &mut draft.quiet_to)),
    ("confirmKey", Meaning::Text(|draft| &mut draft.confirm_key)),
    (
        "postponeKey",
        Meaning::Text(|draft| &mut draft.postpone_key),
    ),
    (
        "postponeMinutes",
        Meaning::Number(|draft| &mut draft.postpone_minutes),
    ),
    ("reference", Meaning::Text(|draft| &mut draft.reference)),
];

fn columns(header: &ByteRecord, errors: &mut Vec<CellError>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for (index, name) in header.iter().enumerate() {
        let name = String::from_utf8_lossy(name).trim().to_owned();
        let field = FIELDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name));
        let variable = name.strip_prefix("var.");
        let (name, meaning, problem) = match (field, variable) {
            (Some((known, meaning)), _) => ((*known).to_owned(), *meaning, None),
            (None, Some(variable)) => (variable.to_owned(), Meaning::Variable, None),
            (None, None) => (name, Meaning::Variable, Some(unknown())),
        };
        let again = columns.iter().any(|other| other.name == name);
        let problem = problem.or_else(|| again.then(|| "is there twice".to_owned()));
        if let Some(problem) = problem {
            errors.push(CellError {
                line: 1,
                column: named(&name, index),
                problem,
            });
        }
        columns.push(Column { name, meaning });
    }
    columns
}

fn unknown() -> String {
    let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    format!(
        "unknown; there are: {}, and var.NAME for variables",
        known.join(", ")
    )
}

fn named(name: &str, index: usize) -> String {
    if name.is_empty() {
        (index + 1).to_string()
    } else {
        shown(name)
    }
}

fn read_row(
    line: u64,
    row: &ByteRecord,
    columns: &[Column],
    defaults: &Defaults,
    now: Timestamp,
    import: &mut Import,
) {
    let before = import.errors.len();
    let mut draft = Draft::default();
    if row.len() != columns.len() {
        let problem = format!(
            "has {} columns, the header has {}",
            row.len(),
            columns.len()
        );
        import.errors.push(whole(line, &problem));
        return;
    }
    for (cell, column) in row.iter().zip(columns) {
        if let Err(problem) = fill(&mut draft, column, cell) {
            import.errors.push(CellError {
                line,
                column: shown(&column.name),
                problem,
            });
        }
    }
    let checked = draft.check(defaults, now);
    match checked {
        Ok(checked) if import.errors.len() == before => import.good.push((line, checked)),
        Ok(_) => {}
        Err(problems) => {
            let known = import.errors.split_off(before);
            import.errors.extend(merged(line, known, problems));
        }
    }
}

/// What could not be read, and what else is wrong; a cell is reported once.
fn merged(line: u64, known: Vec<CellError>, problems: Vec<FieldError>) -> Vec<CellError> {
    let mut errors = known;
    for FieldError { field, problem } in problems {
        if !errors.iter().any(|error| error.column == field) {
            errors.push(CellError {
                line,
                column: field,
                problem,
            });
        }
    }
    errors
}

/// An empty cell says nothing.
fn fill(draft: &mut Draft, column: &Column, cell: &[u8]) -> Result<(), String> {
    let cell = std::str::from_utf8(cell).map_err(|_| "is not UTF-8".to_owned())?;
    let cell = cell.trim();
    match column.meaning {
        _ if cell.is_empty() => {}
        Meaning::Text(field) => *field(draft) = Some(cell.to_owned()),
        Meaning::Number(field) => {
            let number = cell.parse();
            let problem = |_| format!("'{}' is no whole number", shown(cell));
            *field(draft) = Some(number.map_err(problem)?);
        }
        Meaning::Variable => {
            let name = column.name.clone();
            draft.variables.insert(name, cell.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::draft::tests::{NOW, defaults};

    fn import(file: &str) -> Import {
        read(file.as_bytes(), &defaults(), NOW.parse().unwrap())
    }

    fn errors(import: &Import) -> Vec<String> {
        import.errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_become_reminders() {
        let import = import(
            "\u{feff}Phone,at,text,var.name,attempts\r\n\
             +4915112345678,2026-05-01T09:00,\"Hello {name},\nplease come\",Zoë,\r\n\
             +4915112345679,2026-05-01T10:00,\"Hello {name}\",Ada,5\r\n",
        );
        assert_eq!(errors(&import), Vec::<String>::new());
        let lines: Vec<u64> = import.good.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4]);
        assert_eq!(import.good[1].1.spec.retry.attempts, 5);
        assert_eq!(import.good[0].1.spec.retry.attempts, 3);
    }

    #[test]
    fn every_mistake_has_its_line_and_column() {
        let import = import(
            "phone,at,text,attempts\n\
             0151,2026-05-01T09:00,Hello,many\n\
             +4915112345678,2025-05-01T09:00,Hello {you},\n\
             +4915112345678,2026-05-01T09:00\n\
             +4915112345678,2026-05-01T09:00,Hello,2\n",
        );
        insta::assert_snapshot!(errors(&import).join("\n"), @"
        line 2, column attempts: 'many' is no whole number
        line 2, column phone: a phone number is '+', the country code and the number: 7 to 15 digits, no spaces
        line 3, column at: is in the past
        line 3, column text: the variable 'you' has no value
        line 4, column : has 2 columns, the header has 4
        ");
        assert_eq!(import.good.len(), 1);
        assert_eq!(import.good[0].0, 5);
    }

    #[test]
    fn headers_are_checked_first() {
        let import = import("phone,at,Text,colour,at,\n1,2,3,4,5,6\n");
        let told = errors(&import);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("line 1, column colour: unknown"));
        assert_eq!(told[1], "line 1, column at: is there twice");
        assert!(told[2].starts_with("line 1, column 6: unknown"));
        assert!(import.good.is_empty());
        assert_eq!(
            errors(&super::tests::import("")),
            ["line 1, column : the file is empty"]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(file in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut whole = b"phone,at,text\n".to_vec();
            whole.extend(file);
            let _ = read(&whole, &defaults(), NOW.parse().unwrap());
        }
    }
}
