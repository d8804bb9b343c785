"""The lake's tables asked by Spark, in local mode, and compared with what DataFusion answered.

    python spark.py --tables FOLDER --answers FILE

FOLDER holds one folder with Parquet files for each table, FILE is what `consilium-distributed run --answers` wrote.
Every query of `queries/` is passed to Spark as it stands. Prints JSON; fails where an answer differs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

# By how much two numbers may differ, as a share of the larger one: sums are added up in another order.
MOST = 1e-9


def plain(value: Any) -> Any:
    """A cell as JSON has it; times and dates as text."""
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def firm(row: list[Any]) -> tuple[list[str], list[float]]:
    """What rows are ordered by: texts first, then numbers, since engines write whole numbers in different types."""
    texts = [json.dumps(cell) for cell in row if not is_number(cell)]
    numbers = [float(cell) for cell in row if is_number(cell)]
    return texts, numbers


def is_number(cell: Any) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def apart(one: Any, other: Any) -> float:
    """How far two cells are apart: 0 where they are the same, infinite where they cannot be compared."""
    if is_number(one) and is_number(other):
        return abs(one - other) / max(abs(one), abs(other), sys.float_info.min)
    return 0.0 if one == other and type(one) is type(other) else math.inf


def compare(mine: list[list[Any]], others: list[list[Any]]) -> tuple[float, str | None]:
    """The largest relative difference, and the first row that is not the same."""
    if len(mine) != len(others):
        return math.inf, f"{len(mine)} rows are not {len(others)}"
    most = 0.0
    for one, other in zip(sorted(mine, key=firm), sorted(others, key=firm)):
        most_here = max((apart(a, b) for a, b in zip(one, other)), default=0.0)
        if len(one) != len(other) or most_here > MOST:
            return math.inf, f"{one} is not {other}"
        most = max(most, most_here)
    return most, None


def main() -> int:
    parser = argparse.ArgumentParser(description="Ask the lake's tables by Spark and compare with DataFusion")
    parser.add_argument("--tables", type=Path, required=True, help="a folder with a folder for each table")
    parser.add_argument("--answers", type=Path, required=True, help="what DataFusion answered")
    parser.add_argument("--queries", type=Path, default=Path(__file__).parent / "queries")
    parser.add_argument("--cores", type=int, default=2, help="threads of Spark's local mode")
    arguments = parser.parse_args()
    answers = json.loads(arguments.answers.read_text())
    # Nothing but the loopback interface, no page, and the time zone of the lake.
    spark = (
        SparkSession.builder.master(f"local[{arguments.cores}]")
        .appName("consilium")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.maxResultSize", "1g")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", str(2 * arguments.cores))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    for table in sorted(path for path in arguments.tables.iterdir() if path.is_dir()):
        spark.read.parquet(str(table)).createOrReplaceTempView(table.name)
    report, same = [], True
    for query in sorted(arguments.queries.glob("*.sql")):
        begun = time.monotonic()
        frame = spark.sql(query.read_text())
        rows = [[plain(cell) for cell in row] for row in frame.collect()]
        seconds = time.monotonic() - begun
        answer = answers[query.stem]
        most, difference = compare(rows, answer["rows"])
        if rows and frame.columns != answer["columns"]:
            difference = f"the columns {frame.columns} are not {answer['columns']}"
        same = same and difference is None
        figure = {"query": query.stem, "rows": len(rows), "first_run_seconds": round(seconds, 3)}
        figure["equal"] = difference is None
        if difference is None:
            figure["largest_relative_difference"] = most
        else:
            figure["difference"] = difference
        report.append(figure)
    print(json.dumps({"spark": spark.version, "cores": arguments.cores, "queries": report}, indent=2))
    spark.stop()
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
