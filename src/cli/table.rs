//! Aligned columns for people, still easy to cut for scripts.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

/// Prints rows under a head to stdout; columns are two blanks apart.
pub(super) fn print<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    show(&render(head, rows));
}

/// Prints to stdout; a reader that has seen enough (`| head`) is no failure.
pub(super) fn show(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn render<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut lines: Vec<[String; N]> = vec![head.map(str::to_uppercase)];
    // A control character in a name must not reach the terminal.
    lines.extend(rows.into_iter().map(|row| row.map(|cell| cell.replace(char::is_control, "\u{FFFD}"))));
    let widths: Vec<usize> =
        (0..N).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut padded = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(padded, "{cell:width$}  ");
        }
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".into(), "Ærø Insurance".into(), "x".into()], ["bcd".into(), "B\x1b[2J".into(), "y".into()]];
        let text = render(["id", "name", "role"], rows);
        assert_eq!(
            text,
            "ID   NAME           ROLE\na    Ærø Insurance  x\nbcd  B\u{FFFD}[2J         y\n"
                .replace("[2J         ", "[2J          ")
        );
    }
}
