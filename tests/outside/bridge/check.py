"""LiteLLM's proxy between two wire formats, and agentlua on both ends of it.

    check.py PATH_TO_STANDIN PATH_TO_AGENTLUA

agentlua speaks Chat Completions to the proxy, which speaks the Messages API to the stand-in, and the other way
round: what a third party makes of our requests has to satisfy a strict server, and what it makes of that server's
answers has to satisfy us. The agents call tools, side by side too, and have to finish with the right work.
"""

import json
import os
import pathlib
import secrets
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from play import agentlua, get, program, wait_for

SCRIPT = """
local outcome = agent.query { prompt = arg[1], worktree = true }
return { text = outcome.result, turns = outcome.num_turns, usage = outcome.usage, ok = outcome.ok }
"""
SCENARIOS = {
    "text": r'[[scenario text say="Grüße, \"world\".\nSecond line."]]',
    "look": '[[scenario look turns=4 file=README.md command="echo hi"]]',
}
# Imports alone take a loaded machine half a minute.
START = 180


def config(base_url, folder):
    path = folder / "config.yaml"
    models = {"as-anthropic": ("anthropic", base_url), "as-openai": ("openai", base_url + "/v1")}
    path.write_text(
        json.dumps(
            {
                "model_list": [
                    {
                        "model_name": name,
                        "litellm_params": {"model": f"{wire}/standin", "api_base": base, "api_key": "standin"},
                    }
                    for name, (wire, base) in models.items()
                ],
                # Else it asks OpenAI's other API, which few servers have.
                "litellm_settings": {"use_chat_completions_url_for_anthropic_messages": True},
            }
        )
    )
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    standin, binary = sys.argv[1:]
    key = f"sk-{secrets.token_hex(32)}"
    with tempfile.TemporaryDirectory() as name, program([standin, "--port", "0", "--respelled"], stdout=-1) as server:
        folder = pathlib.Path(name)
        base_url = server.stdout.readline().removeprefix("listening on ").strip()
        port = free_port()
        command = [
            pathlib.Path(sys.prefix) / "bin" / "litellm", "--config", config(base_url, folder),
            "--host", "127.0.0.1", "--port", str(port),
        ]
        environment = {
            "PATH": os.environ["PATH"], "HOME": name, "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1",
        }
        log = folder / "litellm.log"
        with log.open("w") as output, program(command, env=environment, stdout=output, stderr=output) as proxy:
            proxy_url = f"http://127.0.0.1:{port}"
            try:
                wait_for("LiteLLM", lambda: get(f"{proxy_url}/health/liveliness"), START, proxy)
                environment = {
                    "OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{proxy_url}/v1",
                    "ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": proxy_url,
                }
                for model in ("openai/as-anthropic", "anthropic/as-openai"):
                    for scenario, prompt in SCENARIOS.items():
                        run(binary, base_url, environment | {"AGENTLUA_MODEL": model}, scenario, prompt)
            except BaseException:
                print(log.read_text()[-5000:], file=sys.stderr)
                raise


def run(binary, base_url, environment, scenario, prompt):
    get(f"{base_url}/standin/reset", "POST")
    events, last = agentlua(binary, SCRIPT, environment, prompt)
    what = f"{environment['AGENTLUA_MODEL']} {scenario}"
    assert last["status"] == "completed", f"{what}: {last}"
    outcome = last["result"]
    calls = [
        block["name"]
        for event in events
        if event["type"] == "assistant"
        for block in event["message"]["content"]
        if block["type"] == "tool_use"
    ]
    failed = [
        block
        for event in events
        if event["type"] == "user"
        for block in event["message"]["content"]
        if block.get("is_error")
    ]
    assert not failed, f"{what}: {failed}"
    if scenario == "text":
        assert outcome["text"] == 'Grüße, "world".\nSecond line.', f"{what}: {outcome}"
    else:
        assert outcome["turns"] == 4 and len(calls) >= 3, f"{what}: {outcome} {calls}"
    assert outcome["usage"]["input_tokens"] > 0 and outcome["usage"]["output_tokens"] > 0, f"{what}: {outcome}"
    report = json.loads(get(f"{base_url}/standin/report"))
    assert report["failed_scenarios"] == [], f"{what}: {report}"
    assert report["violations"] == [], f"{what}: {report['violations']}"
    print(f"{what}: {outcome['turns']} turns, {len(calls)} calls, through LiteLLM")


if __name__ == "__main__":
    main()
