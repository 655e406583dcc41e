"""The console script and `python -m plimsoll`: signals as they must be, before anything else is loaded.

Rule: nothing heavy is imported above `main`; loading the command line takes a quarter of a second, and an interrupt
in the middle of it would be a traceback.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Runs the command line; until it is loaded Ctrl-C ends the process as the kernel does."""
    # a parent may have had its children's ends ignored, which is inherited; we wait for ours
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else it is ignored
    if is_ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from plimsoll import cli  # see the rule

    if is_ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


if __name__ == "__main__":
    main()
