//! The histories: steps of agents, scripts and users, each possibly cut off by `kill -9`.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

/// What has been planned so far: how many branches agents have been given.
#[derive(Clone, Debug)]
pub struct Plan {
    pub branches: usize,
}

/// One step of a history. `crash` is the point at which the process is killed, if it comes to it.
#[derive(Clone, Debug)]
pub enum Step {
    /// Agents side by side, each with its commands, one a turn.
    Run {
        agents: Vec<Vec<Act>>,
        crash: Option<u32>,
    },
    /// Two runs at once; the first may be killed.
    Beside {
        agents: Vec<Vec<Act>>,
        others: Vec<Vec<Act>>,
        crash: Option<u32>,
    },
    /// An agent goes on where another has ended.
    GoOn {
        branch: usize,
        acts: Vec<Act>,
        crash: Option<u32>,
    },
    Merge {
        branch: usize,
        strategy: &'static str,
        crash: Option<u32>,
    },
    Remove {
        branch: usize,
        force: bool,
        crash: Option<u32>,
    },
    Gc {
        crash: Option<u32>,
    },
    /// A start with nothing to do but to recover.
    Restart,
    User(Deed),
}

/// What an agent does in a turn.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Write(&'static str),
    Stash,
    Commit,
    CheckoutMain,
    DeleteBranches,
    Configure,
    Gc,
    RemoveWorktree,
    ResetHard,
    Clean,
    Push,
    MergeMain,
    NestRepository,
}

/// What the user does beside.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Edit(&'static str),
    Stage,
    Commit,
    SwitchBranch,
    Stash,
    GcNow,
    PruneWorktrees,
    Fetch,
    /// With `rm -rf`: what was only there is gone by the user's own will.
    RemoveFolder(usize),
    RemoveWorktree(usize),
    DeleteBranch(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "dir/c", "user"]).prop_map(Act::Write),
        2 => Just(Act::Commit),
        2 => Just(Act::Stash),
        1 => Just(Act::CheckoutMain),
        1 => Just(Act::DeleteBranches),
        1 => Just(Act::Configure),
        1 => Just(Act::Gc),
        1 => Just(Act::RemoveWorktree),
        1 => Just(Act::ResetHard),
        1 => Just(Act::Clean),
        1 => Just(Act::Push),
        1 => Just(Act::MergeMain),
        1 => Just(Act::NestRepository),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        prop::sample::select(vec!["a", "user", "README.md"]).prop_map(Deed::Edit),
        Just(Deed::Stage),
        Just(Deed::Commit),
        Just(Deed::SwitchBranch),
        Just(Deed::Stash),
        Just(Deed::GcNow),
        Just(Deed::PruneWorktrees),
        Just(Deed::Fetch),
        any::<usize>().prop_map(Deed::RemoveFolder),
        any::<usize>().prop_map(Deed::RemoveWorktree),
        any::<usize>().prop_map(Deed::DeleteBranch),
    ]
}

fn crash() -> impl Strategy<Value = Option<u32>> {
    weighted(0.4, 1..30_u32)
}

impl ReferenceStateMachine for Plan {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self { branches: 0 }).boxed()
    }

    fn transitions(plan: &Self) -> BoxedStrategy<Step> {
        let run = (vec(vec(act(), 1..5), 1..3), crash())
            .prop_map(|(agents, crash)| Step::Run { agents, crash });
        let user = deed().prop_map(Step::User);
        let few = || vec(vec(act(), 1..4), 1..2);
        let beside = (few(), few(), crash()).prop_map(|(agents, others, crash)| Step::Beside {
            agents,
            others,
            crash,
        });
        if plan.branches == 0 {
            return prop_oneof![4 => run, 1 => user].boxed();
        }
        let strategy = prop::sample::select(vec!["merge", "squash", "rebase"]);
        let merge = (0..plan.branches, strategy, crash())
            .prop_map(|(branch, strategy, crash)| Step::Merge { branch, strategy, crash });
        let remove = (0..plan.branches, any::<bool>(), crash())
            .prop_map(|(branch, force, crash)| Step::Remove { branch, force, crash });
        let go_on = (0..plan.branches, vec(act(), 1..4), crash())
            .prop_map(|(branch, acts, crash)| Step::GoOn { branch, acts, crash });
        prop_oneof![
            4 => run,
            1 => beside,
            2 => go_on,
            4 => merge,
            2 => remove,
            2 => crash().prop_map(|crash| Step::Gc { crash }),
            1 => Just(Step::Restart),
            4 => user,
        ]
        .boxed()
    }

    fn preconditions(plan: &Self, step: &Step) -> bool {
        match step {
            Step::Merge { branch, .. }
            | Step::Remove { branch, .. }
            | Step::GoOn { branch, .. } => *branch < plan.branches,
            _ => true,
        }
    }

    fn apply(mut plan: Self, step: &Step) -> Self {
        plan.branches += match step {
            Step::Run { agents, .. } => agents.len(),
            Step::Beside { agents, others, .. } => agents.len() + others.len(),
            _ => 0,
        };
        plan
    }
}
