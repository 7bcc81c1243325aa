"""The cases of `python -m nnlite.gradcheck`: for every module a small input away from its kinks.

A case is (label, function returning checks); the label starts with the class name. A class may have
several. One file a family of modules.
"""

import importlib
import pkgutil


def cases():
    """Return all cases of the package, file by file."""
    files = sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name != "inputs")
    return [case for name in files for case in importlib.import_module(f"{__name__}.{name}").cases()]
