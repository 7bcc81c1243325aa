"""Make the API reference from the docstrings, a folder of HTML pages: python docs/api.py [FOLDER]

Needs the extra `docs`. Before any page is written, all names in backticks are looked up, and afterwards all
public names in the pages, and where their links lead; what is missing is printed, and the exit status is 1.
"""

import argparse
import html
import importlib
import inspect
import pkgutil
import re
import sys
import warnings
from pathlib import Path

import nnlite

#: Packages whose modules get a page; experiments and benchmarks are commands, with a --help.
PACKAGES = ("nnlite", "nnlite.models", "nnlite.data")
APART = ("nnlite.train", "nnlite.benchmarks", "nnlite.tests", "nnlite.gradcheck_cases")
#: Names in backticks that begin so are of others, or stand for something.
FOREIGN = {"None", "True", "False", "NNLITE_DATA", "NNLITE_THREADS", "OPENBLAS_CORETYPE"}
FOREIGN |= {"self", "module", "cupy", "bit_generator", "RNG"}


def modules():
    """Return {name: module} of all that gets a page."""
    found = {}
    for package in map(importlib.import_module, PACKAGES):
        found[package.__name__] = package
        for info in pkgutil.walk_packages(package.__path__[:1], package.__name__ + "."):
            if not info.name.startswith(APART) and not info.name.endswith("__main__"):
                found[info.name] = importlib.import_module(info.name)
    return found


def docstrings(module):
    """Yield (name, namespaces, docstring) of a module, its own classes and functions, and their methods."""
    yield module.__name__, [vars(module)], module.__doc__
    for name, thing in vars(module).items():
        if getattr(thing, "__module__", None) != module.__name__ or not hasattr(thing, "__doc__"):
            continue
        inside = [vars(one) for one in reversed(thing.__mro__)] if isinstance(thing, type) else []
        yield f"{module.__name__}.{name}", [vars(module), *inside], thing.__doc__
        for method, function in vars(thing).items() if isinstance(thing, type) else ():
            if callable(function) or isinstance(function, property):
                yield f"{module.__name__}.{name}.{method}", [vars(module), *inside], function.__doc__


def unresolved(found):
    """Return "where: name" for each dotted or capitalised name in backticks that does not exist."""
    everywhere = {}
    for module in found.values():
        everywhere |= {name: thing for name, thing in vars(module).items() if name[0].isupper()}
    everywhere |= {"nnlite": nnlite, "nn": nnlite}
    everywhere |= {name.split(".")[-1]: module for name, module in found.items() if name.count(".") == 1}
    wrong = []
    for module in found.values():
        package = sys.modules[module.__package__]
        for where, namespaces, text in docstrings(module):
            for name in re.findall(r"(?<!`)`([A-Za-z_][\w.]*)(?:\(\))?`", text or ""):
                first, *rest = name.split(".")
                a_file = name.endswith((".py", ".md", ".h5"))
                if first in FOREIGN or a_file or not (rest or name[0].isupper()):
                    continue
                scopes = (*namespaces[::-1], vars(package), everywhere)
                scopes = [scope for scope in scopes if first in scope]
                if not any(_reaches(scope[first], rest) for scope in scopes):
                    wrong.append(f"{where}: {name}")
    return wrong


def _reaches(thing, names):
    """Return whether `thing` has attributes of these names, one inside the other, or modules of theirs."""
    for name in names:
        if not hasattr(thing, name):
            # What `__init__` sets has no place in the class.
            return isinstance(thing, type) and f"self.{name}" in inspect.getsource(thing)
        thing = getattr(thing, name)
    return True


#: What the parts of a docstring begin with.
PART = r"(Shapes|Forward|Backward|Errors|Source|Attributes)\b"


#: Links of pdoc to what it does not show: bases whose names begin with _, and members of OSError.
HIDDEN = re.compile(r'<a href="[^"]*#(?:_\w+(?:\.\w+)?|CannotWrite\.(?:filename|strerror))">([^<]*)</a>')


def as_html(docstring):
    """Return a docstring as HTML: indented lines as they are, since formulas stand in them; names as code."""
    text = html.escape(docstring, quote=False)
    text = re.sub(rf"(?<=\S)\n(?!\s|{PART}|[-*|] )", " ", text)
    text = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)
    text = re.sub(f"^{PART}", r"<b>\1</b>", text, flags=re.MULTILINE)
    return f'<div style="white-space: pre-wrap">{text}</div>'


def write(folder, found):
    """Write the pages; return the public names of `nnlite` that are on none of them."""
    import pdoc
    from markupsafe import Markup

    pdoc.render.configure(docformat="markdown", show_source=False)
    # pdoc would read Markdown; what is written here is plain text.
    pdoc.render.env.filters["to_markdown"] = str
    pdoc.render.env.filters["to_html"] = lambda docstring: Markup(as_html(docstring))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The module specification")  # a package brings what is in it
        pdoc.pdoc(*found, *(f"!{package}" for package in APART), output_directory=folder)
    for path in folder.rglob("*.html"):
        path.write_text(HIDDEN.sub(r"\1", path.read_text(encoding="utf-8")), encoding="utf-8")
    page = (folder / "nnlite.html").read_text(encoding="utf-8")
    return [name for name in nnlite.__all__ if f'id="{name}"' not in page]


def broken_links(folder):
    """Return "page: link" of each link of the pages that leads to no page, or to no place in it."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))}
    places = {path.resolve(): set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    broken = []
    for path, text in pages.items():
        text = re.sub(r"<script\b.*?</script>", "", text, flags=re.DOTALL)  # those of the search
        for link in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', text):
            name, _, place = html.unescape(link).partition("#")
            target = (path.parent / name).resolve() if name else path.resolve()
            outside = link.startswith(("https:", "http:"))
            if not outside and (target not in places or (place and place not in places[target])):
                broken.append(f"{path.relative_to(folder)}: {link}")
    return broken


def main(argv=None):
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python docs/api.py", description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/api"), help="default: build/api")
    folder, found = parser.parse_args(argv).folder, modules()
    if wrong := unresolved(found):
        print("names that do not exist:", *wrong, sep="\n  ", file=sys.stderr)
        return 1
    if missing := write(folder, found):
        print("public names without a place:", *missing, sep="\n  ", file=sys.stderr)
        return 1
    if broken := broken_links(folder):
        print("links that lead nowhere:", *broken, sep="\n  ", file=sys.stderr)
        return 1
    print(f"{len(found)} modules: {folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
