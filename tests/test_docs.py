"""What the README says is what the program does."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scraper.cli import commands
from scraper.politeness import failures_table

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def every_command(group: click.Group = commands, path: str = "scraper") -> Iterator[tuple[str, click.Command]]:
    """Each command with its full name, those of groups too."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")


COMMANDS = dict(every_command())


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_stands_in_the_readme(path):
    """Every command stands in the README under its full name."""
    assert re.search(rf"`{path}\b", README)


@pytest.mark.parametrize("path", COMMANDS)
def test_an_option_stands_in_the_readme(path):
    """Every spelling of every option of every command stands in the README."""
    spellings = {name for option in COMMANDS[path].params for name in (*option.opts, *option.secondary_opts)}
    missing = {name for name in spellings if name.startswith("-") and not re.search(rf"`?{re.escape(name)}\b", README)}
    assert not missing


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_has_help_with_an_example(path):
    """Every command's help has an example that begins with its own name, and every option says what it does."""
    command = COMMANDS[path]
    assert "Example:" in (command.help or "")
    assert path in (command.help or "")
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_the_readme_names_no_option_that_is_gone():
    """Every option that the README names exists."""
    known = {"--help", "--site", "--version"}
    for command in COMMANDS.values():
        for option in command.params:
            known.update(option.opts, option.secondary_opts)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) <= known


def test_the_readmes_two_commands_are_those_of_newcomers():
    """The two commands at the top are the ones that CI runs and that a newcomer copies."""
    assert "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/scraper demo" in README
    assert "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest" in README


def test_the_readme_holds_the_table_of_failures():
    """What is asked again is one table in the code, and the README's is the same."""
    assert failures_table() in README
