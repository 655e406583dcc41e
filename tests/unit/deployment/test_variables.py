"""The customer's environment variables, by AWS's rules (facts sheet E1, F5)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.deployment import parse_env
from plimsoll.deployment.variables import LIMIT_BYTES
from plimsoll.errors import CallerError

RESERVED = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
]
UNRESERVED = [
    "LANG",
    "PATH",
    "LD_LIBRARY_PATH",
    "NODE_PATH",
    "NODE_OPTIONS",
    "PYTHONPATH",
    "GEM_PATH",
    "AWS_XRAY_CONTEXT_MISSING",
    "TZ",
    "AWS_LAMBDA_EXEC_WRAPPER",
]


def refusal(*pairs: str) -> str:
    """What `parse_env` says against these."""
    with pytest.raises(CallerError) as caught:
        parse_env(pairs)
    return caught.value.message


@pytest.mark.parametrize(
    ("pairs", "variables"),
    [
        ([], {}),
        (["AB=1", "CD="], {"AB": "1", "CD": ""}),
        (["AB=x=y z"], {"AB": "x=y z"}),
        (["AB=1", "AB=2"], {"AB": "2"}),
    ],
)
def test_pairs(pairs: list[str], variables: dict[str, str]) -> None:
    """The first `=` splits, a value may be empty, and the last of a name counts."""
    assert variables == parse_env(pairs)


@pytest.mark.parametrize("name", RESERVED)
def test_reserved(name: str) -> None:
    """A reserved name is refused in AWS's own words."""
    assert refusal(f"{name}=x") == (
        f"--env {name}: Lambda was unable to configure your environment variables because the environment "
        "variables you have provided contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {name}"
    )


@pytest.mark.parametrize("name", UNRESERVED)
def test_unreserved(name: str) -> None:
    """The runtime's own variables that AWS lets a function override are taken."""
    assert parse_env([f"{name}=x"]) == {name: "x"}


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("AB", "--env AB: it has the form NAME=VALUE"),
        ("A=1", "--env A: a name matches [a-zA-Z]([a-zA-Z0-9_])+"),
        ("1A=1", "--env 1A: a name matches [a-zA-Z]([a-zA-Z0-9_])+"),
        ("_AB=1", "--env _AB: a name matches [a-zA-Z]([a-zA-Z0-9_])+"),
        ("A-B=1", "--env A-B: a name matches [a-zA-Z]([a-zA-Z0-9_])+"),
        ("AB\n=1", "--env AB\n: a name matches [a-zA-Z]([a-zA-Z0-9_])+"),
        ("=1", "--env : a name matches [a-zA-Z]([a-zA-Z0-9_])+"),
        ("AB=1\0", "--env AB: the value has a NUL byte"),
    ],
)
def test_malformed(pair: str, message: str) -> None:
    """A form, a name or a value that no environment can hold is refused by its name."""
    assert message == refusal(pair)


def test_four_kilobytes() -> None:
    """All variables together, as the JSON that AWS measures, fill 4 KB to the last byte and no further."""
    most = "x" * (LIMIT_BYTES - len('{"AB":""}'))
    assert parse_env([f"AB={most}"]) == {"AB": most}
    assert refusal(f"AB={most}x") == (
        "Lambda was unable to configure your environment variables because the environment variables you have "
        'provided exceeded the 4KB limit. String measured: {"AB":"' + "x" * 193 + "…"
    )


@given(
    st.dictionaries(
        st.from_regex(r"X[a-zA-Z0-9_]{1,8}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
        max_size=6,
    )
)
def test_reads_back(variables: dict[str, str]) -> None:
    """Any names in AWS's alphabet with any values come out as they went in."""
    assert len(json.dumps(variables)) < LIMIT_BYTES
    assert variables == parse_env([f"{name}={value}" for name, value in variables.items()])
