//! The script of a run: from its file, from standard input, or as the journal kept it.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result, ResultExt};
use crate::journal::RunRow;

/// A script, read.
pub(super) struct Script {
    /// As it was typed.
    pub name: String,
    pub source: Vec<u8>,
    /// Where `require` looks first.
    pub dir: PathBuf,
    /// Its file, absolute; nothing for standard input.
    pub file: Option<PathBuf>,
}

impl Script {
    /// Reads the script that was typed; `-` is standard input.
    ///
    /// # Errors
    /// Usage, for a file that cannot be read; io.
    pub fn load(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            let mut source = Vec::new();
            std::io::stdin()
                .read_to_end(&mut source)
                .or_kind(Kind::Io, || "cannot read the script from standard input")?;
            return Ok(Self::of_text("stdin", source, PathBuf::from(".")));
        }
        let name = path.display().to_string();
        let source = std::fs::read(path).map_err(|fault| {
            let error = Error::usage(format!("cannot read the script `{name}`")).because(fault);
            error.hint("agentlua run SCRIPT.lua, or `-` for standard input")
        })?;
        let file = std::path::absolute(path).or_kind(Kind::Io, || "the script has no path")?;
        Ok(Self { file: Some(file), ..Self::of_text(&name, source, folder_of(path)) })
    }

    /// Reads the script of an earlier run, which is about to run where it ran: as it is now, or where its
    /// file is gone, as it was, which the second value tells.
    ///
    /// # Errors
    /// Usage, for a file that is there and cannot be read.
    pub fn of(earlier: &RunRow) -> Result<(Self, bool)> {
        let command = earlier.command.as_ref().ok_or_else(|| {
            Error::usage(format!("nothing is known of how `{}` was started", earlier.id))
        })?;
        let kept = command.source.clone().into_bytes();
        let Some(file) = command.script.as_ref().map(PathBuf::from) else {
            return Ok((Self::of_text(&earlier.script, kept, PathBuf::from(".")), true));
        };
        let (source, is_copy) = match std::fs::read(&file) {
            Ok(source) => (source, false),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => (kept, true),
            Err(fault) => {
                let why = format!("cannot read the script `{}`", file.display());
                return Err(Error::usage(why).because(fault));
            }
        };
        let dir = folder_of(Path::new(&earlier.script));
        let script = Self::of_text(&earlier.script, source, dir);
        Ok((Self { file: Some(file), ..script }, is_copy))
    }

    /// Names it by its whole path: one that is run elsewhere than where it was typed.
    pub fn anchored(mut self) -> Self {
        if let Some(file) = &self.file {
            self.name = file.display().to_string();
            self.dir = folder_of(file);
        }
        self
    }

    fn of_text(name: &str, source: Vec<u8>, dir: PathBuf) -> Self {
        Self { name: name.to_owned(), source, dir, file: None }
    }
}

fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}
