"""Charts of a table's rows, as SVG that stands in a page by itself: no script, no address, no font from elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from tasks.policy.money import minor_unit
from tasks.reporting.printable import plain_words, printable
from tasks.reporting.tables import Kind, Table, readable

MOST_BARS = 12
MOST_DAYS = 62
MOST_CHARTS = 4
"""Charts of one table."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Rows of a table of which one chart is drawn: of one store, and of one currency where it shows money.

    `first` is the place of the first row in the table; the rows are one after another.
    """

    title: str
    first: int
    labels: tuple[str, ...]
    values: tuple[Any, ...]
    kind: Kind
    currency: str = ""
    days: bool = False


def bars_of(table: Table, most: int = MOST_CHARTS) -> list[Bars]:
    """What is drawn of a table: nothing where it names no chart, or where there is just one bar."""
    if not table.chart:
        return []
    return [bars for bars in _all_bars(table) if len(bars.labels) > 1][:most]


def _all_bars(table: Table) -> Iterator[Bars]:
    store, label, value = table.place("store"), table.place(table.label), table.place(table.chart)
    column, days = table.columns[value], table.columns[label].kind is Kind.DAY
    money = column.kind is Kind.MONEY

    def group(placed: tuple[int, tuple[Any, ...]]) -> tuple[str, str]:
        return str(placed[1][store]), table.currency(placed[1]) if money else ""

    for (name, currency), found in groupby(enumerate(table.rows), key=group):
        rows = list(found)[: MOST_DAYS if days else MOST_BARS]
        if not any(row[value] for _, row in rows):
            continue
        title = f"{table.title}: {column.title.lower()}, {name}{f', {currency}' if currency else ''}"
        labels = tuple(_label(table, row, label) for _, row in rows)
        yield Bars(title, rows[0][0], labels, tuple(row[value] for _, row in rows), column.kind, currency, days)


def _label(table: Table, row: tuple[Any, ...], place: int) -> str:
    cell = row[place]
    if isinstance(cell, date):
        return f"{cell.day} {cell:%b}"
    text = printable(plain_words(readable(cell, table.columns[place].kind)))
    return text if len(text) <= 28 else f"{text[:27]}…"


def chart_svg(bars: Bars) -> str:
    """The chart as an `svg` element: days upright from left to right, all else lying, the largest on top."""
    import pygal  # noqa: PLC0415 - it takes a while, and few runs draw
    from pygal.style import Style  # noqa: PLC0415

    upright = bars.days
    chart = (pygal.Bar if upright else pygal.HorizontalBar)(
        js=(),
        no_prefix=True,
        disable_xml_declaration=True,
        show_legend=False,
        title=bars.title,
        width=760,
        height=230 if upright else 70 + 26 * len(bars.labels),
        explicit_size=False,
        print_values=not upright,
        value_formatter=_formatter(bars),
        margin=8,
        style=Style(label_font_size=14),  # by it the room for labels is reckoned; how they look says `STYLE`
        spacing=6,
        show_minor_x_labels=True,
        x_label_rotation=0,
        truncate_label=-1,
        max_scale=6,
        include_x_axis=True,
        pretty_print=False,
    )
    order: Sequence[int] = range(len(bars.labels)) if upright else range(len(bars.labels) - 1, -1, -1)
    chart.x_labels = [bars.labels[place] for place in order]
    if upright and len(bars.labels) > 16:
        chart.x_labels_major_every, chart.show_minor_x_labels = 7, False
    chart.add("", [float(bars.values[place]) for place in order])
    chart.add_xml_filter(_bare)
    drawn: str = chart.render(is_unicode=True)
    return drawn


def _formatter(bars: Bars) -> Any:
    digits = minor_unit(bars.currency) if bars.kind is Kind.MONEY else 0
    return lambda value: f"{value:,.{digits}f}"


def _bare(root: Any) -> Any:
    """The drawing alone: no script, no style (`STYLE` has it for all charts), and no tips, which need one."""
    for parent in list(root.iter()):
        for child in list(parent):
            tag = str(child.tag).rpartition("}")[2]
            if tag in {"script", "defs", "desc"} or not isinstance(child.tag, str):
                parent.remove(child)
            elif child.get("class") in {"tooltip", "tooltip-overlay", "plot overlay", ""}:
                if child.get("class") == "":
                    del child.attrib["class"]
                elif not len(child):
                    parent.remove(child)
    return root


STYLE = """
  svg.pygal-chart { font-family: system-ui, sans-serif; font-size: 11px; }
  svg.pygal-chart text { fill: #1c1c1c; } svg.pygal-chart .background { fill: none; }
  svg.pygal-chart .title { font-size: 13px; font-weight: 600; text-anchor: middle; }
  svg.pygal-chart .axis.y text { text-anchor: end; } svg.pygal-chart .axis.x text { text-anchor: middle; }
  svg.pygal-chart .axis.x text[transform] { text-anchor: start; }
  svg.pygal-chart .centered { text-anchor: middle; }
  svg.pygal-chart .guide.line { stroke: #ddd; fill: none; }
  svg.pygal-chart .axis .line.major { stroke: #999; fill: none; }
  svg.pygal-chart .horizontal .axis.y .guide.line, svg.pygal-chart .vertical .axis.x .guide.line { display: none; }
  svg.pygal-chart .bar .rect { fill: #9dbbd8; }
"""
"""How charts look; it stands in the page that has them."""
