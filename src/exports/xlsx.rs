//! Leads as a workbook: texts are texts there, whatever they begin with.

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::{
    ExportError, Row, TITLES,
    columns::{Cell, cells},
};

/// Characters of a cell, as UTF-16 counts them.
const LONGEST: usize = 32_767;

/// A workbook that grows.
pub struct Xlsx {
    workbook: Workbook,
    rows: u32,
}

impl Xlsx {
    /// A workbook with the titles.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn new() -> Result<Self, ExportError> {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name("Leads")?;
        sheet.set_freeze_panes(1, 0)?;
        let bold = Format::new().set_bold();
        for (column, title) in (0..).zip(TITLES) {
            let width = if title.ends_with("Score") || title.contains("Confidence") { 12 } else { 22 };
            sheet.set_column_width(column, width)?;
            sheet.write_string_with_format(0, column, title, &bold)?;
        }
        Ok(Self { workbook, rows: 0 })
    }

    /// Adds a lead.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn add(&mut self, row: Row<'_>) -> Result<(), ExportError> {
        self.rows += 1;
        let at = self.rows;
        let sheet = self.workbook.worksheet_from_index(0)?;
        for (column, cell) in (0..).zip(cells(row)) {
            write(sheet, at, column, cell)?;
        }
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn into_bytes(mut self) -> Result<Vec<u8>, ExportError> {
        let last = u16::try_from(TITLES.len() - 1).unwrap_or(u16::MAX);
        let sheet = self.workbook.worksheet_from_index(0)?;
        sheet.autofilter(0, 0, self.rows.max(1), last)?;
        Ok(self.workbook.save_to_buffer()?)
    }
}

fn write(sheet: &mut Worksheet, row: u32, column: u16, cell: Cell) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => return Ok(()),
        Cell::Text(text) => sheet.write_string(row, column, shortened(&text))?,
        Cell::Number(number) => sheet.write_number(row, column, number)?,
        Cell::Flag(flag) => sheet.write_string(row, column, if flag { "Yes" } else { "No" })?,
    };
    Ok(())
}

/// As much as a cell holds.
fn shortened(text: &str) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|char| {
            units += char.len_utf16();
            units <= LONGEST
        })
        .collect()
}

impl From<XlsxError> for ExportError {
    fn from(error: XlsxError) -> Self {
        Self::Unwritable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn a_workbook_is_made_of_leads_and_of_none() {
        let (campaign, mut prospect, findings) = sample::lead();
        prospect.name = "=1+1".repeat(20_000);
        let mut xlsx = Xlsx::new().unwrap();
        xlsx.add(Row { campaign: &campaign, prospect: &prospect, findings: &findings, cost: 0.017 }).unwrap();
        let full = xlsx.into_bytes().unwrap();
        let empty = Xlsx::new().unwrap().into_bytes().unwrap();
        assert!(full.starts_with(b"PK") && empty.starts_with(b"PK") && full.len() > empty.len());
    }

    #[test]
    fn a_long_text_ends_with_a_whole_character() {
        let text = shortened(&"😀".repeat(20_000));
        assert_eq!(text.encode_utf16().count(), LONGEST - 1);
    }
}
