"""Compares what agentlua sees of a model with what the official SDKs see.

    compare.py PATH_TO_STANDIN PATH_TO_AGENTLUA

Reads the list that `check.py` prints from standard input. For the same scenarios it runs agentlua against a stand-in
and compares, on both wires: the final text, the number of turns, each call that came back to the model, and the
usage summed over the turns. Usage depends on what was asked, so only scenarios with a fixed `usage=` compare it.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from check import SCENARIOS, standin

SCRIPT = """
local outcome = agent.query { prompt = arg[1], worktree = true }
print(json.encode { text = outcome.result, turns = outcome.num_turns, usage = outcome.usage })
"""
WIRES = {
    "anthropic": ("ANTHROPIC", ""),
    "openai": ("OPENAI", "/v1"),
}


def calls_in(request):
    """Returns the calls that a request brings back, in either wire format."""
    calls = []
    for message in request["messages"]:
        if message["role"] != "assistant":
            continue
        for call in message.get("tool_calls") or []:
            calls.append({"name": call["function"]["name"], "input": json.loads(call["function"]["arguments"])})
        content = message.get("content")
        for block in content if isinstance(content, list) else []:
            if block["type"] == "tool_use":
                calls.append({"name": block["name"], "input": block["input"]})
    return calls


def repository(folder, files=None):
    work = folder / "work"
    work.mkdir()
    for name, content in ({"README.md": b"hello\n"} | (files or {})).items():
        (work / name).write_bytes(content)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": "/dev/null"}
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "start"]):
        subprocess.run(["git", *arguments], cwd=work, env=environment, check=True)
    return work, environment


def agentlua_sees(agentlua, program, wire, prompt):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        work, environment = repository(folder)
        (folder / "main.lua").write_text(SCRIPT)
        log = folder / "log"
        server = subprocess.Popen(
            [program, "--port", "0", "--log", str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            base_url = server.stdout.readline().removeprefix("listening on ").strip()
            variable, path = WIRES[wire]
            environment |= {
                f"{variable}_API_KEY": "standin",
                f"{variable}_BASE_URL": base_url + path,
                "AGENTLUA_MODEL": f"{wire}/standin",
                "AGENTLUA_WORKTREE_ROOT": str(folder / "worktrees"),
            }
            ran = subprocess.run(
                [agentlua, "run", "--quiet", str(folder / "main.lua"), prompt],
                cwd=work, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60,
            )
            report = json.loads(standin(base_url, "GET", "report"))
            assert report["violations"] == [], report["violations"]
            assert report["failed_scenarios"] == [], report["failed_scenarios"]
        finally:
            server.stdin.close()
            server.wait(timeout=10)
        last = json.loads(log.read_text().splitlines()[-1])
        return json.loads(ran.stdout) | {"calls": calls_in(last["request"])}


def sdk_sees(turns):
    usage = {key: sum(turn["usage"][key] for turn in turns) for key in turns[0]["usage"]}
    calls = [call for turn in turns for call in turn["calls"]]
    return {"text": turns[-1]["text"], "turns": len(turns), "usage": usage, "calls": calls}


def main():
    program, agentlua = sys.argv[1:]
    seen = json.load(sys.stdin)
    fixed = 0
    for one in seen:
        prompt = SCENARIOS[one["scenario"]]
        theirs, ours = sdk_sees(one["turns"]), agentlua_sees(agentlua, program, one["wire"], prompt)
        if "usage=" in prompt:
            fixed += 1
        else:
            del theirs["usage"], ours["usage"]
        assert ours == theirs, f"{one['wire']} {one['scenario']}:\n agentlua {ours}\n the SDK  {theirs}"
    assert fixed > 1, "no scenario compares the usage"
    print(f"agentlua sees what the SDKs see, {len(seen)} times ({fixed} with the usage)")


if __name__ == "__main__":
    main()
