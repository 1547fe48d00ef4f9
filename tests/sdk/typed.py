"""Holds what agentlua sends against the request types of the official Python SDKs.

    typed.py PATH_TO_STANDIN PATH_TO_AGENTLUA

Agents with tools, thinking, pictures, schemas, forced tools and effort run over the three wire formats, and each
request has to be one that the SDK's own types allow: every field known, and of its type.
"""

import base64
import collections.abc
import json
import pathlib
import subprocess
import sys
import tempfile
import typing

import pydantic
import typing_extensions
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from check import standin
from compare import repository
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SCRIPT = """
local model = arg[1]
local schema = { score = "integer" }
local agents = {
  look = { prompt = '[[scenario look turns=3 file=shot.png command="echo hi"]]', effort = "high" },
  thinks = { prompt = "[[scenario thinking file=README.md]]", max_output_tokens = 2000 },
  native = { prompt = [=[[[scenario text say='{"score":9}']]]=], schema = schema },
  forced = { prompt = "[[scenario text say=Done.]]", schema = schema, model = arg[2] },
}
for _, query in pairs(agents) do
  query.model, query.worktree = query.model or model, true
end
local settled = agent.all_settled(agents)
for name, one in pairs(settled) do
  assert(one.ok or name == "forced" and one.outcome.subtype == "error_structured_output", tostring(one.error))
end
os.exit(0)
"""
# The format, a model that is known and one that is not, the variable, its path, the type, and what has to occur.
WIRES = [
    ("anthropic", "anthropic/claude-sonnet-5", "anthropic/unknown", "ANTHROPIC", "", MessageCreateParamsStreaming,
     ["output_config", "tool_choice", "image", "thinking", "cache_control", "effort"]),
    ("openai", "openai/gpt-4o", "openai/unknown", "OPENAI", "/v1", CompletionCreateParamsStreaming,
     ["response_format", "tool_choice", "image_url"]),
    ("responses", "openai-responses/gpt-5.2", "openai-responses/unknown", "OPENAI", "/v1", ResponseCreateParamsStreaming,
     ["text", "tool_choice", "input_image", "reasoning", "function_call_output"]),
]
# What servers with reasoning want back, and a block that the stand-in made up: the SDKs' types do not have them.
BEYOND = {"reasoning_content", "standin_block"}


def misfits(value, kind, at=""):
    """Yields where a value is not what a type of the SDK allows. The types are `TypedDict`s, whose further keys and
    iterables pydantic leaves alone, so these are walked here."""
    if isinstance(kind, typing.ForwardRef):
        return
    origin = typing.get_origin(kind)
    if origin is typing.Annotated or origin in (typing_extensions.Required, typing_extensions.NotRequired):
        yield from misfits(value, typing.get_args(kind)[0], at)
    elif origin in (typing.Required, typing.NotRequired):
        yield from misfits(value, typing.get_args(kind)[0], at)
    elif origin is typing.Union or str(type(kind)) == "<class 'types.UnionType'>":
        ways = [list(misfits(value, way, at)) for way in typing.get_args(kind)]
        if all(ways):
            # Of the alternatives the nearest says most.
            yield from max(ways, key=lambda way: max(len(why) for why in way))
    elif typing_extensions.is_typeddict(kind):
        yield from misfits_of_fields(value, kind, at)
    elif origin in (list, collections.abc.Iterable, collections.abc.Sequence):
        if not isinstance(value, list):
            yield f"{at}: no list"
            return
        for index, item in enumerate(value):
            yield from misfits(item, typing.get_args(kind)[0], f"{at}/{index}")
    else:
        try:
            pydantic.TypeAdapter(kind).validate_python(value, strict=kind is not object)
        except pydantic.ValidationError as error:
            yield f"{at}: {error.errors()[0]['msg']}"
        except pydantic.errors.PydanticSchemaGenerationError:
            yield f"{at}: JSON cannot be a {kind}"  # Such as an open file.


def misfits_of_fields(value, kind, at):
    if not isinstance(value, dict):
        yield f"{at}: no object"
        return
    fields = typing_extensions.get_type_hints(kind, include_extras=True)
    for name in kind.__required_keys__ - value.keys():
        yield f"{at}/{name}: missing"
    for name, field in value.items():
        if name not in fields:
            yield f"{at}/{name}: unknown"
        else:
            yield from misfits(field, fields[name], f"{at}/{name}")


def known_part(value):
    if isinstance(value, dict):
        return {name: known_part(field) for name, field in value.items() if name not in BEYOND}
    if isinstance(value, list):
        return [known_part(item) for item in value if not (isinstance(item, dict) and item.get("type") in BEYOND)]
    return value


def requests_of(program, agentlua, known, unknown, variable, path):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        work, environment = repository(folder, {"shot.png": PICTURE})
        (folder / "main.lua").write_text(SCRIPT)
        log = folder / "log"
        server = subprocess.Popen(
            [program, "--port", "0", "--log", str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            base_url = server.stdout.readline().removeprefix("listening on ").strip()
            environment |= {
                f"{variable}_API_KEY": "standin",
                f"{variable}_BASE_URL": base_url + path,
                "AGENTLUA_WORKTREE_ROOT": str(folder / "worktrees"),
            }
            subprocess.run(
                [agentlua, "run", "--quiet", str(folder / "main.lua"), known, unknown],
                cwd=work, env=environment, check=True, timeout=60,
            )
            report = json.loads(standin(base_url, "GET", "report"))
            assert report["violations"] == [], report["violations"]
        finally:
            server.stdin.close()
            server.wait(timeout=10)
        return [json.loads(line)["request"] for line in log.read_text().splitlines()]


def main():
    program, agentlua = sys.argv[1:]
    for wire, known, unknown, variable, path, kind, wanted in WIRES:
        requests = requests_of(program, agentlua, known, unknown, variable, path)
        text = json.dumps(requests)
        missing = [name for name in wanted if f'"{name}"' not in text]
        assert not missing, f"{wire}: no request has {missing}"
        for request in requests:
            wrong = list(misfits(known_part(request), kind))
            assert not wrong, f"{wire}: {wrong}"
        assert list(misfits(requests[0] | {"model": 7}, kind)), f"{wire}: this check cannot fail"
        print(f"{len(requests)} requests over {wire} are what the SDK's types allow")


if __name__ == "__main__":
    main()
