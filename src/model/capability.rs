//! What models can do, by name; a model that nobody knows is sent only what every model takes.
//!
//! The table holds what the providers' documentation says (August 2026). A date or a tag behind a
//! name changes nothing; another version is another model, and one that is not in the table is not
//! guessed from its neighbours. A number that is not certain is the smaller one.

use serde::{Deserialize, Serialize};

use super::Effort;

/// What a model can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Capabilities {
    /// Tokens of a conversation, in and out; unknown when absent.
    pub context_window: Option<u64>,
    /// Tokens of a reply; unknown when absent.
    pub max_output: Option<u32>,
    /// Whether it sees pictures.
    pub images: bool,
    /// Whether it reads PDF.
    pub documents: bool,
    /// Whether its final text can be held to a JSON Schema.
    pub native_format: bool,
    /// Whether it can be made to call a tool.
    pub forced_tool: bool,
    /// Whether it can be told how hard to think. True of an unknown model of a provider, which is
    /// told only when the script asks for it, and asked without when it refuses.
    pub effort: bool,
}

/// What a reply may have when nobody sets a limit; the worst case of it is held against budgets.
const USUAL_REPLY: u32 = 32_000;
/// The same for a model that is told to think hard.
const THOUGHTFUL_REPLY: u32 = 64_000;

impl Capabilities {
    /// Returns the most tokens of a reply: what was asked for, else a usual number that leaves room
    /// to think; never more than the model can.
    pub fn reply_limit(&self, asked: Option<u32>, effort: Option<Effort>) -> u32 {
        let is_hard = effort >= Some(Effort::Xhigh);
        let usual = if is_hard { THOUGHTFUL_REPLY } else { USUAL_REPLY };
        asked.unwrap_or(usual).min(self.max_output.unwrap_or(u32::MAX))
    }
}

/// How a model comes to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// As it sees fit, or not at all: there is nothing to say.
    Own,
    /// As it sees fit, once it is told to.
    WhenTold,
}

/// What is known of a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    /// What the agent loop may know.
    pub capabilities: Capabilities,
    /// The words for effort that it takes, from quick to thorough; none when it takes none.
    pub efforts: &'static [Effort],
    /// How it comes to think.
    pub thinking: Thinking,
}

impl Profile {
    /// Returns the word that stands for `asked`: the most thorough one that is not above it.
    pub fn effort(&self, asked: Option<Effort>) -> Option<Effort> {
        let asked = asked?;
        self.efforts.iter().copied().rfind(|effort| *effort <= asked)
    }
}

/// Without `xhigh` and `max`.
const THREE: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
/// With `max` alone.
const WITH_MAX: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::Max];
/// With `xhigh` alone.
const WITH_XHIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh];
/// Every word.
const ALL: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max];

/// A line of the table: names, context window, output, words for effort, thinking, native format.
type Line = (&'static [&'static str], u64, u32, &'static [Effort], Thinking, bool);

use Thinking::{Own, WhenTold};

/// Anthropic's models; all see pictures, and those that are not of the third generation read PDF.
const CLAUDE: &[Line] = &[
    (&["claude-opus-5", "claude-fable-5"], 1_000_000, 128_000, ALL, Own, true),
    (&["claude-sonnet-5"], 1_000_000, 64_000, ALL, Own, true),
    (&["claude-opus-4-8", "claude-opus-4-7"], 200_000, 64_000, ALL, WhenTold, true),
    (&["claude-opus-4-6"], 200_000, 64_000, WITH_MAX, WhenTold, true),
    (&["claude-sonnet-4-6"], 200_000, 64_000, THREE, WhenTold, true),
    (&["claude-opus-4-5"], 200_000, 64_000, THREE, Own, true),
    (&["claude-sonnet-4-5", "claude-haiku-4-5"], 200_000, 64_000, &[], Own, true),
    (&["claude-opus-4-1", "claude-opus-4", "claude-opus-4-0"], 200_000, 32_000, &[], Own, false),
    (
        &["claude-sonnet-4", "claude-sonnet-4-0", "claude-3-7-sonnet"],
        200_000,
        64_000,
        &[],
        Own,
        false,
    ),
    (&["claude-3-5-sonnet", "claude-3-5-haiku"], 200_000, 8192, &[], Own, false),
    (&["claude-3-opus", "claude-3-sonnet", "claude-3-haiku"], 200_000, 4096, &[], Own, false),
];

/// `OpenAI`'s models; all see pictures and read PDF. Of the fifth generation the window is what it
/// takes in, as input has a limit of its own there.
const GPT: &[Line] = &[
    (
        &["gpt-5.2", "gpt-5.2-codex", "gpt-5.2-pro", "gpt-5.1-codex-max"],
        272_000,
        128_000,
        WITH_XHIGH,
        Own,
        true,
    ),
    (
        &["gpt-5.1", "gpt-5.1-codex", "gpt-5.1-codex-mini", "gpt-5", "gpt-5-mini", "gpt-5-nano"],
        272_000,
        128_000,
        THREE,
        Own,
        true,
    ),
    (&["gpt-5-codex", "gpt-5-pro"], 272_000, 128_000, THREE, Own, true),
    (&["o4-mini", "o3", "o3-pro", "o1", "o1-pro"], 200_000, 100_000, THREE, Own, true),
    (&["gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"], 1_000_000, 32_768, &[], Own, true),
    (&["gpt-4o", "gpt-4o-mini"], 128_000, 16_384, &[], Own, true),
];

/// Returns what is known of a model of the Messages API.
pub(super) fn of_anthropic(model: &str) -> Profile {
    let Some(line) = find(CLAUDE, model) else { return unknown(ALL) };
    let mut profile = known(line);
    let is_old = bare(model).starts_with("claude-3-") && line.2 < 8192;
    profile.capabilities.documents = !is_old;
    profile
}

/// Returns what is known of a model behind one of `OpenAI`'s APIs, or one that imitates them. What
/// a foreign model takes there depends on the server.
pub(super) fn of_openai(model: &str) -> Profile {
    if let Some(line) = find(GPT, model) {
        return known(line);
    }
    let mut profile = unknown(THREE);
    if let Some((_, window, output, ..)) = find(CLAUDE, model) {
        profile.capabilities.context_window = Some(*window);
        profile.capabilities.max_output = Some(*output);
        profile.capabilities.images = true;
    }
    profile
}

/// Reports whether a model of `OpenAI` thinks before it speaks: such a one is at its best behind
/// the Responses API.
pub(super) fn is_reasoning(model: &str) -> bool {
    let name = bare(model);
    let begins = ["gpt-5", "o1", "o3", "o4", "codex-"];
    begins.iter().any(|start| name.starts_with(start)) && !name.contains("-chat")
}

fn known(&(_, window, output, efforts, thinking, native_format): &Line) -> Profile {
    let capabilities = Capabilities {
        context_window: Some(window),
        max_output: Some(output),
        images: true,
        documents: true,
        native_format,
        forced_tool: true,
        effort: !efforts.is_empty(),
    };
    Profile { capabilities, efforts, thinking }
}

/// Forcing a tool is as old as the APIs, and who asks for effort is told when it is refused.
fn unknown(efforts: &'static [Effort]) -> Profile {
    let capabilities = Capabilities { forced_tool: true, effort: true, ..Capabilities::default() };
    Profile { capabilities, efforts, thinking: Thinking::Own }
}

fn find<'a>(table: &'a [Line], model: &str) -> Option<&'a Line> {
    table.iter().find(|(names, ..)| names.iter().any(|known| is_named(model, known)))
}

/// Reports whether `model` is the one that is known as `known`, whatever stands around that: what
/// routers and clouds put before it, and a date or a tag behind it.
pub(super) fn is_named(model: &str, known: &str) -> bool {
    let name = bare(model);
    // Routers write Anthropic's versions with a dot.
    let rest = name.strip_prefix(known).map(str::to_owned);
    let rest = rest.or_else(|| name.replace('.', "-").strip_prefix(known).map(str::to_owned));
    let tags = ["-20", "-latest", "-v1", "-v2", "@", ":", "["];
    rest.is_some_and(|rest| rest.is_empty() || tags.iter().any(|tag| rest.starts_with(tag)))
}

fn bare(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.rsplit_once("anthropic.").map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_tags_and_routers_change_nothing_and_another_version_is_another_model() {
        for name in [
            "claude-opus-4-5",
            "claude-opus-4-5-20251101",
            "claude-opus-4-5@20251101",
            "anthropic/claude-opus-4.5",
            "anthropic/claude-opus-4.5:beta",
            "us.anthropic.claude-opus-4-5-20251101-v1:0",
        ] {
            assert!(is_named(name, "claude-opus-4-5"), "{name}");
            assert!(!is_named(name, "claude-opus-4"), "{name}");
        }
        assert!(is_named("claude-sonnet-4-20250514", "claude-sonnet-4"));
        assert!(!is_named("claude-opus-5-1", "claude-opus-5"));
        assert!(!is_named("gpt-5.1", "gpt-5"));
    }

    #[test]
    fn the_families_differ_in_what_they_take() {
        let opus = of_anthropic("claude-opus-5").capabilities;
        assert_eq!((opus.context_window, opus.max_output), (Some(1_000_000), Some(128_000)));
        assert!(opus.images && opus.documents && opus.native_format && opus.effort);
        let haiku = of_anthropic("claude-haiku-4-5-20251001").capabilities;
        assert!(!haiku.effort && haiku.native_format && haiku.documents);
        assert_eq!(of_anthropic("claude-3-haiku-20240307").capabilities.max_output, Some(4096));
        assert!(!of_anthropic("claude-3-haiku-20240307").capabilities.documents);
        assert!(of_openai("gpt-4o-mini").capabilities.native_format);
        assert!(!of_openai("gpt-4o-mini").capabilities.effort);
    }

    #[test]
    fn of_a_model_that_nobody_knows_nothing_is_believed() {
        for profile in [of_anthropic("standin"), of_openai("qwen3:8b"), of_openai("gpt-5.9")] {
            let Capabilities {
                context_window, max_output, images, documents, native_format, ..
            } = profile.capabilities;
            assert_eq!((context_window, max_output), (None, None));
            assert!(!images && !documents && !native_format);
        }
        // Behind a router it keeps what does not depend on the wire.
        let routed = of_openai("anthropic/claude-sonnet-5").capabilities;
        assert!(routed.images && !routed.native_format && !routed.documents);
    }

    #[test]
    fn a_word_that_a_model_lacks_becomes_the_next_below() {
        let effort = |model: &str, asked| of_anthropic(model).effort(Some(asked));
        assert_eq!(effort("claude-opus-5", Effort::Xhigh), Some(Effort::Xhigh));
        assert_eq!(effort("claude-opus-4-6", Effort::Xhigh), Some(Effort::High));
        assert_eq!(effort("claude-opus-4-6", Effort::Max), Some(Effort::Max));
        assert_eq!(effort("claude-haiku-4-5", Effort::Low), None);
        assert_eq!(of_openai("gpt-5.2").effort(Some(Effort::Max)), Some(Effort::Xhigh));
        assert_eq!(of_openai("gpt-5").effort(Some(Effort::Max)), Some(Effort::High));
        assert_eq!(of_openai("gpt-5").effort(None), None);
    }

    #[test]
    fn a_reply_has_the_usual_length_unless_the_model_or_somebody_says_otherwise() {
        let limit =
            |model, asked, effort| of_anthropic(model).capabilities.reply_limit(asked, effort);
        assert_eq!(limit("claude-opus-5", None, None), 32_000);
        assert_eq!(limit("claude-opus-5", None, Some(Effort::Max)), 64_000);
        assert_eq!(limit("claude-opus-5", Some(100_000), None), 100_000);
        assert_eq!(limit("claude-3-5-haiku-latest", None, None), 8192);
        assert_eq!(limit("claude-3-5-haiku-latest", Some(9000), None), 8192);
        assert_eq!(limit("standin", Some(99), None), 99);
    }

    #[test]
    fn the_fifth_generation_and_the_o_series_reason() {
        for name in ["gpt-5", "gpt-5.2-codex", "o3", "o4-mini", "codex-mini-latest"] {
            assert!(is_reasoning(name), "{name}");
        }
        for name in ["gpt-4o", "gpt-5-chat-latest", "omni", "llama"] {
            assert!(!is_reasoning(name), "{name}");
        }
    }
}
