"""Custom runtimes: whatever is called bootstrap is run, from the package or from a layer, with nothing installed."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from plimsoll.model import Function
from tests.kernel.conftest import invoke, log_text, plimsoll, response

if TYPE_CHECKING:
    from pathlib import Path

    from plimsoll.fleet import Fleet

RUNTIME = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char answer[1 << 16];
static void call(const char *request) {
  char *host = strdup(getenv("AWS_LAMBDA_RUNTIME_API")), *port = strchr(host, ':'), *body, *length;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port + 1))};
  *port = 0;
  inet_pton(AF_INET, host, &to.sin_addr);
  int api = socket(AF_INET, SOCK_STREAM, 0), got, all = 0;
  if (connect(api, (void *)&to, sizeof to) || write(api, request, strlen(request)) < 0) exit(3);
  while ((got = read(api, answer + all, sizeof answer - 1 - all)) > 0) {
    answer[all += got] = 0;
    body = strstr(answer, "\r\n\r\n"), length = strcasestr(answer, "content-length:");
    if (body && length && answer + all >= body + 4 + atoi(length + 15)) break;
  }
  close(api), free(host);
}
static const char *of(const char *name) { return getenv(name) ? getenv(name) : ""; }
int main(int argc, char **argv) {
  char id[64], json[1 << 16], request[1 << 17];
  for (;;) {
    call("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    sscanf(strcasestr(answer, "lambda-runtime-aws-request-id:") + 30, " %63[^\r]", id);
    printf("hello from C\n"), fflush(stdout);
    snprintf(json, sizeof json, "{\"event\":%s,\"argv\":\"%s\",\"execution\":\"%s\",\"handler\":\"%s\",\"path\":\"%s\","
      "\"cwd\":\"%s\"}", strstr(answer, "\r\n\r\n") + 4, argv[0], of("AWS_EXECUTION_ENV"), of("_HANDLER"), of("PATH"),
      get_current_dir_name());
    snprintf(request, sizeof request, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
      "Content-Length: %zu\r\n\r\n%s", id, strlen(json), json);
    call(request);
  }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A static program that speaks the Runtime API; skips without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("program")
    (folder / "runtime.c").write_text(RUNTIME)
    command = [compiler, "-static", "-O1", "-w", "-o", "runtime", "runtime.c"]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0:
        pytest.skip("the compiler makes no static programs")
    return (folder / "runtime").read_bytes()


def package(folder: Path, program: bytes | None, mode: int = 0o755) -> Path:
    """A folder with a bootstrap, or with something else."""
    folder.mkdir()
    (folder / "data.txt").touch()
    if program is not None:
        (folder / "bootstrap").write_bytes(program)
        (folder / "bootstrap").chmod(mode)
    return folder


def function(code: Path, *layers: Path, **changed: Any) -> Function:
    """One on the custom runtime."""
    values = {"name": "f", "runtime": "provided.al2023", "handler": "any", **changed}
    return Function(code_root=code, layers=layers, **values)


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
@pytest.mark.parametrize("where", ["/var/task", "/opt"])
async def test_a_static_program_is_run(
    either_fleet: Fleet, tmp_path: Path, program: bytes, runtime: str, where: str
) -> None:
    """From the package, else from a layer; warm; without what belongs to a language; 15 to 17 MB, as AWS reports it."""
    tmp_path.chmod(0o755)
    code = package(tmp_path / "code", program if where == "/var/task" else None)
    layer = package(tmp_path / "layer", program)
    one = function(code, layer, runtime=runtime)
    completed = await invoke(either_fleet, one, {"x": 7}, times=2)
    assert response(completed) == {
        "event": {"x": 7},
        "argv": f"{where}/bootstrap",
        "execution": "",
        "handler": "any",
        "path": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "cwd": "/var/task",
    }
    assert completed.report.invocation == 2
    assert "hello from C\n" in log_text(completed)
    assert 14 <= completed.report.max_memory_used_mib <= 18


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        (b"#!/bin/sh\n", 0o644, "fork/exec /var/task/bootstrap: permission denied"),
        (b"no program\n", 0o755, "fork/exec /var/task/bootstrap: exec format error"),
        (b"#!/no/shell\r\n", 0o755, "fork/exec /var/task/bootstrap: no such file or directory"),
    ],
)
async def test_what_cannot_be_started(
    fleet: Fleet, tmp_path: Path, content: bytes | None, mode: int, said: str
) -> None:
    """It is Runtime.InvalidEntrypoint, in the words that AWS's users have reported."""
    tmp_path.chmod(0o755)
    completed = await invoke(fleet, function(package(tmp_path / "code", content, mode)))
    found = response(completed)
    assert found["errorType"] == completed.report.error_type == "Runtime.InvalidEntrypoint"
    assert found["errorMessage"] == f"RequestId: {completed.report.request_id} Error: {said}"


async def test_the_command_takes_a_bootstrap(tmp_path: Path, program: bytes) -> None:
    """A file of that name is enough: the runtime and the handler need not be named."""
    code = package(tmp_path / "code", program)
    status, out, err = await plimsoll("invoke", str(code / "bootstrap"), "--format", "json")
    assert (status, err) == (0, "")
    assert '"handler": "bootstrap"' in out.splitlines()[0]
