"""Points the official Python SDKs at the stand-in and says what they see.

    check.py PATH_TO_STANDIN

Prints a JSON list of `{scenario, wire, turns: [{text, calls: [{name, input}], usage: {…}}]}`, for comparison
with what agentlua sees. Fails when streaming and not streaming differ, or when the stand-in saw a violation.
"""

import json
import subprocess
import sys
import urllib.request

import anthropic
import openai

SYSTEM = "You are a careful colleague."
SCENARIOS = {
    "text": r'[[scenario text say="Grüße, \"world\".\nSecond line." usage=100/20/30/40]]',
    "look": '[[scenario look turns=4 file=README.md command="echo hi" usage=100/20/30/40]]',
    "thinking": "[[scenario thinking file=README.md usage=7/5/3/1]]",
    "retry": "[[scenario text say=again fault=429:10ms@1]]",
}
RESULTS = {"Read": "     1\tcanned\n", "Bash": "canned\n"}
TOOLS = {
    "Read": ("Reads a file.", {"file_path": {"type": "string"}}),
    "Bash": ("Runs a command.", {"command": {"type": "string"}}),
}


def schema(properties):
    required = list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


class Anthropic:
    wire = "anthropic"

    def __init__(self, base_url):
        self.client = anthropic.Anthropic(base_url=base_url, api_key="standin")
        self.tools = [
            {"name": name, "description": description, "input_schema": schema(properties)}
            for name, (description, properties) in TOOLS.items()
        ]

    def begin(self, prompt):
        return [{"role": "user", "content": prompt}]

    def ask(self, messages, stream):
        request = {
            "model": "standin",
            "max_tokens": 1000,
            "system": [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
            "tools": self.tools,
            "messages": messages,
        }
        if not stream:
            return self.client.messages.create(**request)
        with self.client.messages.stream(**request) as events:
            return events.get_final_message()

    def turn(self, reply):
        usage = reply.usage
        return {
            "text": "".join(block.text for block in reply.content if block.type == "text"),
            "calls": [
                {"name": block.name, "input": block.input} for block in reply.content if block.type == "tool_use"
            ],
            "usage": {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cache_read_input_tokens": usage.cache_read_input_tokens,
                "cache_creation_input_tokens": usage.cache_creation_input_tokens,
            },
        }

    def go_on(self, messages, reply):
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[block.name]}
            for block in reply.content
            if block.type == "tool_use"
        ]
        messages.append({"role": "assistant", "content": reply.content})
        messages.append({"role": "user", "content": results})


class OpenAI:
    wire = "openai"

    def __init__(self, base_url):
        self.client = openai.OpenAI(base_url=base_url + "/v1", api_key="standin")
        self.tools = [
            {
                "type": "function",
                "function": {
                    "name": name,
                    "description": description,
                    "parameters": schema(properties),
                    "strict": True,
                },
            }
            for name, (description, properties) in TOOLS.items()
        ]

    def begin(self, prompt):
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]

    def ask(self, messages, stream):
        request = {"model": "standin", "tools": self.tools, "messages": messages}
        if not stream:
            return self.client.chat.completions.create(**request)
        with self.client.chat.completions.stream(**request, stream_options={"include_usage": True}) as events:
            return events.get_final_completion()

    def turn(self, reply):
        message, usage = reply.choices[0].message, reply.usage
        cached = usage.prompt_tokens_details.cached_tokens
        return {
            "text": message.content or "",
            "calls": [
                {"name": call.function.name, "input": json.loads(call.function.arguments)}
                for call in message.tool_calls or []
            ],
            "usage": {
                "input_tokens": usage.prompt_tokens - cached,
                "output_tokens": usage.completion_tokens,
                "cache_read_input_tokens": cached,
                "cache_creation_input_tokens": 0,
            },
        }

    def go_on(self, messages, reply):
        message = reply.choices[0].message
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls
        ]
        said = {"role": "assistant", "content": message.content, "tool_calls": calls}
        # No field of the SDK, but what servers with reasoning want back.
        if reasoning := (message.model_extra or {}).get("reasoning_content"):
            said["reasoning_content"] = reasoning
        messages.append(said)
        for call in message.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": RESULTS[call.function.name]})


def run(sdk, prompt, stream):
    messages, turns = sdk.begin(prompt), []
    while len(turns) < 10:
        reply = sdk.ask(messages, stream)
        turns.append(sdk.turn(reply))
        if not turns[-1]["calls"]:
            return turns
        sdk.go_on(messages, reply)
    raise SystemExit(f"{sdk.wire}: the scenario does not end")


def standin(base_url, method, path):
    request = urllib.request.Request(base_url + "/standin/" + path, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def main():
    program = subprocess.Popen([sys.argv[1], "--port", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        base_url = program.stdout.readline().removeprefix("listening on ").strip()
        seen = []
        for sdk in (Anthropic(base_url), OpenAI(base_url)):
            for name, prompt in SCENARIOS.items():
                ways = []
                for stream in (True, False):
                    standin(base_url, "POST", "reset")
                    ways.append(run(sdk, prompt, stream))
                    report = json.loads(standin(base_url, "GET", "report"))
                    assert report["violations"] == [], report["violations"]
                    assert report["failed_scenarios"] == [], report["failed_scenarios"]
                assert ways[0] == ways[1], f"{sdk.wire} {name}: streamed {ways[0]}, else {ways[1]}"
                seen.append({"scenario": name, "wire": sdk.wire, "turns": ways[0]})
        print(json.dumps(seen, indent=2, ensure_ascii=False))
    finally:
        program.stdin.close()
        program.wait(timeout=10)


if __name__ == "__main__":
    main()
