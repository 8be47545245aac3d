//! Tables for a terminal.

use std::io::{Write, stdout};

/// Prints titles and rows in columns that are as wide as they have to be.
pub(super) fn print<const N: usize>(titles: [&str; N], rows: Vec<[String; N]>) -> std::io::Result<()> {
    let mut all = vec![titles.map(str::to_owned)];
    all.extend(rows);
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = stdout().lock();
    for row in &all {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{:width$}", printable(cell)));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// What peers have said may hold what moves a terminal's cursor.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
