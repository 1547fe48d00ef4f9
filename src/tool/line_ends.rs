//! Line ends: models see and write LF, and files keep what they have.

/// Bytes with every CRLF made LF, and where that was done.
pub(super) struct Unix {
    /// The bytes with LF.
    pub(super) bytes: Vec<u8>,
    /// Where in `bytes` the line feeds stand that had a carriage return before them.
    crlf: Vec<usize>,
}

impl Unix {
    /// Takes the carriage returns out of the CRLFs of `bytes`; others stay.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut unix = Self { bytes: Vec::with_capacity(bytes.len()), crlf: Vec::new() };
        let mut rest = bytes.iter().copied().peekable();
        while let Some(byte) = rest.next() {
            if byte == b'\r' && rest.peek() == Some(&b'\n') {
                unix.crlf.push(unix.bytes.len());
            } else {
                unix.bytes.push(byte);
            }
        }
        unix
    }

    /// Returns the position in the original that `position` in `bytes` stands for; at a line end
    /// that is before its carriage return.
    pub(super) fn original(&self, position: usize) -> usize {
        position + self.crlf.partition_point(|crlf| *crlf < position)
    }

    /// Reports whether most of the lines of `bytes[start..end]` end in CRLF; where no line ends,
    /// the whole decides.
    pub(super) fn is_crlf(&self, start: usize, end: usize) -> bool {
        let before = |position| self.crlf.partition_point(|crlf| *crlf < position);
        match line_ends(&self.bytes[start..end]) {
            0 => self.crlf.len() * 2 > line_ends(&self.bytes),
            lines => (before(end) - before(start)) * 2 > lines,
        }
    }

    /// Reports whether there are lines and all end in CRLF.
    pub(super) fn is_all_crlf(&self) -> bool {
        !self.crlf.is_empty() && self.crlf.len() == line_ends(&self.bytes)
    }
}

fn line_ends(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// Returns `bytes`, in which every line ends in LF, with CRLF.
pub(super) fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut crlf = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'\n' {
            crlf.push(b'\r');
        }
        crlf.push(byte);
    }
    crlf
}
