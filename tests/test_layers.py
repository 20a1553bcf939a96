"""The house stands: imports point down, nobody reaches past a package's door, and no room is outgrown."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "scraper"

# From the bottom up; a unit may import those of lower layers, never one of its own. "" is `scraper/__init__.py`.
LAYERS = [
    ["model"],
    ["errors", "printable", "secrets"],
    ["config", "urls"],
    ["traps"],
    ["scope", "seeds"],
    ["politeness", "fetch", "parse", "store", "outcome"],
    ["frontier"],
    ["crawler", "reports"],
    ["app", "demo"],
    ["cli", "web"],
    ["", "__main__"],
]
LAYER_OF = {unit: layer for layer, units in enumerate(LAYERS) for unit in units}
LONGEST_FILE = 300  # lines
LONGEST_FUNCTION = 40  # lines

_tree = cache(ast.parse)


def _name(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {_name(file): file.read_text(encoding="utf-8") for file in sorted(ROOT.rglob("*.py"))}


def _unit(module: str) -> str:
    """The unit that a module belongs to: `fetch` for `scraper.fetch.body`."""
    return module.split(".")[1] if "." in module else ""


@cache
def _offered(source: str) -> set[str] | None:
    """The names in `__all__`; None if there is none."""
    for node in _tree(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return set(ast.literal_eval(node.value))
    return None


def _imports(source: str) -> Iterator[tuple[int, str, str | None]]:
    """Yield line, module and name of every import, lazy and type-checking ones too; relative ones begin with a dot."""
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, module, alias.name) for alias in node.names)


def _targets(source: str, modules: set[str]) -> Iterator[tuple[int, str, str | None]]:
    """Yield line, module and name of every import from the house; a name that is a module counts as that module."""
    for line, module, name in _imports(source):
        if module.split(".")[0] in {"scraper", ""}:
            whole = f"{module}.{name}"
            yield (line, whole, None) if name and whole in modules else (line, module, name)


def violations(module: str, source: str, sources: dict[str, str]) -> list[str]:
    """Return what a module imports against the rules, each as one line."""
    own = _unit(module)
    found = []
    offered = {f"{package}.{name}" for package in sources for name in _offered(sources[package]) or ()}
    for line, target, name in _targets(source, set(sources) - offered):
        unit = _unit(target)
        if target.startswith("."):
            found.append(f"{module}:{line} imports relatively")
        elif unit == own and own:
            continue
        elif unit not in LAYER_OF:
            found.append(f"{module}:{line} imports {target}, which has no layer")
        elif LAYER_OF[unit] >= LAYER_OF.get(own, -1):
            found.append(f"{module}:{line} imports {target}, which is not below it")
        elif target.count(".") > 1:
            found.append(f"{module}:{line} reaches past the door of {unit} to {target}")
        elif name and f"scraper.{unit}" == target and name not in (_offered(sources[target]) or {name}):
            found.append(f"{module}:{line} imports {name}, which {target} does not offer")
    return found


def cycle(package: str, sources: dict[str, str]) -> list[str]:
    """Return modules of a package that import each other in a ring; empty if there is none."""
    within = {name for name in sources if f"{name}.".startswith(f"{package}.")}
    edges = {name: {to for _, to, _ in _targets(sources[name], within) if to in within} for name in within}
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for to in sorted(edges[name]):
            if ring := search(to, [*path, name]):
                return ring
        done.add(name)
        return []

    return next((ring for name in sorted(within) if (ring := search(name, []))), [])


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module):
    """A module imports only from lower layers, and of a package only what its door offers."""
    assert violations(module, SOURCES[module], SOURCES) == []


@pytest.mark.parametrize("module", SOURCES)
def test_every_module_has_its_place(module):
    """Each unit stands in one layer of the list."""
    assert _unit(module) in LAYER_OF


@pytest.mark.parametrize("package", [name for name in SOURCES if (ROOT.parent / name.replace(".", "/")).is_dir()][1:])
def test_a_package_has_no_ring_of_imports(package):
    """The modules of a package import each other in one direction."""
    assert cycle(package, SOURCES) == []


@pytest.mark.parametrize("package", [name for name in SOURCES if (ROOT.parent / name.replace(".", "/")).is_dir()])
def test_a_package_names_what_it_offers(package):
    """Each `__init__` has an `__all__`."""
    assert _offered(SOURCES[package]) is not None


@pytest.mark.parametrize("module", SOURCES)
def test_every_module_says_its_one_job(module):
    """Each module begins with a docstring."""
    assert ast.get_docstring(_tree(SOURCES[module]))


@pytest.mark.parametrize("module", SOURCES)
def test_no_room_is_outgrown(module):
    """A file has at most 300 lines, a function at most 40."""
    assert len(SOURCES[module].splitlines()) <= LONGEST_FILE
    functions = [
        (node.name, node.end_lineno - node.lineno + 1)
        for node in ast.walk(_tree(SOURCES[module]))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [(name, lines) for name, lines in functions if lines > LONGEST_FUNCTION] == []


HOUSE = {
    "scraper": "",
    "scraper.model": "",
    "scraper.urls": "",
    "scraper.scope": "",
    "scraper.fetch": "from scraper.fetch.body import decode\n__all__ = ['Fetcher', 'decode']",
    "scraper.fetch.body": "",
    "scraper.parse": "from scraper.parse.links import links\n__all__ = ['links']",  # the function, not the module
    "scraper.parse.links": "",
    "scraper.app": "",
    "scraper.cli": "",
}


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("scraper.app", "import aiohttp\nfrom scraper import urls\nfrom scraper.fetch import Fetcher", None),
        ("scraper.fetch", "from scraper.fetch.body import decode", None),
        ("scraper", "from scraper.app import crawl", None),
        ("scraper.urls", "from scraper.scope import Scope", "not below"),
        ("scraper.urls", "import scraper.scope", "not below"),
        ("scraper.urls", "from scraper import scope", "not below"),
        ("scraper.urls", "def lazy():\n    from scraper.scope import Scope", "not below"),
        ("scraper.urls", "if TYPE_CHECKING:\n    from scraper.scope import Scope", "not below"),
        ("scraper.fetch.body", "from scraper.parse import Page", "not below"),
        ("scraper.fetch.body", "from scraper import __version__", "not below"),
        ("scraper.app", "from scraper.fetch.body import decode", "reaches past the door of fetch"),
        ("scraper.app", "import scraper.fetch.body", "reaches past the door of fetch"),
        ("scraper.app", "from scraper.fetch import body", "reaches past the door of fetch"),
        ("scraper.app", "from scraper.parse import links", None),
        ("scraper.app", "from scraper.parse.links import links", "reaches past the door of parse"),
        ("scraper.app", "from scraper.fetch import secret", "does not offer"),
        ("scraper.fetch.body", "from . import body", "imports relatively"),
        ("scraper.fetch.body", "from ..model import Visit", "imports relatively"),
        ("scraper.app", "from scraper.attic import trunk", "has no layer"),
    ],
)
def test_each_bad_import_is_found(module, source, found):
    """The check above sees upward, sideways, lazy, typing-only, relative imports, and those past a door."""
    seen = violations(module, source, HOUSE)
    assert len(seen) == (1 if found else 0)
    assert found is None or found in seen[0]


@pytest.mark.parametrize(
    ("sources", "ring"),
    [
        ({"p": "from p import a", "p.a": "from p import b", "p.b": ""}, False),
        ({"p": "", "p.a": "from p.b import x", "p.b": "from p import a"}, True),
        ({"p": "from p.a import x", "p.a": "def f():\n    from p import x"}, True),
    ],
)
def test_a_ring_is_found(sources, ring):
    """Two modules that import each other, or a module and its own door, are a ring, lazily too."""
    house = {f"scraper.{name}": source.replace("from p", "from scraper.p") for name, source in sources.items()}
    assert bool(cycle("scraper.p", house)) is ring
