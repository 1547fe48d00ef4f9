//! What a resumed run finds, and what passes between processes.

use super::{AgentChange, NewRun, Status, Store, all, folder, row};
use crate::error::Kind;
use crate::journal::{Command, EventFilter, Step};

fn ended(status: Status) -> AgentChange {
    AgentChange { status: Some(status), ..AgentChange::default() }
}

#[tokio::test]
async fn how_agents_ended_is_found_in_the_order_in_which_they_did() {
    let dir = folder();
    let store = Store::open(dir.path()).await.unwrap();
    let _run = store.begin_run(&NewRun::new("r1", "x.lua")).await.unwrap();
    let _other = store.begin_run(&NewRun::new("r2", "x.lua")).await.unwrap();
    for (id, run) in [("a1", "r1"), ("a2", "r1"), ("a3", "r1"), ("b1", "r2")] {
        assert!(store.reserve(row(id, run)).await.unwrap());
    }
    for id in ["a3", "b1", "a1"] {
        let outcome = format!("{{\"id\":\"{id}\"}}");
        store.finish_agent(id, ended(Status::Completed), outcome).await.unwrap();
    }
    let calls = Store::open(dir.path()).await.unwrap().calls("r1").await.unwrap();
    let found: Vec<_> = calls
        .iter()
        .map(|call| (call.row.id.as_str(), call.row.place, call.outcome.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("a1", Some(2), Some(r#"{"id":"a1"}"#)),
            ("a2", None, None),
            ("a3", Some(1), Some(r#"{"id":"a3"}"#))
        ]
    );
    store.reopen_agent("a1").await.unwrap();
    store.supersede_agent("a3").await.unwrap();
    let calls = store.calls("r1").await.unwrap();
    let found: Vec<_> = calls.iter().map(|call| (&*call.row.id, call.row.lives)).collect();
    assert_eq!(found, [("a1", 2), ("a2", 1)]);
    assert_eq!((calls[0].row.status, &calls[0].outcome), (Status::Queued, &None));
    store.finish_agent("a1", ended(Status::Failed), "{}".into()).await.unwrap();
    let again = store.calls("r1").await.unwrap();
    assert!(again[0].row.place > Some(1), "{again:?}");
    assert_eq!(all(&store).await.len(), 4, "superseded ones are still listed");
}

#[tokio::test]
async fn a_run_keeps_how_it_was_started_and_how_it_ended() {
    let dir = folder();
    let store = Store::open(dir.path()).await.unwrap();
    let command = Command {
        script: Some("/w/x.lua".into()),
        source: "return 1".into(),
        args: vec!["a b".into()],
        cwd: "/w".into(),
        flags: serde_json::json!({ "concurrency": 3 }),
        detached: true,
        process: Some(7),
        elsewhere: vec!["/other/.git/agentlua".into()],
    };
    let new = NewRun { command: command.clone(), ..NewRun::new("r1", "x.lua") };
    let lock = store.begin_run(&new).await.unwrap();
    let run = store.runs().await.unwrap().remove(0);
    assert_eq!((run.command, run.status, run.alive, run.lives), (Some(command), None, true, 1));
    store.end_run("r1", "failed", 1).await.unwrap();
    drop(lock);
    let run = store.runs().await.unwrap().remove(0);
    assert_eq!((run.status.as_deref(), run.exit_code, run.alive), (Some("failed"), Some(1), false));
    let _lock = store.begin_run(&new).await.unwrap();
    let again = store.runs().await.unwrap().remove(0);
    assert_eq!((again.status, again.exit_code, again.lives), (None, None, 2));
    assert_eq!((again.started_at, again.ended_at), (run.started_at, run.ended_at));
}

#[tokio::test]
async fn a_run_that_another_process_has_gone_on_with_is_not_taken_up_as_it_was_before() {
    let dir = folder();
    let (one, two) =
        (Store::open(dir.path()).await.unwrap(), Store::open(dir.path()).await.unwrap());
    let new = NewRun::new("r1", "x.lua");
    drop(one.begin_run(&new).await.unwrap());
    let settled = one.runs().await.unwrap().remove(0);
    let other = NewRun { script: "y.lua".into(), ..new.clone() };
    drop(two.take_up_run(&other, &settled).await.unwrap());
    let error = one.take_up_run(&new, &settled).await.unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    let run = one.runs().await.unwrap().remove(0);
    assert_eq!((run.lives, &*run.script, run.alive), (2, "y.lua", false), "it is left as it was");
    // Nor is one that had not written down its end when it was looked at.
    two.end_run("r1", "failed", 1).await.unwrap();
    assert_eq!(one.take_up_run(&new, &run).await.unwrap_err().kind, Kind::Usage);
    let settled = one.runs().await.unwrap().remove(0);
    let _lock = one.take_up_run(&new, &settled).await.unwrap();
}

#[tokio::test]
async fn a_step_is_begun_and_done_at_one_place() {
    let dir = folder();
    let store = Store::open(dir.path()).await.unwrap();
    let step = |path: &str, done, value: &str| Step {
        path: path.into(),
        kind: "merge".into(),
        key: "k".into(),
        done,
        value: value.into(),
    };
    for step in
        [step("/merge#1", false, "1"), step("/merge#2", true, "2"), step("/merge#1", true, "3")]
    {
        store.put_step("r1", step).await.unwrap();
    }
    let found = Store::open(dir.path()).await.unwrap().steps("r1").await.unwrap();
    assert_eq!(found, [step("/merge#1", true, "3"), step("/merge#2", true, "2")]);
    assert!(store.steps("r2").await.unwrap().is_empty());
}

#[tokio::test]
async fn events_are_numbered_as_they_come_and_none_is_dropped() {
    let dir = folder();
    let store = Store::open(dir.path()).await.unwrap();
    for number in 0..3000 {
        let agent = (number % 3 > 0).then(|| format!("a{}", number % 3));
        store.add_event("r1", agent, super::super::now(), number.to_string()).await.unwrap();
    }
    store.flush().await.unwrap();
    let found = store.events(EventFilter::default()).await.unwrap();
    assert!(
        found
            .iter()
            .map(|event| event.object.as_str())
            .eq((0..3000).map(|n| n.to_string()).collect::<Vec<_>>().iter())
    );
    let of_agent = EventFilter {
        agent: Some("a1".into()),
        after: found[2000].number,
        ..EventFilter::default()
    };
    let later = store.events(of_agent).await.unwrap();
    assert_eq!((later.len(), &*later[0].object), (333, "2002"));
    store.forget_events(std::time::Duration::from_hours(1)).await.unwrap();
    assert_eq!(store.events(EventFilter::default()).await.unwrap().len(), 3000);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    store.forget_events(std::time::Duration::ZERO).await.unwrap();
    assert!(store.events(EventFilter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_asked_from_outside_is_answered_once() {
    let dir = folder();
    let (outside, run) =
        (Store::open(dir.path()).await.unwrap(), Store::open(dir.path()).await.unwrap());
    let number = outside.request("r1", Some("a1"), "send", "be quick").await.unwrap();
    let all_of_it = outside.request("r1", None, "stop", "").await.unwrap();
    assert_eq!(outside.answered(number).await.unwrap(), None);
    let (ear, asked) = run.ear("r1").look().await.unwrap();
    let asked = asked.unwrap();
    assert_eq!(asked.iter().map(|asked| asked.number).collect::<Vec<_>>(), [number, all_of_it]);
    assert_eq!((asked[0].agent.as_deref(), &*asked[0].text), (Some("a1"), "be quick"));
    assert!(run.answer(number, "ok").await.unwrap());
    assert!(!run.answer(number, "ended").await.unwrap());
    assert_eq!(outside.answered(number).await.unwrap().as_deref(), Some("ok"));
    let (_, asked) = ear.look().await.unwrap();
    assert_eq!(asked.unwrap().len(), 1);
    let (_, asked) = run.ear("r2").look().await.unwrap();
    assert!(asked.unwrap().is_empty());
}
