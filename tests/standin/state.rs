//! The server without its sockets: a request goes in, a plan of the answer comes out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::admission::admitted;
use super::answer::{self, Plan};
use super::complaint::{Checked, Complaint, ensure};
use super::fault::{self, Fault};
use super::measure::{Measure, Usage, digest_of};
use super::memory::{self, Memory, Sent};
use super::options::Options;
use super::out::{self, Envelope};
use super::scenario::{self, FAILED, Stray, Turn};
use super::talk::{Part, Reply, Step, Talk, Wire};
use super::{anthropic, anthropic_out, openai, openai_out, responses, responses_out};

const MOST_NOTES: usize = 100;

#[derive(Default)]
struct Counts {
    requests: u64,
    bytes: u64,
    agents: u64,
    running: u64,
    most_running: u64,
    per_wire: BTreeMap<&'static str, u64>,
    by_status: BTreeMap<u16, u64>,
    faults: BTreeMap<String, u64>,
    violations: Vec<String>,
    violation_count: u64,
    failed: Vec<String>,
    billed: Usage,
}

#[derive(Default)]
struct Inner {
    memory: Memory,
    counts: Counts,
}

/// The state that all connections share.
pub struct State {
    options: Options,
    log: Option<Mutex<File>>,
    started: Instant,
    inner: Mutex<Inner>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a request has been found to be.
struct Asking<'a> {
    wire: Wire,
    body: &'a Value,
    talk: Talk,
    measure: Measure,
}

/// What is said to it.
struct Saying {
    reply: Reply,
    fault: Option<Fault>,
    turn: u32,
    conversation: String,
    delay: Duration,
    fixed_usage: Option<Usage>,
}

impl State {
    /// Makes the state; opens the log.
    pub fn new(options: Options) -> std::io::Result<Self> {
        let log = options.log.as_ref().map(File::create).transpose()?.map(Mutex::new);
        Ok(Self { options, log, started: Instant::now(), inner: Mutex::default() })
    }

    /// Forgets everything.
    pub fn reset(&self) {
        *lock(&self.inner) = Inner::default();
    }

    /// Counts a request that begins.
    pub fn enter(&self) {
        let counts = &mut lock(&self.inner).counts;
        counts.running += 1;
        counts.most_running = counts.most_running.max(counts.running);
    }

    /// Counts a request that ends.
    pub fn leave(&self) {
        let counts = &mut lock(&self.inner).counts;
        counts.running = counts.running.saturating_sub(1);
    }

    /// Makes prefixes readable from the cache.
    pub fn cache(&self, prefixes: &[u64]) {
        lock(&self.inner).memory.cached.extend(prefixes);
    }

    /// Returns what was seen.
    pub fn report(&self) -> Value {
        let inner = lock(&self.inner);
        let (counts, memory) = (&inner.counts, &inner.memory);
        json!({
            "requests": counts.requests,
            "per_wire": counts.per_wire,
            "violations": counts.violations,
            "violation_count": counts.violation_count,
            "failed_scenarios": counts.failed,
            "faults_served": counts.faults,
            "agents": counts.agents,
            "max_concurrent": counts.most_running,
            "by_status": counts.by_status,
            "bytes_received": counts.bytes,
            "distinct_prefixes": memory.prefixes.len(),
            "prefix_bytes": memory.prefixes.values().copied().max().unwrap_or(0),
            "rewritten_histories": memory.rewritten,
            "billed": {
                "input_tokens": counts.billed.input,
                "output_tokens": counts.billed.output,
                "cache_read_input_tokens": counts.billed.cache_read,
                "cache_creation_input_tokens": counts.billed.cache_creation,
            },
        })
    }

    /// Plans the answer to a request.
    pub fn answer(&self, wire: Wire, headers: &HeaderMap, bytes: &[u8]) -> Plan {
        let parsed: Result<Value, _> = serde_json::from_slice(bytes);
        let body = parsed.as_ref().unwrap_or(&Value::Null);
        let asking = self.checked(wire, headers, body, parsed.is_ok());
        let mut inner = lock(&self.inner);
        inner.counts.requests += 1;
        inner.counts.bytes += bytes.len() as u64;
        *inner.counts.per_wire.entry(wire.as_str()).or_default() += 1;
        let mut note = json!({});
        let plan = asking
            .and_then(|asking| self.fits(wire, bytes.len()).map(|()| asking))
            .and_then(|asking| self.reply_to(&mut inner, &asking, &mut note))
            .unwrap_or_else(|complaint| {
                note["complaint"] = json!(complaint.message);
                refuse(&mut inner.counts, wire, &complaint)
            });
        *inner.counts.by_status.entry(plan.status).or_default() += 1;
        drop(inner);
        self.write_log(wire, &plan, body, note);
        plan
    }

    /// Refuses what is longer than the model's context.
    fn fits(&self, wire: Wire, bytes: usize) -> Checked {
        let (tokens, window) = (bytes / 4, self.options.window.unwrap_or(usize::MAX));
        if tokens <= window {
            return Ok(());
        }
        let message = match wire {
            Wire::Anthropic => format!("prompt is too long: {tokens} tokens > {window} maximum"),
            _ => format!("This model's maximum context length is {window} tokens."),
        };
        Err(Complaint::plain(400, "invalid_request_error", message))
    }

    fn write_log(&self, wire: Wire, plan: &Plan, body: &Value, mut note: Value) {
        let Some(log) = &self.log else { return };
        note["at_ms"] =
            json!(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        note["wire"] = json!(wire.as_str());
        note["status"] = json!(plan.status);
        note["request"] = body.clone();
        // The log is for people; a full disk must not change what the client sees.
        let _ = writeln!(lock(log), "{note}");
    }

    fn checked<'a>(
        &self,
        wire: Wire,
        headers: &HeaderMap,
        body: &'a Value,
        is_json: bool,
    ) -> Checked<Asking<'a>> {
        admitted(wire, headers, &self.options)?;
        ensure(is_json, || "the request body is not valid JSON")?;
        if let Some(model) = body["model"].as_str().filter(|model| model.starts_with("no-such")) {
            return Err(Complaint::plain(404, "not_found_error", format!("model: {model}")));
        }
        let talk = match wire {
            Wire::Anthropic => anthropic::read(body)?,
            Wire::OpenAi => openai::read(body)?,
            Wire::Responses => responses::read(body)?,
        };
        Ok(Asking { wire, body, talk, measure: Measure::new(wire, body) })
    }

    fn reply_to(&self, inner: &mut Inner, asking: &Asking<'_>, note: &mut Value) -> Checked<Plan> {
        let Asking { wire, talk, measure, .. } = asking;
        let quirks = self.options.quirks && *wire == Wire::OpenAi;
        inner.memory.echoes(*wire, talk, !quirks, self.options.respelled)?;
        inner.memory.stable(talk, measure, !self.options.free_prefix)?;
        let saying = self.say(inner, asking)?;
        note["turn"] = json!(saying.turn);
        note["conversation"] = json!(saying.conversation);
        note["fault"] = json!(saying.fault.as_ref().map(Fault::name));
        if let Some(fault) = &saying.fault {
            *inner.counts.faults.entry(fault.name()).or_default() += 1;
            if let Some(plan) = answer::refusal_of(fault, *wire, saying.delay) {
                return Ok(plan);
            }
        }
        let text = saying.reply.joined_text();
        if text.starts_with(FAILED) && inner.counts.failed.len() < MOST_NOTES {
            inner.counts.failed.push(text);
        }
        Ok(write(inner, asking, &saying, quirks))
    }

    /// Decides what to say, and what goes wrong with it.
    fn say(&self, inner: &mut Inner, asking: &Asking<'_>) -> Checked<Saying> {
        let Asking { talk, measure, .. } = asking;
        let asked = inner.memory.ask(talk, measure);
        let replies = talk.steps.iter().filter(|step| matches!(step, Step::Assistant { .. }));
        // A conversation that was cut goes on with the number behind its last.
        let turns = replies.count().max(memory::last_number(talk));
        let first = match talk.steps.first() {
            Some(Step::User { text, .. }) => digest_of(text.as_str()),
            _ => 0,
        };
        let fresh = format!("{:08x}x{}", first >> 32, asked.tries);
        let conversation = memory::name_of(talk).map_or(fresh, str::to_owned);
        let turn = Turn::find(talk, asked.answers > 0).map_err(Complaint::invalid)?;
        let reply = scenario::next(turn.as_ref()).map_err(|stray| match stray {
            Stray::Violation(what) | Stray::Failed(what) => Complaint::invalid(what),
        })?;
        let number = u32::try_from(turns).unwrap_or(u32::MAX).saturating_add(1);
        let planned = match turn.as_ref().and_then(|turn| Some((turn, turn.text("fault")?))) {
            Some((turn, plan)) => {
                fault::planned(plan, turn.number, asked.tries).map_err(Complaint::invalid)?
            }
            None => None,
        };
        let ordinal = conversation.split('x').nth(1).unwrap_or_default();
        let draw = (self.options.seed, first, ordinal, number, asked.tries);
        let parameter = |key| turn.as_ref().and_then(|turn| turn.parameter(key));
        let fixed = turn.as_ref().and_then(|turn| Usage::parse(turn.text("usage")?));
        Ok(Saying {
            reply,
            fault: planned.or_else(|| self.options.faults.due(&draw)),
            turn: number,
            conversation: format!("{conversation}_{number}_{}", asked.tries),
            delay: self.options.latency + Duration::from_millis(parameter("delay").unwrap_or(0)),
            fixed_usage: fixed,
        })
    }
}

/// Writes the reply in its wire's form, and remembers it.
fn write(inner: &mut Inner, asking: &Asking<'_>, saying: &Saying, quirks: bool) -> Plan {
    let Asking { wire, body, talk, measure } = asking;
    let Saying { reply, fault, .. } = saying;
    let known = &inner.memory.cached;
    let (usage, writes) =
        measure.usage(*wire, |prefix| known.contains(&prefix), answer::output_tokens(reply));
    let usage = saying.fixed_usage.unwrap_or(usage);
    inner.counts.billed.add(&usage, fault.as_ref().is_some_and(Fault::breaks_off));
    let envelope = Envelope {
        model: body["model"].as_str().unwrap_or_default(),
        mint: saying.conversation.clone(),
        usage,
        include_usage: body["stream_options"]["include_usage"] == true,
        quirks,
    };
    let (prefix, raw) = match wire {
        Wire::Anthropic => {
            (anthropic_out::PREFIX, Value::Array(anthropic_out::content(reply, &envelope)))
        }
        Wire::OpenAi => (openai_out::PREFIX, openai_out::content(reply, &envelope)),
        Wire::Responses => {
            (responses_out::PREFIX, Value::Array(responses_out::content(reply, &envelope)))
        }
    };
    let calls = out::calls(reply, &envelope, prefix);
    let sent = Sent {
        wire: *wire,
        raw,
        text: answer::said(reply),
        calls: calls.iter().map(|call| (call.id.clone(), call.name.clone())).collect(),
        loose: reply.parts.iter().any(|part| matches!(part, Part::Broken { .. })),
        complete: fault.as_ref().is_none_or(Fault::is_harmless),
    };
    if sent.complete && saying.turn == 1 && !reply.is_empty() {
        inner.counts.agents += 1;
    }
    if let Some(call) = calls.first().filter(|_| sent.complete) {
        inner.memory.begin(&call.id, measure);
    }
    inner.memory.record(talk, measure, sent, &calls);
    let streams = body["stream"] == true;
    let pieces = answer::pieces(*wire, reply, &envelope, fault.as_ref(), streams);
    let kind = if streams { "text/event-stream; charset=utf-8" } else { "application/json" };
    let headers = vec![("content-type", kind.to_owned()), answer::request_id(*wire)];
    Plan { status: 200, headers, delay: saying.delay, pieces, caches: writes }
}

/// Notes a complaint and puts it in the provider's words.
fn refuse(counts: &mut Counts, wire: Wire, complaint: &Complaint) -> Plan {
    let error = answer::error_body(wire, complaint.kind, &complaint.message, None);
    if complaint.violation {
        counts.violation_count += 1;
        if counts.violations.len() < MOST_NOTES {
            counts.violations.push(format!("{}: {}", wire.as_str(), complaint.message));
        }
    }
    answer::error_plan(wire, complaint.status, &error)
}
