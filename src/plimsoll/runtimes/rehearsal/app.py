"""The function of a rehearsal (see fleet/rehearsal.py): it touches nothing but the runtime itself."""


def handler(event: object, context: object) -> None:
    """Answers at once."""
