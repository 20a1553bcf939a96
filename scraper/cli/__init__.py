"""The command line: it translates, nothing more. One file a command; heavy modules are imported when one runs."""

from __future__ import annotations

import importlib
import io
import os
import sys
from types import TracebackType
from typing import Any

import click

from scraper.errors import ConfigError, ScraperError

__all__ = ["commands", "main"]

_COMMANDS = {
    "crawl": ("Crawl", "start"),
    "resume": ("Crawl", "resume"),
    "demo": ("Crawl", "demo"),
    "try": ("Crawl", "try_page"),
    "extract": ("Crawl", "extract"),
    "crawls": ("Look", "crawls"),
    "status": ("Look", "status"),
    "query": ("Look", "query"),
    "export": ("Look", "export"),
    "db": ("Store", "db"),
    "config": ("Settings", "config"),
}


class _Commands(click.Group):
    """Commands are imported by name, and listed by what they are for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"scraper.cli.{_COMMANDS[cmd_name][1]}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read our output has seen enough (`| head`). Python would complain once more when it flushes.
            _abandon_stdout()
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(section for section, _ in _COMMANDS.values()):
            names = [name for name, (its, _) in _COMMANDS.items() if its == section]
            rows = [
                (name, command.get_short_help_str(80)) for name in names if (command := self.get_command(ctx, name))
            ]
            with formatter.section(section):
                formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="scraper", prog_name="scraper")
def commands() -> None:
    """Crawl websites politely and fast into a SQLite file; query it; resume what was interrupted.

    \b
    Example:
      scraper crawl https://example.com --depth 2
      scraper query "SELECT url, title FROM pages LIMIT 10"
    """


def _say(text: str, *, one_line: bool = True) -> None:
    from scraper.cli.output import say

    say(text, one_line=one_line)


def _show(error: click.ClickException) -> None:
    """Tell what click has to say of how it was called: it quotes what was typed, or pasted."""
    text = io.StringIO()
    error.show(file=text)
    _say(text.getvalue().rstrip("\n"), one_line=False)


def _excepted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a fault of ours: what it says of a page moves no cursor either."""
    import traceback

    _say("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"), one_line=False)


def _abandon_stdout() -> None:
    from scraper.cli.output import abandon

    abandon(sys.stdout)


def _open_what_is_closed() -> None:
    """Point standard streams that the caller closed (`>&-`) at nothing, or the store would get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open to the end


def main() -> None:
    """Run the command line; errors raised on purpose are told in one line, with their exit code."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):  # a terminal that is not of UTF-8 gets an escape, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = _excepted
    try:
        code = commands.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        _show(error)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except ScraperError as error:
        # A file of settings has all its mistakes told at once; nothing in it is a stranger's.
        _say(f"scraper: {error}", one_line=not isinstance(error, ConfigError))
        code = error.exit_code
    except OSError as error:  # a disk that is full under standard output, most of all
        _abandon_stdout()
        _say(f"scraper: {error.filename or 'standard output'}: {error.strerror or error}")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
