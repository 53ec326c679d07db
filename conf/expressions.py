"""SQL expressions from configuration: one expression, an allow-list of functions, and no way to raise on a bad row.

An expression is parsed, never pasted: configuration that calls ``java_method``, ``reflect``, ``read_files`` or a
subquery is refused. Spark's ANSI mode raises on the first value that does not parse, which would stop a whole run for
one bad row; so every cast, those that Spark would make unasked too (``conf.kinds``), and all arithmetic is rewritten to
its ``try_`` form, and every unguarded cast becomes a check of its own: the row that fails it goes to quarantine under
the name of the column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError

from conf.functions import LAZY, SAFE_FORMS, WHOLE_NUMBER_FORM
from conf.kinds import ARITHMETIC, instead, write_casts

ALLOWED_SYNTAX = frozenset((
    exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.DataType, exp.DataTypeParam, exp.Anonymous,
    exp.Case, exp.If, exp.Cast, exp.TryCast, exp.And, exp.Or, exp.Not, exp.Neg, exp.Is, exp.EQ, exp.NEQ, exp.LT, exp.LTE,
    exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In, exp.Like, exp.ILike, exp.RegexpLike, exp.Add,
    exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.DPipe, exp.Trim, exp.Bracket, exp.Interval, exp.Var,
))  # fmt: skip
_CAST_FUNCTIONS = (
    "bigint", "boolean", "date", "decimal", "double", "float", "int", "smallint", "string", "timestamp", "tinyint",
)  # fmt: skip


def _cast_to(name: str, arguments: list[exp.Expr]) -> exp.Expr:
    if len(arguments) != 1:
        raise ValueError(f"{name} does not take {len(arguments)} values")
    return exp.Cast(this=arguments[0], to=exp.DataType.build(name, dialect="spark"))


class SparkAsWritten(Spark):
    """Spark's SQL with every function left as it is written: sqlglot knows most of them, and would write some of them
    in another way (``to_date`` without its format), which changes what they do.
    """

    class Parser(Spark.Parser):  # type: ignore[misc,valid-type]  # sqlglot's metaclass makes it
        """Knows casts, cases and trims, which are written with words between, and no other function."""

        FUNCTIONS: ClassVar = {name.upper(): partial(_cast_to, name) for name in _CAST_FUNCTIONS}
        FUNCTION_PARSERS: ClassVar = {name: Spark.Parser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST", "TRIM")}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {"CASE": Spark.Parser.NO_PAREN_FUNCTION_PARSERS["CASE"]}


@dataclass(frozen=True)
class Expression:
    """A parsed expression. ``sql`` cannot raise on data; each of ``checks`` is true where a cast found what it needs."""

    text: str
    sql: str
    kind: str
    columns: tuple[str, ...]
    checks: tuple[str, ...]


@lru_cache(maxsize=4096)
def parse_expression(text: str, kinds: tuple[tuple[str, str], ...] = ()) -> Expression:
    """Parses one Spark SQL expression over columns of text, but for those in ``kinds``.

    Raises ValueError saying what is wrong with it.
    """
    try:
        trees = sqlglot.parse(text, dialect=SparkAsWritten)
    except SqlglotError as error:
        raise ValueError(f"not a SQL expression: {text!r} ({str(error).splitlines()[0]})") from None
    if len(trees) != 1 or trees[0] is None:
        raise ValueError(f"expected one SQL expression, found {text!r}")
    root = exp.Paren(this=trees[0])
    try:
        _refuse_what_is_not_allowed(root)
        kind = write_casts(root, dict(kinds))
    except ValueError as error:
        raise ValueError(f"{error} in {text!r}") from None
    columns = tuple(dict.fromkeys(column.name for column in root.find_all(exp.Column)))
    parses = [node for node in root.walk() if _is_parse(node) and _is_always_evaluated(node)]
    checks = tuple(dict.fromkeys(_safe_sql(_parse_check(node)) for node in parses))
    return Expression(text, _safe_sql(root.this), kind, columns, checks)


def _refuse_what_is_not_allowed(root: exp.Expr) -> None:
    for node in root.walk():
        if isinstance(node, exp.Column) and node.table:
            raise ValueError(f"{node.sql('spark')}: name a column without a table")
        if type(node) not in ALLOWED_SYNTAX:
            name = type(node).__name__.lower()
            raise ValueError(f"{name} is not allowed{instead(name)}")


def _is_parse(node: exp.Expr) -> bool:
    """A node that turns a value into another kind and has to succeed: a plain cast, ``to_timestamp`` or ``to_date``."""
    if isinstance(node, exp.Cast):
        return not node.args.get("safe") and not isinstance(node.this, exp.Literal)
    return isinstance(node, exp.Anonymous) and node.name.lower() in ("to_timestamp", "to_date")


def _is_always_evaluated(node: exp.Expr) -> bool:
    """True outside every branch that may not be taken: there a value that does not parse may be meant."""
    child = node
    while child.parent is not None:
        parent = child.parent
        if isinstance(parent, exp.Anonymous) and parent.name.lower() in LAZY and parent.expressions[0] is not child:
            return False
        if isinstance(parent, exp.Case) and child is parent.args.get("default"):
            return False
        if isinstance(parent, exp.If) and (child is not parent.this or parent.index != 0):
            return False
        child = parent
    return True


def _parse_check(node: exp.Expr) -> exp.Expr:
    value = node.this if isinstance(node, exp.Cast) else node.expressions[0]
    given = exp.Is(this=value.copy(), expression=exp.Null())
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
    whole = node.meta.get("kind") in ("int", "bigint")
    if isinstance(node, exp.Cast) and not node.args.get("safe"):
        return exp.TryCast(this=node.this, to=node.args["to"], safe=True)
    if type(node) in ARITHMETIC:
        return exp.Anonymous(this=ARITHMETIC[type(node)], expressions=[node.this, node.expression])
    if isinstance(node, exp.Neg) and whole and not isinstance(node.this, exp.Literal):
        return exp.Anonymous(this="try_multiply", expressions=[node.this, exp.Literal.number(-1)])
    if isinstance(node, exp.Bracket):
        return exp.Anonymous(this="get", expressions=[node.this, *node.expressions])
    if isinstance(node, exp.Anonymous):
        name = node.name.lower().replace("try_to_date", "to_date")
        kind = "to_date by a pattern" if name == "to_date" and len(node.expressions) == 2 else name
        form = WHOLE_NUMBER_FORM if whole and name in ("abs", "round", "bround") else SAFE_FORMS.get(kind)
        arguments = [argument.sql("spark") for argument in node.expressions]
        if form:
            return exp.Var(
                this=form.format(
                    *arguments, name=name.upper(), all=", ".join(arguments), rest="".join(f", {a}" for a in arguments[1:])
                )
            )
    return node
