//! What was measured, as Markdown for people and as JSON for programs.

use std::fmt;

use serde_json::{Value, json};

/// One table: a title, what its columns are, and rows of a name and cells.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// What to know about it.
    pub note: String,
    /// The heads of the columns behind the name.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A name and its cells.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the cells are about.
    pub name: String,
    /// One for each column.
    pub cells: Vec<Cell>,
}

/// What stands in a table.
#[derive(Clone, Debug)]
pub enum Cell {
    /// A figure.
    Number(f64),
    /// A ratio of two figures of this run.
    Ratio(f64),
    /// Words, such as why there is no figure.
    Text(String),
    /// Nothing.
    Empty,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(title: &str, note: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(ToString::to_string).collect();
        Self { title: title.to_owned(), note: note.to_owned(), columns, rows: Vec::new() }
    }

    /// One more row.
    pub fn row(&mut self, name: &str, cells: Vec<Cell>) {
        self.rows.push(Row { name: name.to_owned(), cells });
    }

    /// As JSON: an object of rows, each an object of cells.
    #[must_use]
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            let cells = self.columns.iter().zip(&row.cells);
            let cells = cells.map(|(column, cell)| (column.clone(), cell.json()));
            (row.name.clone(), Value::Object(cells.collect()))
        };
        let rows: serde_json::Map<String, Value> = self.rows.iter().map(row).collect();
        json!({ "title": self.title, "note": self.note, "rows": rows })
    }
}

impl Cell {
    fn json(&self) -> Value {
        match self {
            Self::Number(number) | Self::Ratio(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::Empty => Value::Null,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) if number.abs() >= 100.0 => write!(f, "{number:.0}"),
            Self::Number(number) => write!(f, "{number:.1}"),
            Self::Ratio(ratio) => write!(f, "{ratio:.2}×"),
            Self::Text(text) => f.write_str(text),
            Self::Empty => Ok(()),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.title, self.note)?;
        writeln!(f, "| | {} |", self.columns.join(" | "))?;
        writeln!(f, "|---|{}", "---:|".repeat(self.columns.len()))?;
        for Row { name, cells } in &self.rows {
            let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
            writeln!(f, "| {name} | {} |", cells.join(" | "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_the_same_as_markdown_and_as_json() {
        let mut table = Table::new("T", "n", &["a", "b"]);
        table.row("x", vec![Cell::Number(1234.4), Cell::Text("none".to_owned())]);
        assert!(table.to_string().contains("| x | 1234 | none |"));
        assert_eq!(table.json()["rows"]["x"], json!({ "a": 1234.4, "b": "none" }));
    }
}
