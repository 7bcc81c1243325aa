"""What the ablations of every experiment share: a group of runs that differ in one thing, and its table."""

from collections.abc import Mapping
from types import ModuleType
from typing import ClassVar


class Variants:
    """The comparison of a group of runs, one for each variant; beside it stands the experiment of a variant.

    variants: {name: (title, changed settings)}. table: the module with `build(results, titles)`,
    `save(folder, table)` and `format_table(table)`.
    """

    epilog = """
The run folder gets a run folder for each variant, ablations.md and ablations.json. Ctrl-C saves the run and
says how to continue it.
"""
    variants: ClassVar[Mapping]
    table: ClassVar[ModuleType]

    @classmethod
    def write_comparison(cls, folder, results):
        """Write the table of {variant: result of its run}."""
        cls.table.save(folder, cls._compared(results))

    @classmethod
    def show_comparison(cls, folder, results):
        """Print that table."""
        print("\n" + cls.table.format_table(cls._compared(results)))
        print(f"\nAll is in {folder}.")

    @classmethod
    def _compared(cls, results):
        return cls.table.build(results, {name: title for name, (title, _) in cls.variants.items()})
