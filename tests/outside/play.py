"""What the scripts here have in common: agentlua in a folder of its own, programs that end with us."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

GIT = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]


@contextlib.contextmanager
def program(command, **options):
    """Runs a program for the time of the block."""
    running = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, **options)
    try:
        yield running
    finally:
        running.stdin.close()
        running.terminate()
        try:
            running.wait(timeout=20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def get(url, method="GET", body=None, timeout=30):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read()


def wait_for(what, ready, limit, running=None):
    """Waits until `ready` returns something, and returns that. A server that is not there is not ready."""
    end = time.monotonic() + limit
    while True:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if found := ready():
                return found
        if running and running.poll() is not None:
            raise SystemExit(f"{what}: the program has ended with {running.returncode}")
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {limit} s")
        time.sleep(0.1)


def agentlua(binary, script, environment, *arguments, limit=120):
    """Runs a script in a new repository and returns its exit code, its events and its last line."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        work = folder / "work"
        work.mkdir()
        (work / "README.md").write_text("hello\n")
        around = {"PATH": os.environ["PATH"], "HOME": name, "GIT_CONFIG_GLOBAL": "/dev/null"}
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
            subprocess.run([*GIT, *command], cwd=work, env=around, check=True)
        (folder / "main.lua").write_text(script)
        around |= {"AGENTLUA_WORKTREE_ROOT": str(folder / "worktrees")} | environment
        command = [binary, "run", "--output-format", "stream-json", "--quiet", str(folder / "main.lua"), *arguments]
        ran = subprocess.run(command, cwd=work, env=around, stdout=subprocess.PIPE, text=True, timeout=limit)
    *events, last = [json.loads(line) for line in ran.stdout.splitlines()]
    assert last["type"] == "run" and last["exit_code"] == ran.returncode, last
    return events, last
