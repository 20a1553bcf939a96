"""`python -m scraper`, and the command `scraper`: told to stop, it goes without a word, whatever it is importing."""

import os
import sys

# Until `main` runs a Ctrl-C is Python's own affair, and ends in a traceback; `signal` itself takes 4 ms to import.
from _signal import SIGINT, SIGTERM, signal  # type: ignore[import-not-found]

NUMBERS = (SIGINT, SIGTERM)


def leave(number: int, _: object = None) -> None:
    """End this process where it stands, with the code that says why.

    An exception would be a traceback in the midst of an import, and is lost in some places. What a command has to do
    first it says with `scraper.cli.signals`.
    """
    _remove_sockets()
    os._exit(128 + number)


def _remove_sockets() -> None:
    # The folder in which multiprocessing talks to its workers; only an exit in order would remove it.
    if (processes := sys.modules.get("multiprocessing.process")) is None:
        return
    if folder := processes.current_process()._config.get("tempdir"):  # noqa: SLF001 - there is no other way to ask
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Run the command line."""
    for number in NUMBERS:
        signal(number, leave)
    from scraper.cli import main as command_line

    try:
        command_line()
    except SystemExit as ended:
        if isinstance(ended.code, int) and ended.code - 128 in NUMBERS:
            # All is committed and closed, and the user waits. A thread that looks up a name, or parses, can be neither
            # cancelled nor left behind, and Python would wait for it.
            import atexit

            atexit._run_exitfuncs()  # noqa: SLF001 - temporary folders go, and no thread is waited for
            leave(ended.code - 128)
        raise


if __name__ == "__main__":
    main()
