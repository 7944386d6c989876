"""The layout of the help: in narrow terminals, descriptions stand below names."""

from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel
from cyclopts.help.specs import ColumnSpec, DescriptionRenderer, NameRenderer
from rich.console import Console, ConsoleOptions, Group
from rich.padding import Padding

_NARROW = 60  # columns: with fewer, long names would be broken


class Layout(DefaultFormatter):
    """Draws a group of options, or of commands."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Draw it with one column in narrow terminals, and else with two."""
        columns = (ColumnSpec(renderer=_below),) if console.width < _NARROW else None
        DefaultFormatter(column_specs=columns)(console, options, panel)


def _below(entry: HelpEntry) -> Group:
    description = Padding(DescriptionRenderer()(entry), (0, 0, 0, 2))
    return Group(NameRenderer()(entry), description)
