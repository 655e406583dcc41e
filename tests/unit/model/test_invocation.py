"""The value that goes down the house: one event on its way to one environment."""

from __future__ import annotations

import uuid

from plimsoll.model import Invocation, Outcome


def test_payload_is_an_empty_object() -> None:
    """Without an event the function gets `{}`, as from AWS's own command line."""
    assert Invocation().payload == b"{}"


def test_request_ids_are_random_uuids() -> None:
    """Each invocation has a request id of its own in AWS's form, a version 4 UUID."""
    first, second = Invocation().request_id, Invocation().request_id
    assert first != second
    assert (first, 4) == (str(uuid.UUID(first)), uuid.UUID(first).version)


def test_outcome_of_a_handler_is_not_fatal() -> None:
    """An outcome resets the environment only where somebody says so."""
    assert Outcome("error", b"{}", "Error").fatal is False
