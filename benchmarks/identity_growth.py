"""What one more link costs: solving half of the links and all of them, in one warm session.

No race: the marginal time of a link is that of the second half over that of the first. At 1.0 time grows as links do.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contending import CORES, DRIVER_MEMORY, local_session
from benchmarks.drawn_links import NAMESPACES, SEED, SHAPES, Shape, write_links
from jobs.runtime.text_table import text_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RUNS = 3


def measure(size: str, cache: Path) -> dict[str, Any]:
    """Median seconds from Parquet to what was found, written down, for half of a size's links and for all."""
    whole = SHAPES[size]
    half = Shape(*(number // 2 for number in (whole.links, whole.identifiers, whole.chain, whole.star)))
    spark, seconds = local_session(), {"half": list[float](), "whole": list[float]()}
    for name, shape in (("half", half), ("whole", whole)):
        if not (cache / f"{size}-{name}").is_dir():
            write_links(shape, cache / f"{size}-{name}")
    for _ in range(RUNS + 1):
        for name, taken in seconds.items():
            clock = time.perf_counter()
            _solve(spark.read.parquet(str(cache / f"{size}-{name}")), cache / "solved")
            taken.append(time.perf_counter() - clock)
    medians = {name: round(statistics.median(taken[1:]), 3) for name, taken in seconds.items()}  # the first warms up
    marginal = (medians["whole"] - medians["half"]) / (whole.links - half.links) / (medians["half"] / half.links)
    work = {"seed": SEED, **whole.__dict__, "cores": CORES, "driver_memory": DRIVER_MEMORY, "runs": RUNS}
    return {"work": work, "median_s": medians, "marginal": round(marginal, 2)}


def _solve(links: DataFrame, target: Path) -> None:
    from conf.identity import IdentityConfig
    from transforms.identity.resolve import solve
    from transforms.identity.rules import ResolutionRules

    namespaces = [{"name": name, "max_linked": 2**40} for name in NAMESPACES]
    rules = ResolutionRules(IdentityConfig(namespaces=namespaces, max_identifiers_per_profile=2**40))
    solve(links.drop("severed"), rules).write.mode("overwrite").parquet(str(target))


def report_lines(report: dict[str, Any]) -> str:
    """The report for a person."""
    rows = [(name, report["work"]["links"] // (2 if name == "half" else 1), s) for name, s in report["median_s"].items()]
    table = text_table(("of the links", "links", "median s"), rows)
    told = f"a link of the second half costs {report['marginal']} of one of the first"
    return f"{report['name']}, size {report['size']}\n\n{table}\n\n{told}"
