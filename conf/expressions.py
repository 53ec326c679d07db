"""SQL expressions from configuration: one expression, an allow-list of functions, and no way to raise on a bad row.

An expression is parsed, never pasted: configuration that calls ``java_method``, ``reflect``, ``read_files`` or a
subquery is refused. Spark's ANSI mode raises on the first value that does not parse, which would stop a whole run for
one bad row; so casts and arithmetic are rewritten to their ``try_`` forms, and every unguarded ``cast`` becomes a check
of its own: the row that fails it goes to quarantine under the name of the column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

ALLOWED_FUNCTIONS = frozenset(
    """
    abs array array_compact array_contains array_distinct array_join array_size between btrim bround case cast ceil ceiling
    char_length coalesce concat concat_ws contains date date_add date_format date_sub date_trunc datediff
    day dayofmonth dayofweek element_at endswith floor format_number from_unixtime get_json_object greatest hour if
    ifnull initcap instr isnan isnotnull isnull least left length like locate lower lpad ltrim make_date make_timestamp
    md5 minute month nullif nullifzero nvl nvl2 overlay pmod pow power quarter regexp_count regexp_extract regexp_like
    regexp_replace repeat replace reverse right rlike round rpad rtrim second sha1 sha2 sign signum split split_part
    startswith strpos substr substring substring_index timestamp timestamp_micros timestamp_millis timestamp_seconds
    to_date to_timestamp to_utc_timestamp translate trim try_add try_cast try_divide try_element_at try_multiply
    try_subtract try_to_date try_to_number try_to_timestamp typeof unbase64 unix_timestamp upper url_decode weekday year
    zeroifnull and or not xor
    """.split()
)

_ALLOWED_SYNTAX = (
    exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.DataType,
    exp.DataTypeParam, exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Binary, exp.Unary, exp.Between, exp.In, exp.Var,
    exp.Interval, exp.Tuple, exp.Bracket, exp.IntervalSpan, exp.JSONPath, exp.JSONPathPart,
    exp.FromTimeZone,  # to_utc_timestamp
)  # fmt: skip
_NUMERIC_COMPARISONS = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.EQ, exp.NEQ, exp.NullSafeEQ)
_SAFE_ARITHMETIC = {
    exp.Add: "try_add", exp.Sub: "try_subtract", exp.Mul: "try_multiply", exp.Div: "try_divide", exp.Mod: "try_mod",
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """A parsed expression. ``sql`` cannot raise on data; each of ``checks`` is true where a cast found what it needs."""

    text: str
    sql: str
    columns: tuple[str, ...]
    checks: tuple[str, ...]


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """Parses one Spark SQL expression. Raises ValueError saying what is wrong with it."""
    try:
        trees = sqlglot.parse(text, dialect="spark")
    except SqlglotError as error:
        raise ValueError(f"not a SQL expression: {text!r} ({str(error).splitlines()[0]})") from None
    if len(trees) != 1 or trees[0] is None:
        raise ValueError(f"expected one SQL expression, found {text!r}")
    tree = trees[0]
    _refuse_what_is_not_allowed(tree, text)
    columns = tuple(dict.fromkeys(column.name for column in tree.find_all(exp.Column)))
    explicit = tree.transform(_make_implicit_casts_explicit)
    parses = [node for node in explicit.walk() if _is_parse(node) and _is_always_evaluated(node)]
    checks = tuple(dict.fromkeys(_safe_sql(_parse_check(node)) for node in parses))
    return Expression(text, _safe_sql(explicit), columns, checks)


def _refuse_what_is_not_allowed(tree: exp.Expr, text: str) -> None:
    for node in tree.walk():
        if isinstance(node, (exp.Query, exp.Subquery, exp.Window, exp.AggFunc, exp.Star, exp.Lambda, exp.Command)):
            raise ValueError(f"{type(node).__name__.lower()} is not allowed in {text!r}: expected one row's expression")
        if isinstance(node, exp.Column) and node.table:
            raise ValueError(f"{node.sql('spark')} in {text!r}: name a column without a table")
        if isinstance(node, exp.Func) and not isinstance(node, _ALLOWED_SYNTAX):
            name = _function_name(node)
            if name not in ALLOWED_FUNCTIONS:
                raise ValueError(f"the function {name} is not allowed in {text!r}")
        elif not isinstance(node, (exp.Func, *_ALLOWED_SYNTAX)):
            raise ValueError(f"{type(node).__name__.lower()} is not allowed in {text!r}")


def _function_name(node: exp.Func) -> str:
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    rendered = node.sql("spark").split("(", 1)[0].strip().lower()
    return rendered if rendered.isidentifier() else node.sql_name().lower()


def _make_implicit_casts_explicit(node: exp.Expr) -> exp.Expr:
    """Raw columns are text: comparing one with a number is a cast that nobody wrote."""
    if isinstance(node, _NUMERIC_COMPARISONS):
        pairs = [(node.left, [node.right]), (node.right, [node.left])]
    elif isinstance(node, exp.Between):
        pairs = [(node.this, [node.args["low"], node.args["high"]])]
    elif isinstance(node, exp.In):
        pairs = [(node.this, node.expressions)]
    else:
        pairs = []
    for column, others in pairs:
        if isinstance(column, exp.Column) and any(_is_number(other) for other in others):
            column.replace(exp.Cast(this=column.copy(), to=exp.DataType.build("double")))
    return node


def _is_number(node: exp.Expr) -> bool:
    inner = node.this if isinstance(node, exp.Neg) else node
    return isinstance(inner, exp.Literal) and not inner.is_string


def _is_parse(node: exp.Expr) -> bool:
    """A node that turns text into a typed value and has to succeed: a plain cast, ``to_timestamp`` or ``to_date``."""
    if isinstance(node, exp.Cast):
        return not node.args.get("safe") and not isinstance(node.this, exp.Literal)
    return isinstance(node, exp.Func) and _function_name(node) in ("to_timestamp", "to_date")


def _is_always_evaluated(node: exp.Expr) -> bool:
    """True outside every branch that may not be taken: there a value that does not parse may be meant."""
    child = node
    while child.parent is not None:
        parent = child.parent
        if isinstance(parent, exp.Coalesce) and parent.this is not child:
            return False
        if isinstance(parent, exp.Case) and child is parent.args.get("default"):
            return False
        if isinstance(parent, exp.If) and not _is_first_condition(parent, child):
            return False
        child = parent
    return True


def _is_first_condition(branch: exp.If, child: exp.Expr) -> bool:
    if child is not branch.this:
        return False
    return not isinstance(branch.parent, exp.Case) or branch.parent.args["ifs"][0] is branch


def _parse_check(node: exp.Expr) -> exp.Expr:
    given = exp.Is(this=node.this.copy(), expression=exp.Null())
    parsed = exp.not_(exp.Is(this=node.copy(), expression=exp.Null()))
    return exp.or_(given, parsed)


def _safe_sql(tree: exp.Expr) -> str:
    root = exp.Paren(this=tree.copy())
    for node in reversed(list(root.this.walk())):  # children before their parents
        safe = _safe_node(node)
        if safe is not node:
            node.replace(safe)
    return str(root.this.sql(dialect="spark"))


def _safe_node(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Cast) and not node.args.get("safe"):
        return exp.TryCast(this=node.this, to=node.args["to"], safe=True)
    if isinstance(node, exp.Binary) and type(node) in _SAFE_ARITHMETIC:
        return exp.Anonymous(this=_SAFE_ARITHMETIC[type(node)], expressions=[node.left, node.right])
    if isinstance(node, exp.Bracket):
        name = "try_element_at" if node.args.get("offset") == 1 else "get"
        return exp.Anonymous(this=name, expressions=[node.this, *node.expressions])
    if isinstance(node, exp.Func) and _function_name(node) in ("to_timestamp", "to_date"):
        return exp.Var(this=f"TRY_{node.sql('spark')}")  # as written: the format must come through letter by letter
    return node
