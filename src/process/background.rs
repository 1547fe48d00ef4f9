//! Ourselves in the background: a process that goes on when its parent and its terminal are gone.
//!
//! It leaves its parent's session by its own first step ([`leave_session`]) and not between fork and exec,
//! so it must not lead a process group: it is no child of the kinds that end with the host.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The argument that makes our binary one in the background; what follows it is the command line's to say.
pub const BACKGROUND_ARG: &str = "__background";

/// A process that was sent into the background.
pub struct Background(Child);

impl Background {
    /// Starts `program` in `cwd`. It reads `stdin`, or nothing, and writes both its outputs to `output`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        program: &Path,
        args: &[OsString],
        cwd: &Path,
        stdin: Option<File>,
        output: File,
    ) -> io::Result<Self> {
        let errors = output.try_clone()?;
        Command::new(program)
            .arg0("agentlua")
            .arg(BACKGROUND_ARG)
            .args(args)
            .current_dir(cwd)
            .stdin(stdin.map_or_else(Stdio::null, Stdio::from))
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map(Self)
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Returns its exit code if it has ended; 128 and the signal if one ended it.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn exit_code(&mut self) -> io::Result<Option<i32>> {
        let code = |status: std::process::ExitStatus| {
            status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
        };
        Ok(self.0.try_wait()?.map(code))
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Leaves the session of whoever started this process, and with it its terminal.
///
/// # Errors
/// When this process leads a process group.
pub fn leave_session() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}
