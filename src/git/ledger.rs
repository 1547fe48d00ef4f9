//! Steps written down before they are taken: an intent in the journal, synced, then the step, then
//! its outcome. What a crash leaves without an outcome is finished or taken back at the next start
//! (`recover`).
//!
//! A handle on a repository is one host of intents. It lives as long as the process does, or longer:
//! git children are given its locked file (as their empty standard input), so that nobody takes over
//! while one of them still writes.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::repo::Repo;
use crate::error::{Kind, Result, ResultExt};
use crate::journal::{HostLock, Store};

/// How long the outcome of a step stays in the journal.
const REMEMBERED: Duration = Duration::from_hours(24 * 7 * 4);
/// How long a conversation that nobody is in any more can be taken up, and a run gone on with.
const CONVERSATIONS: Duration = Duration::from_hours(24 * 90);

/// The host of this handle's intents, and where they are written.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<Store>,
    lock: HostLock,
}

/// An intent that was written down and has no outcome yet. Dropping it leaves it to the next start.
#[derive(Clone, Debug)]
#[must_use = "without an outcome the next start takes it for cut off"]
pub(super) struct Pledge {
    store: Arc<Store>,
    id: i64,
}

impl Repo {
    /// Returns the journal of the repository.
    ///
    /// # Errors
    /// When there is one that this version cannot read.
    pub async fn store(&self) -> Result<Arc<Store>> {
        let opened = self
            .store
            .get_or_try_init(|| async { Store::open(&self.state_dir()).await.map(Arc::new) });
        opened.await.map(Arc::clone)
    }

    /// Writes down what is about to be done; returns once that is on the disk.
    ///
    /// # Errors
    /// When it cannot be written; the step must not be taken then.
    pub(super) async fn intend(
        &self,
        kind: &str,
        subject: &str,
        detail: &impl Serialize,
    ) -> Result<Pledge> {
        let ledger = self.ledger().await?;
        let detail = serde_json::to_value(detail)
            .or_kind(Kind::Internal, || "an intent cannot be written down")?;
        let id = ledger.store.intend(&ledger.lock.name, kind, subject, detail).await?;
        Ok(Pledge { store: Arc::clone(&ledger.store), id })
    }

    async fn ledger(&self) -> Result<&Ledger> {
        let opened = self.ledger.get_or_try_init(|| async {
            let store = self.store().await?;
            let lock = store.hold(&host_name()).await?;
            let lifeline = lock.lifeline();
            let lifeline: File =
                lifeline.or_kind(Kind::Io, || "cannot hold the lock of this process")?;
            self.program.hold(lifeline);
            // What was settled long ago is of no use to anybody; a journal that cannot be written says so
            // at the next step.
            let _ = store.forget_settled(REMEMBERED).await;
            let _ = store.forget_said(CONVERSATIONS).await;
            let _ = store.forget_events(CONVERSATIONS).await;
            let _ = store.forget_runs(CONVERSATIONS).await;
            Ok(Ledger { store, lock })
        });
        opened.await
    }
}

impl Pledge {
    /// Returns a pledge for an intent of a host that is gone.
    pub(super) fn adopted(store: Arc<Store>, id: i64) -> Self {
        Self { store, id }
    }

    /// Returns the number of the intent.
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// Writes down more about the intent; returns once that is on the disk.
    pub(super) async fn amend(&self, detail: &impl Serialize) -> Result<()> {
        let detail = serde_json::to_value(detail)
            .or_kind(Kind::Internal, || "an intent cannot be written down")?;
        self.store.amend(self.id, detail).await
    }

    /// Writes down the outcome. A journal that cannot be written any more costs nothing here: the next
    /// start looks at what is there and finds it done.
    pub(super) async fn settle(self, outcome: &str) {
        let _ = self.store.settle(self.id, outcome).await;
    }
}

/// A name that no other host has had.
fn host_name() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = since.unwrap_or_default().as_nanos();
    format!("host-{}-{nanos:x}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
