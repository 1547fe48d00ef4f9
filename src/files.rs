//! Files of a script: whole writes by rename, names in order.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The largest file that is read whole: as much as a script may have in memory.
const MAX_READ: u64 = 1 << 30;

/// Reads a regular file whole. Pipes and devices may never end, and nothing could interrupt that.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::Error::other("it is a directory"));
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file; `io.open` reads pipes and devices"));
    }
    if metadata.len() > MAX_READ {
        return Err(io::Error::other("it is larger than 1 GiB"));
    }
    std::fs::read(path)
}

/// Replaces or creates a file whole: a reader sees the old content or the new.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    // Through a link the file it names is written; a pipe or device cannot be renamed over.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let replaced = match std::fs::metadata(&target) {
        Ok(metadata) if !metadata.is_file() => return std::fs::write(&target, content),
        Ok(metadata) => Some(metadata.permissions()),
        Err(_) => None,
    };
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory
        .unwrap_or(Path::new("."))
        .join(format!(".{name}.agentlua-{}", std::process::id()));
    let written = std::fs::write(&temporary, content)
        .and_then(|()| replaced.map_or(Ok(()), |mode| std::fs::set_permissions(&temporary, mode)))
        .and_then(|()| std::fs::rename(&temporary, &target));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Adds to the end of a file, which is made if it is not there.
pub fn append(path: &Path, content: &[u8]) -> io::Result<()> {
    std::fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(content)
}

/// Returns the names in a directory, sorted.
pub fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Returns the files beneath `base` that match `pattern` (`src/**/*.rs`), sorted. Hidden and ignored
/// files are there too: a script names what it wants; `.git` is not.
pub fn glob(base: &Path, pattern: &str) -> Result<Vec<String>, String> {
    let matcher = globset::GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|fault| fault.kind().to_string())?
        .compile_matcher();
    // The part before the first wildcard is where the search begins.
    let fixed: PathBuf = Path::new(pattern)
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']))
        .collect();
    let start = base.join(&fixed);
    let walk = ignore::WalkBuilder::new(&start)
        .standard_filters(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let absolute = Path::new(pattern).is_absolute();
    let mut found: Vec<String> = walk
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| !kind.is_dir()))
        .filter_map(|entry| {
            let path = entry.path();
            let shown = if absolute { path } else { path.strip_prefix(base).unwrap_or(path) };
            matcher.is_match(shown).then(|| shown.to_string_lossy().into_owned())
        })
        .collect();
    found.sort();
    Ok(found)
}

/// Returns the files beneath `base` whose names end with `suffix`, sorted, and what could not be read.
/// Hidden files and those that git ignores are left out.
pub fn beneath(base: &Path, suffix: &str) -> (Vec<PathBuf>, Vec<String>) {
    let (mut found, mut passed_over) = (Vec::new(), Vec::new());
    for entry in ignore::WalkBuilder::new(base).build() {
        match entry {
            Ok(entry) => {
                let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
                if is_file && entry.file_name().to_string_lossy().ends_with(suffix) {
                    found.push(entry.into_path());
                }
            }
            Err(fault) => passed_over.push(fault.to_string()),
        }
    }
    found.sort();
    (found, passed_over)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn globs_name_files_beneath_the_base() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.rs", "src/b.rs", "src/deep/c.rs", "src/d.txt", ".git/e.rs"] {
            std::fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let glob = |pattern: &str| glob(dir.path(), pattern).unwrap();
        assert_eq!(glob("**/*.rs"), ["a.rs", "src/b.rs", "src/deep/c.rs"]);
        assert_eq!(glob("src/*.rs"), ["src/b.rs"]);
        assert_eq!(glob("*.{rs,txt}"), ["a.rs"]);
        assert_eq!(glob("src/d.txt"), ["src/d.txt"]);
        assert!(super::glob(dir.path(), "[").is_err());
    }

    #[test]
    fn writing_keeps_mode_and_links() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("f"), dir.path().join("l"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("f", &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(list(dir.path()).unwrap(), ["f", "l"]);
        assert_eq!(read(&link).unwrap(), b"new");
        assert!(read(Path::new("/dev/zero")).is_err() && read(dir.path()).is_err());
    }
}
