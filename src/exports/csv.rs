//! Leads as CSV: UTF-8, RFC 4180, with a mark at the beginning by which spreadsheets know that.

use super::{
    ExportError, Row, TITLES,
    columns::{Cell, cells},
};

/// Without it Excel takes the file for one in the machine's own character set.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file that grows.
pub struct Csv {
    writer: csv::Writer<Vec<u8>>,
}

impl Csv {
    /// A file with the titles.
    ///
    /// # Errors
    /// If it can't be written, which memory always can.
    pub fn new() -> Result<Self, ExportError> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(MARK.to_vec());
        writer.write_record(TITLES)?;
        Ok(Self { writer })
    }

    /// Adds a lead.
    ///
    /// # Errors
    /// As above.
    pub fn add(&mut self, row: Row<'_>) -> Result<(), ExportError> {
        Ok(self.writer.write_record(cells(row).map(text))?)
    }

    /// What was added since the last time, so that a long file can leave piece by piece.
    ///
    /// # Errors
    /// As above.
    pub fn take(&mut self) -> Result<Vec<u8>, ExportError> {
        let empty = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let written = std::mem::replace(&mut self.writer, empty).into_inner();
        written.map_err(|error| ExportError::Unwritable(error.error().to_string()))
    }
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> Self {
        Self::Unwritable(error.to_string())
    }
}

fn text(cell: Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => harmless(text),
        Cell::Number(number) => number.to_string(),
        Cell::Flag(true) => "Yes".to_owned(),
        Cell::Flag(false) => "No".to_owned(),
    }
}

/// A text that no spreadsheet takes for a formula. A telephone number is none, whatever it is taken for.
fn harmless(text: String) -> String {
    let is_number = text
        .strip_prefix('+')
        .is_some_and(|rest| (6..=15).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_digit()));
    if is_number || !text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        return text;
    }
    format!("'{text}")
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn a_file_is_read_back_as_it_was_meant() {
        let (campaign, mut prospect, findings) = sample::lead();
        prospect.name = "Joe's, \"Grill\"\n& Söhne 😀".to_owned();
        let mut csv = Csv::new().unwrap();
        let row = Row { campaign: &campaign, prospect: &prospect, findings: &findings, cost: 0.017 };
        csv.add(row).unwrap();
        let mut file = csv.take().unwrap();
        csv.add(row).unwrap();
        file.extend(csv.take().unwrap());
        assert!(file.starts_with(MARK));
        let mut reader = csv::Reader::from_reader(&file[MARK.len()..]);
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), TITLES);
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!((rows.len(), &rows[0]), (2, &rows[1]));
        assert_eq!(
            (&rows[0][4], &rows[0][7], &rows[0][22], &rows[0][24]),
            (&*prospect.name, "+16195550100", "81", "Yes")
        );
        assert_eq!(&rows[0][31], "0.017");
    }

    #[test]
    fn nothing_is_a_formula() {
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "+1619=1", "+"]
        {
            assert_eq!(harmless(formula.to_owned()), format!("'{formula}"));
        }
        for text in ["", "Harbor Grill", "a=b", "+16195550100", "info@harbor.example", "'=1"] {
            assert_eq!(harmless(text.to_owned()), text);
        }
    }
}
