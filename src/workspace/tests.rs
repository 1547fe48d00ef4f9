//! Real directories with everything in them that a file tool must not fall for.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::disk::Disk;
use super::*;

/// A workspace `work` beside a directory `outside` that holds a secret.
struct Place {
    dir: TempDir,
    disk: Disk,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["work/sub", "outside"] {
            fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        fs::write(dir.path().join("outside/file"), "secret").unwrap();
        fs::write(dir.path().join("work/sub/file"), "inside").unwrap();
        let disk = Disk::open(&dir.path().join("work")).unwrap();
        Self { dir, disk }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("work").join(path)
    }

    fn read(&self, path: &str) -> Result<String, Denied> {
        let mut text = String::new();
        let mut file = self.disk.open(&self.disk.path(path)?)?;
        file.read_to_string(&mut text).map_err(|error| Denied::Io(error.to_string()))?;
        Ok(text)
    }

    fn write(&self, path: &str, content: &str) -> Result<(), Denied> {
        self.disk.write(&self.disk.path(path)?, content.as_bytes())
    }

    fn files(&self, base: &str) -> Vec<String> {
        let mut files = Vec::new();
        let base = self.disk.path(base).unwrap();
        self.disk
            .walk(&base, &mut |path| {
                files.push(path.to_string());
                true
            })
            .unwrap();
        files.sort();
        files
    }
}

#[track_caller]
fn assert_refused<T>(result: Result<T, Denied>, rule: &str) {
    match result {
        Err(Denied::Refused(why)) if why.contains(rule) => {}
        Err(other) => panic!("{other:?} is not refused for `{rule}`"),
        Ok(_) => panic!("not refused for `{rule}`"),
    }
}

#[test]
fn absolute_paths_count_from_the_root_in_both_its_forms() {
    let place = Place::new();
    let link = place.dir.path().join("link");
    symlink(place.at(""), &link).unwrap();
    let disk = Disk::open(&link).unwrap();
    for root in [&link, &disk.root().to_owned()] {
        let path = disk.path(root.join("sub/file").to_str().unwrap()).unwrap();
        assert_eq!(path.to_string(), "sub/file");
        assert!(disk.path(root.to_str().unwrap()).unwrap().is_root());
        assert_refused(disk.path(root.join("../outside/file").to_str().unwrap()), "leads out");
    }
    let beside = format!("{}-2/file", link.display());
    assert_refused(disk.path(&beside), "is outside the workspace");
    assert_refused(disk.path("/etc/passwd"), "`/etc/passwd` is outside the workspace");
    assert_refused(disk.path("~/.ssh/id"), "not expanded");
}

#[test]
fn symlinks_are_followed_inside_and_refused_outside() {
    let place = Place::new();
    symlink("sub", place.at("near")).unwrap();
    symlink("../sub/file", place.at("sub/again")).unwrap();
    symlink("../outside", place.at("far")).unwrap();
    symlink(place.dir.path().join("outside/file"), place.at("direct")).unwrap();
    symlink("circle", place.at("circle")).unwrap();
    symlink("nothing", place.at("dangling")).unwrap();
    assert_eq!(place.read("near/file").unwrap(), "inside");
    assert_eq!(place.read("sub/again").unwrap(), "inside");
    for path in ["far/file", "direct"] {
        assert_refused(place.read(path), "leads out");
        assert_refused(place.write(path, "x"), "leads out");
        assert_refused(place.disk.metadata(&WorkPath::new(path).unwrap()), "leads out");
    }
    assert_refused(place.write("far/new/file", "x"), "leads out");
    assert_refused(place.read("circle"), "in a circle");
    assert_refused(place.write("dangling", "x"), "does not exist");
    assert!(!place.at("nothing").exists());
    assert_eq!(fs::read_to_string(place.dir.path().join("outside/file")).unwrap(), "secret");
}

#[test]
fn git_is_out_of_reach_by_name_and_by_symlink() {
    let place = Place::new();
    fs::create_dir(place.at(".git")).unwrap();
    fs::write(place.at(".git/config"), "").unwrap();
    symlink(".git", place.at("door")).unwrap();
    for path in [".git/config", ".GIT/config", "sub/../.git/config", "door/config", "door/hooks/x"]
    {
        assert_refused(place.read(path), "`.git`");
        assert_refused(place.write(path, "x"), "`.git`");
    }
    assert!(!place.at(".git/hooks").exists());
}

#[test]
fn only_regular_files_are_opened_and_nothing_waits() {
    let place = Place::new();
    let node = |name: &str, kind, device| {
        rustix::fs::mknodat(CWD, place.at(name), kind, Mode::RWXU, device)
    };
    node("fifo", FileType::Fifo, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.at("socket")).unwrap();
    // Making a device takes privileges that not every tester has.
    let device = node("zero", FileType::CharacterDevice, rustix::fs::makedev(1, 5)).is_ok();
    let mut kinds = vec![("fifo", "FIFO"), ("socket", "socket"), ("sub", "is a directory")];
    kinds.extend(device.then_some(("zero", "device")));
    for (path, kind) in kinds {
        assert_refused(place.read(path), kind);
        assert_refused(place.write(path, "x"), kind);
    }
    assert_refused(place.read("."), "is a directory");
    assert_refused(place.write(".", "x"), "is a directory");
    assert_refused(place.read("sub/file/x"), "as if it were a directory");
    assert_refused(place.write("sub/file/x", "x"), "as if it were a directory");
    assert_refused(place.write(&"n".repeat(300), "x"), "too long");
    assert_eq!(place.read("none"), Err(Denied::NotFound("there is no file `none`".into())));
    let huge = fs::File::create(place.at("huge")).unwrap();
    huge.set_len(5 << 30).unwrap();
    let look = place.disk.metadata(&WorkPath::new("huge").unwrap()).unwrap();
    assert_eq!((look.kind, look.len), (FileKind::File, 5 << 30));
    let mut start = [1; 16];
    place.disk.open(&WorkPath::new("huge").unwrap()).unwrap().read_exact(&mut start).unwrap();
    assert_eq!(start, [0; 16]);
}

#[test]
fn writing_keeps_mode_and_symlink_and_breaks_hard_links() {
    let place = Place::new();
    fs::set_permissions(place.at("sub/file"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::hard_link(place.at("sub/file"), place.dir.path().join("outside/same")).unwrap();
    symlink("sub/file", place.at("link")).unwrap();
    place.write("link", "new").unwrap();
    assert_eq!(fs::read_to_string(place.at("sub/file")).unwrap(), "new");
    assert_eq!(fs::metadata(place.at("sub/file")).unwrap().mode() & 0o7777, 0o751);
    assert!(fs::symlink_metadata(place.at("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(place.dir.path().join("outside/same")).unwrap(), "inside");

    place.write("made/on/the/way/file", "x").unwrap();
    assert_eq!(place.read("made/on/the/way/file").unwrap(), "x");
    let names: Vec<_> = fs::read_dir(place.at("sub")).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "no temporary file is left: {names:?}");
}

#[test]
fn walk_lists_what_git_would() {
    let place = Place::new();
    for (path, text) in [
        (".gitignore", "\u{FEFF}*.log\n/build\nsecret/\n[\n"),
        ("sub/.gitignore", "!keep.log\n/only\n"),
        ("sub/keep.log", ""),
        ("sub/drop.log", ""),
        ("sub/only", ""),
        ("sub/deep/only", ""),
        ("sub/deep/build", ""),
        ("build/out", ""),
        ("build/out.log", ""),
        ("secret/key", ""),
        (".hidden/file", ""),
        ("sub/.git", "gitdir: x"),
        (".git/config", ""),
    ] {
        fs::create_dir_all(place.at(path).parent().unwrap()).unwrap();
        fs::write(place.at(path), text).unwrap();
    }
    fs::write(place.dir.path().join(".gitignore"), "*").unwrap();
    symlink("../../outside", place.at("sub/deep/way")).unwrap();
    let sub = ["sub/.gitignore", "sub/deep/build", "sub/deep/only", "sub/file", "sub/keep.log"];
    assert_eq!(place.files("."), [&[".gitignore", ".hidden/file"], &sub[..]].concat());
    assert_eq!(place.files("sub"), sub);
    assert_eq!(place.files("sub/file"), ["sub/file"]);
    // Named on purpose.
    assert_eq!(place.files("build"), ["build/out", "build/out.log"]);
    let mut count = 0;
    place
        .disk
        .walk(&WorkPath::root(), &mut |_| {
            count += 1;
            count < 3
        })
        .unwrap();
    assert_eq!(count, 3);
    let none = place.disk.walk(&WorkPath::new("none").unwrap(), &mut |_| true);
    assert!(matches!(none, Err(Denied::NotFound(_))));
}

#[test]
fn an_ignore_file_cannot_make_the_walk_wait_or_look_outside() {
    let place = Place::new();
    rustix::fs::mknodat(CWD, place.at(".gitignore"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::write(place.dir.path().join("outside/rules"), "*").unwrap();
    symlink("../../outside/rules", place.at("sub/.gitignore")).unwrap();
    assert_eq!(place.files("."), ["sub/file"]);
}

/// A directory and a symlink to a directory outside change places as fast as they can.
#[test]
fn a_swapped_symlink_never_leads_out() {
    let place = Place::new();
    symlink("../outside", place.at("way")).unwrap();
    let stop = AtomicBool::new(false);
    let (mut counts, mut escapes) = ([0; 4], 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (dir, link) = (place.at("sub"), place.at("way"));
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &dir, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for turn in 0..20_000 {
            let (seen, at) = match turn % 4 {
                0 => (place.write("sub/file", "inside").map(|()| "inside".into()), 0),
                1 => (place.write("sub/made/file", "inside").map(|()| "inside".into()), 0),
                _ => (place.read("sub/file"), 2),
            };
            counts[at + usize::from(seen.is_err())] += 1;
            escapes += usize::from(seen.as_deref() == Ok("secret"));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(escapes, 0);
    assert!(counts.iter().all(|count| *count > 0), "there was no race: {counts:?}");
    let outside: Vec<_> = fs::read_dir(place.dir.path().join("outside")).unwrap().collect();
    assert_eq!(outside.len(), 1, "{outside:?}");
    assert_eq!(fs::read_to_string(place.dir.path().join("outside/file")).unwrap(), "secret");
}

#[test]
fn nothing_is_written_once_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::open(dir.path()).unwrap();
    let path = disk.path("a").unwrap();
    disk.write(&path, b"1").unwrap();
    disk.close();
    assert!(disk.write(&path, b"2").is_err());
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"1");
}

#[test]
fn added_directories_are_named_by_their_whole_paths_and_confine_too() {
    let place = Place::new();
    let added = place.dir.path().join("added");
    for sub in ["added/deep", "added/.git"] {
        fs::create_dir_all(place.dir.path().join(sub)).unwrap();
    }
    fs::remove_dir(added.join(".git")).unwrap();
    fs::write(added.join("file"), "beside").unwrap();
    fs::write(added.join(".gitignore"), "ignored").unwrap();
    fs::write(added.join("ignored"), "").unwrap();
    symlink("../outside", added.join("way")).unwrap();
    let dirs = [added.clone(), added.join("deep")];
    let disk = Disk::open(&place.at("")).unwrap().adding(&dirs, Checkouts::All).unwrap();
    let place = Place { disk, ..place };
    let real = added.canonicalize().unwrap();
    let at = |path: &str| added.join(path).to_str().unwrap().to_owned();

    assert_eq!(place.read(&at("file")).unwrap(), "beside");
    place.write(&at("made/file"), "new").unwrap();
    assert_eq!(fs::read_to_string(added.join("made/file")).unwrap(), "new");
    let path = place.disk.path(&at("file")).unwrap();
    assert_eq!(path.to_string(), real.join("file").display().to_string());
    assert_ne!(path, place.disk.path("file").unwrap());
    assert_eq!(place.disk.path(&at("deep/x")).unwrap().base(), Some(&*real.join("deep")));
    let listed =
        [".gitignore", "file", "made/file"].map(|name| real.join(name).display().to_string());
    assert_eq!(place.files(&at("")), listed);
    // What is written there is not the agent's work.
    place.write("mine", "x").unwrap();
    assert_eq!(place.disk.take_written(), [PathBuf::from("mine")]);

    for path in ["../outside/file", "../added-2/file", "way/file"] {
        assert!(matches!(place.read(&at(path)), Err(Denied::Refused(_))), "{path}");
        assert!(matches!(place.write(&at(path), "x"), Err(Denied::Refused(_))), "{path}");
    }
    assert_refused(place.read(&at(".git/config")), "`.git`");
    assert_refused(place.read("../added/file"), "leads out");
    place.disk.close();
    assert!(place.write(&at("late"), "x").is_err());
}

#[test]
fn checkouts_in_added_directories_are_only_read() {
    let place = Place::new();
    let dir = place.dir.path().canonicalize().unwrap();
    for (path, text) in [
        ("around/main/.git/HEAD", ""),
        ("around/main/sub/file", "kept"),
        ("around/linked/.git", "gitdir: ../main/.git/worktrees/l\n"),
        ("around/main/.git/worktrees/l/commondir", "../..\n"),
        ("around/other/.git/HEAD", ""),
        ("around/main/module/.git", "gitdir: ../.git/modules/m\n"),
        ("around/bare/HEAD", ""),
        ("around/bare/objects/x", ""),
        ("around/bare/refs/x", ""),
    ] {
        fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        fs::write(dir.join(path), text).unwrap();
    }
    symlink("main/sub", dir.join("around/door")).unwrap();
    let disk = |guarded| {
        let disk = Disk::open(&place.at("")).unwrap();
        disk.adding(&[dir.join("around")], guarded).unwrap()
    };
    let write = |disk: &Disk, name: &str| {
        let path = dir.join("around").join(name).join("file");
        disk.write(&disk.path(path.to_str().unwrap()).unwrap(), b"x")
    };
    let own = disk(Checkouts::Of(dir.join("around/main/.git")));
    for name in ["main", "main/sub", "linked", "linked/new", "main/module", "door"] {
        assert_refused(write(&own, name), "is only read: it is in the checkout");
    }
    for name in ["other", "bare", "."] {
        write(&own, name).unwrap();
    }
    let all = disk(Checkouts::All);
    for name in ["main", "linked", "other", "bare", "bare/hooks", "door"] {
        assert_refused(write(&all, name), "is only read");
    }
    write(&all, ".").unwrap();
    let read = own.path(dir.join("around/main/sub/file").to_str().unwrap()).unwrap();
    assert!(own.open(&read).is_ok(), "they are read");
    assert_eq!(fs::read_to_string(dir.join("around/main/sub/file")).unwrap(), "kept");

    let scope = Arc::new(crate::git::Scope::parse(&["src".to_owned()]).unwrap());
    let scoped = disk(Checkouts::All).scoped(Some(scope));
    assert_refused(write(&scoped, "."), "outside the scope");
}
