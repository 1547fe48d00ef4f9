//! The journal against real files, locks and processes' worth of connections.

use std::sync::Arc;

use super::{AgentChange, AgentFilter, AgentRow, EventFilter, NewRun, Status, Store, schema};

use crate::error::Kind;
use crate::event::Usage;

mod recall;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn row(id: &str, run: &str) -> AgentRow {
    AgentRow { id: id.into(), run: run.into(), label: id.into(), ..AgentRow::default() }
}

async fn all(store: &Store) -> Vec<AgentRow> {
    store.agents(AgentFilter::default()).await.unwrap()
}

#[tokio::test]
async fn looking_at_a_journal_that_is_not_there_makes_nothing() {
    let dir = folder();
    let store = Store::open(&dir.path().join("a/b")).await.unwrap();
    assert_eq!(all(&store).await, []);
    store.flush().await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Returns what others than the owner may do with what is there.
fn open_to_others(paths: &[&std::path::Path]) -> Vec<u32> {
    use std::os::unix::fs::PermissionsExt;
    paths.iter().map(|path| path.metadata().unwrap().permissions().mode() & 0o077).collect()
}

#[tokio::test]
async fn nobody_else_reads_a_journal() {
    use std::os::unix::fs::PermissionsExt;
    let outer = folder();
    let dir = outer.path().join("agentlua");
    let (file, wal, shm) =
        (dir.join("journal.db"), dir.join("journal.db-wal"), dir.join("journal.db-shm"));
    let paths = [&*dir, &*file, &*wal, &*shm];
    let store = Store::open(&dir).await.unwrap();
    let _run = store.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
    assert_eq!(open_to_others(&paths), [0; 4]);
    // As an earlier version left them.
    for (path, mode) in paths.into_iter().zip([0o755, 0o644, 0o644, 0o644]) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let again = Store::open(&dir).await.unwrap();
    let _run = again.begin_run(&NewRun::new("r2", "x.lua")).await.unwrap();
    assert_eq!(open_to_others(&paths), [0; 4]);
    let names: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[tokio::test]
async fn an_id_is_taken_once_and_its_row_changes_field_by_field() {
    let dir = folder();
    let store = Store::open(dir.path()).await.unwrap();
    let _run = store.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
    assert!(store.reserve(row("a1", "r1")).await.unwrap());
    assert!(!store.reserve(row("a1", "r1")).await.unwrap());
    let path = std::path::PathBuf::from("/work/a1");
    let usage = Usage { input_tokens: 7, output_tokens: u64::MAX, ..Usage::default() };
    let change = AgentChange {
        status: Some(Status::Running),
        worktree_path: Some(path.clone()),
        branch_created: Some(true),
        usage: Some(usage),
        ..AgentChange::default()
    };
    store.update("a1", change).await.unwrap();
    store.flush().await.unwrap();
    let found = all(&store).await.remove(0);
    assert_eq!((found.status, found.worktree_path), (Status::Running, Some(path)));
    assert!(found.branch_created && found.branch.is_none());
    assert_eq!(found.usage.input_tokens, 7);
    assert_eq!(found.usage.output_tokens, i64::MAX.unsigned_abs());
    let change = AgentChange {
        status: Some(Status::Completed),
        cost_usd: Some(0.25),
        worktree_removed: true,
        ..AgentChange::default()
    };
    store.update("a1", change).await.unwrap();
    drop(store);
    // Dropping a store writes what has queued up.
    let found = all(&Store::open(dir.path()).await.unwrap()).await.remove(0);
    assert_eq!((found.status, found.worktree_path), (Status::Completed, None));
    assert_eq!((found.label.as_str(), found.cost_usd), ("a1", Some(0.25)));
    assert!(found.status_at >= found.created_at && found.created_at > 0);
}

#[tokio::test]
async fn agents_of_a_run_that_is_gone_read_as_interrupted() {
    let dir = folder();
    let store = Store::open(dir.path()).await.unwrap();
    let gone = store.begin_run(&NewRun::new("gone", "x.lua")).await.unwrap();
    let _here = store.begin_run(&NewRun::new("here", "x.lua")).await.unwrap();
    for (id, run) in [("a1", "gone"), ("a2", "gone"), ("a3", "here")] {
        store.reserve(row(id, run)).await.unwrap();
    }
    let done = AgentChange { status: Some(Status::Failed), ..AgentChange::default() };
    store.update("a2", done).await.unwrap();
    store.flush().await.unwrap();
    drop(gone);
    let other = Store::open(dir.path()).await.unwrap();
    let states: Vec<Status> = all(&other).await.iter().map(|row| row.status).collect();
    assert_eq!(states, [Status::Interrupted, Status::Failed, Status::Queued]);
    let filter = AgentFilter { run: Some("here".into()), ..AgentFilter::default() };
    assert_eq!(other.agents(filter).await.unwrap().len(), 1);
    let filter = AgentFilter { id_prefix: Some("a".into()), ..AgentFilter::default() };
    assert_eq!(other.agents(filter).await.unwrap().len(), 3);
    let filter = AgentFilter { id_prefix: Some("%".into()), ..AgentFilter::default() };
    assert_eq!(other.agents(filter).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_run_is_begun_once_at_a_time() {
    let dir = folder();
    let (one, two) =
        (Store::open(dir.path()).await.unwrap(), Store::open(dir.path()).await.unwrap());
    let lock = one.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
    let error = two.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap_err();
    assert_eq!(error.message, "the run `r1` is going on in another process");
    drop(lock);
    let _again = two.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
    let error = one.begin_run(&NewRun::new("../r1", "x.lua")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
}

#[tokio::test]
async fn newer_foreign_and_damaged_files_are_refused_and_left_alone() {
    let dir = folder();
    let file = dir.path().join("journal.db");
    let newer = {
        let store = Store::open(dir.path()).await.unwrap();
        let _run = store.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
        drop(store);
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.pragma_update(None, "journal_mode", "delete").unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        std::fs::read(&file).unwrap()
    };
    let foreign = {
        let other = dir.path().join("other.db");
        let connection = rusqlite::Connection::open(&other).unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        drop(connection);
        std::fs::read(&other).unwrap()
    };
    let too_new =
        format!("was written by a newer agentlua (version 99, this one knows {})", schema::NEWEST);
    for (content, says) in [
        (newer, &*too_new),
        (foreign, "is not a journal of agentlua"),
        (b"not a database at all, but text of some length\n".repeat(9), "is damaged"),
    ] {
        std::fs::write(&file, &content).unwrap();
        let error = Store::open(dir.path()).await.err().unwrap();
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.hint.is_some());
        assert_eq!(std::fs::read(&file).unwrap(), content, "{says}");
    }
    // What was cut off before its first table is only new.
    std::fs::write(&file, b"").unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let _run = store.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
    assert!(store.reserve(row("a1", "r1")).await.unwrap());
}

#[tokio::test]
async fn one_bad_write_costs_no_other_and_is_reported() {
    let dir = folder();
    let store = Store::open(dir.path()).await.unwrap();
    let _run = store.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
    let (good, bad, fine) = tokio::join!(
        store.reserve(row("a1", "r1")),
        store.reserve(row("a2", "no such run")),
        store.reserve(row("a3", "r1")),
    );
    assert!(good.unwrap() && fine.unwrap());
    assert!(bad.unwrap_err().message.starts_with("cannot use the journal"));
    assert_eq!(all(&store).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_agents_in_two_stores_lose_nothing() {
    let dir = folder();
    let stores = [
        Arc::new(Store::open(dir.path()).await.unwrap()),
        Arc::new(Store::open(dir.path()).await.unwrap()),
    ];
    let mut locks = Vec::new();
    let mut tasks = Vec::new();
    for (at, store) in stores.iter().enumerate() {
        let run = format!("r{at}");
        locks.push(store.begin_run(&NewRun::new(&run, "x.lua")).await.unwrap());
        for number in 0..250 {
            let (store, run) = (Arc::clone(store), run.clone());
            tasks.push(tokio::spawn(async move {
                let id = format!("{run}-{number}");
                assert!(store.reserve(row(&id, &run)).await.unwrap());
                for turn in 1..=10 {
                    let change = AgentChange { turns: Some(turn), ..AgentChange::default() };
                    store.update(&id, change).await.unwrap();
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    for store in &stores {
        store.flush().await.unwrap();
    }
    let rows = all(&stores[0]).await;
    assert_eq!(rows.len(), 500);
    assert!(rows.iter().all(|row| row.turns == 10 && row.status == Status::Queued));
}

#[tokio::test]
async fn files_of_earlier_versions_are_read_and_brought_up_to_date() {
    for version in 1..schema::NEWEST {
        let dir = folder();
        schema::of_version(&dir.path().join("journal.db"), version).unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let old = all(&store).await.remove(0);
        assert_eq!((old.session_id(), old.past, old.lives), ("r1/a1".to_owned(), None, 1));
        let runs = store.runs().await.unwrap();
        assert!(runs.len() == 1 && runs[0].command.is_none(), "{version}: {runs:?}");
        assert!(store.steps("r1").await.unwrap().is_empty());
        assert!(store.events(EventFilter::default()).await.unwrap().is_empty());
        let _run = store.begin_run(&NewRun::new("r2", "x.lua")).await.unwrap();
        let heir =
            AgentRow { past: Some("a1".into()), session: Some("r1/a1".into()), ..row("a2", "r2") };
        assert!(store.reserve(heir).await.unwrap());
        let new = all(&store).await.remove(1);
        assert_eq!((new.session_id(), new.past), ("r1/a1".to_owned(), Some("a1".to_owned())));
        assert!(store.said("a1").await.unwrap().is_empty());
        let runs = store.runs().await.unwrap();
        assert!(runs[0].command.is_none() && !runs[0].alive && runs[1].alive, "{runs:?}");
    }
}

#[tokio::test]
async fn what_was_said_is_kept_in_order_as_long_as_somebody_goes_on_from_it() {
    let dir = folder();
    let store = Store::open(dir.path()).await.unwrap();
    let _run = store.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
    for (id, past) in [("old", None), ("heir", Some("old")), ("late", Some("heir")), ("lone", None)]
    {
        let row = AgentRow { past: past.map(str::to_owned), ..row(id, "r1") };
        assert!(store.reserve(row).await.unwrap());
        for number in 0..12 {
            store.add_said(id, number, format!("{id} {number}"), number == 3).await.unwrap();
        }
    }
    let said: Vec<_> = (0..12).map(|number| format!("old {number}")).collect();
    assert_eq!(store.said("old").await.unwrap(), said);
    // Of all but `late` it is long ago.
    let connection = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    connection.execute("UPDATE agent SET updated_at = 0 WHERE id <> 'late'", []).unwrap();
    store.forget_said(std::time::Duration::from_hours(1)).await.unwrap();
    for (id, count) in [("old", 12), ("heir", 12), ("late", 12), ("lone", 0)] {
        assert_eq!(store.said(id).await.unwrap().len(), count, "{id}");
    }
}
