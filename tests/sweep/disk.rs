//! The same run on a disk that fills up, and with a journal that is damaged.

use std::path::PathBuf;
use std::process::Command;

use crate::home::{Home, Ran};
use crate::{Stage, Whole, killed_after};

/// Unmounts a folder, also when the test fails.
struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_run_whose_disk_fills_up_is_resumed_when_there_is_space() {
    let home = Home::new();
    let disk = home.path("");
    let mount = ["-t", "tmpfs", "-o", "size=16m", "tmpfs"];
    let mounted = Command::new("mount").args(mount).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a small file system cannot be mounted here");
        return;
    }
    let _unmount = Unmount(disk);
    let whole = Whole::measure();
    let stage = Stage::at(home);
    let filler = stage.home.path("filler");
    let mut ran = None;
    // From hardly room for a journal to room for some of the agents.
    for room in [40, 300, 700, 1500_usize] {
        let mut size: usize = 16 << 20;
        while std::fs::write(&filler, vec![0; size]).is_err() {
            std::fs::remove_file(&filler).unwrap();
            size -= 16 << 10;
        }
        std::fs::write(&filler, vec![0; size.saturating_sub(room * 1024)]).unwrap();
        let begun = ran.is_some() && !stage.finished().is_empty();
        let full = Ran::of(&mut if begun { stage.resume() } else { stage.start() });
        assert!(!full.stderr.contains("panicked"), "{room}: {}", full.stderr);
        assert!(![0, 2, 70].contains(&full.code), "{room}: {} {}", full.code, full.stderr);
        let told = full.stderr.to_lowercase();
        assert!(told.contains("space") || told.contains("do not fit"), "{room}: {}", full.stderr);
        std::fs::remove_file(&filler).unwrap();
        stage.repo.git(&["fsck", "--connectivity-only", "--no-dangling"]);
        ran = Some(full);
    }
    let finished = stage.finished();
    let before = stage.requests().len();
    let last = Ran::of(&mut if finished.is_empty() { stage.start() } else { stage.resume() });
    assert_eq!(Stage::result(&last), whole.result, "{}", last.stderr);
    let asked = stage.requests();
    let again: Vec<_> =
        asked[before..].iter().filter(|(name, _)| finished.contains(name)).collect();
    assert!(again.is_empty(), "{again:?}");
    stage.aftermath.check(&stage.home, "after a full disk");
}

#[test]
fn a_damaged_journal_is_refused_and_left_as_it_is() {
    let stage = Stage::new();
    let whole = std::time::Duration::from_millis(600);
    let _ = killed_after(&mut stage.start(), whole);
    let file = stage.repo.path().join(".git/agentlua/journal.db");
    // What is in the log goes into the file, so that damage to it is not made good by chance.
    let folded = rusqlite::Connection::open(&file).unwrap();
    folded.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(folded);
    let sound = std::fs::read(&file).unwrap();
    let page = 4096;
    assert!(sound.len() > 4 * page, "{}", sound.len());
    let mut damaged = sound.clone();
    damaged[page..].fill(0xa5);
    for content in [damaged, sound[..page + 100].to_vec(), b"no journal at all\n".repeat(300)] {
        std::fs::write(&file, &content).unwrap();
        for verb in [&["run", "../main.lua"][..], &["resume"], &["agents"], &["runs"], &["gc"]] {
            let ran = Ran::of(&mut stage.command(verb));
            assert!(ran.code != 0 && ran.code != 70, "{verb:?}: {ran:?}");
            let told = format!("{}{}", ran.stdout, ran.stderr);
            assert!(told.contains("journal"), "{verb:?}: {ran:?}");
            assert!(told.contains(".damaged") || told.contains(".other"), "{verb:?}: {ran:?}");
            assert!(!told.contains("panicked"), "{verb:?}: {ran:?}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), content, "it is not overwritten");
    }
    std::fs::write(&file, &sound).unwrap();
    let ran = Ran::of(&mut stage.resume());
    Stage::result(&ran);
    stage.aftermath.check(&stage.home, "after the journal was put back");
}
