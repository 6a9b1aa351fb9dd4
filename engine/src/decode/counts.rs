//! Counts of lines by outcome.

/// Counts of the lines read so far. Every line is counted exactly once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of the table being read.
    pub rows: u64,
    /// Lines that do not parse as a record.
    pub rejects: u64,
    /// Lines that consist only of spaces, tabs and carriage returns.
    pub blank_lines: u64,
    /// Lines of a CDN log that start with `#`.
    pub headers: u64,
    /// Lines or records of another kind than the table being read. They are not examined further.
    pub others: u64,
}

impl Counts {
    /// Number of lines that are neither blank nor headers.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.rows + self.rejects + self.others
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.rejects += other.rejects;
        self.blank_lines += other.blank_lines;
        self.headers += other.headers;
        self.others += other.others;
    }
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            rows: self.rows - before.rows,
            rejects: self.rejects - before.rejects,
            blank_lines: self.blank_lines - before.blank_lines,
            headers: self.headers - before.headers,
            others: self.others - before.others,
        }
    }
}
