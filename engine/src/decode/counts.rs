//! What became of lines.

/// What was read so far. Every line is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that are records of the table that is read.
    pub rows: u64,
    /// Lines that are no records.
    pub rejects: u64,
    /// Lines of nothing but spaces, tabs and carriage returns.
    pub blank_lines: u64,
    /// Lines of a CDN log that begin with `#`.
    pub headers: u64,
    /// Lines of log objects, or records, of another kind than the table that is read. They were not looked at any further.
    pub others: u64,
}

impl Counts {
    /// Lines that are neither blank nor headers.
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
