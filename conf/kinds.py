"""Kinds of values in an expression, and casts written out where Spark would cast without being asked.

Raw columns are text, so nearly every call and comparison hides a cast, which raises on the first value that does not
parse. Here each value has a kind; where another is needed, the cast is written into the tree, and made safe together with
those that were there. Where it is open what is meant, the expression is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlglot import exp

from conf.functions import FUNCTIONS, INSTEAD
from conf.literals import LITERALS, NUMBERS, wrong_group

_NUMERIC = ("int", "bigint", "number")  # from the narrowest to the widest
_SQL_TYPES = {
    "boolean": "boolean", "int": "int", "bigint": "bigint", "number": "double", "date": "date", "timestamp": "timestamp",
}  # fmt: skip
_KINDS_OF_TYPES = {
    "TEXT": "text", "VARCHAR": "text", "CHAR": "text", "BOOLEAN": "boolean", "TINYINT": "int", "SMALLINT": "int", "INT": "int",
    "BIGINT": "bigint", "FLOAT": "number", "DOUBLE": "number", "DECIMAL": "number", "DATE": "date", "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamp", "TIMESTAMPLTZ": "timestamp",
}  # fmt: skip
_CASTS = {
    "null": ("text", *_SQL_TYPES), "text": ("text", *_SQL_TYPES), "boolean": ("text", "boolean", *_NUMERIC),
    "date": ("text", "date", "timestamp"), "timestamp": ("text", "date", "timestamp", *_NUMERIC), "array": ("text",),
    "interval": (), **dict.fromkeys(_NUMERIC, ("text", "boolean", "timestamp", *_NUMERIC)),
}  # fmt: skip
_SPOKEN = {
    "int": "a whole number", "bigint": "a whole number", "number": "a number", "boolean": "a condition", "date": "a date",
    "timestamp": "a timestamp", "array": "an array", "interval": "an interval", "texts": "text", "words": "text",
    "moment": "text",
}  # fmt: skip

ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "try_add", exp.Sub: "try_subtract", exp.Mul: "try_multiply", exp.Div: "try_divide", exp.Mod: "try_mod",
}  # fmt: skip
_OPERATORS: dict[type[exp.Expr], tuple[tuple[str, ...], str]] = {
    exp.And: (("boolean", "boolean"), "boolean"), exp.Or: (("boolean", "boolean"), "boolean"),
    exp.Not: (("boolean",), "boolean"), exp.DPipe: (("text", "text"), "text"), exp.Trim: (("text", "text"), "text"),
    exp.Like: (("text", "like"), "boolean"), exp.ILike: (("text", "like"), "boolean"),
    exp.RegexpLike: (("text", "pattern"), "boolean"), exp.Bracket: (("array", "int"), "text"),
}  # fmt: skip
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In)
_UNITS = {**dict.fromkeys(("DAY", "WEEK", "MONTH", "YEAR"), "date"), **dict.fromkeys(("HOUR", "MINUTE", "SECOND"), "timestamp")}


class _Value(NamedTuple):
    node: exp.Expr
    kind: str


def castable(kind: str, wanted: str) -> bool:
    """Whether Spark can cast the one to the other at all; values may still fail."""
    return kind == wanted or wanted in _CASTS[kind]


def spoken(kind: str) -> str:
    """A kind as a message says it."""
    return _SPOKEN.get(kind, kind)


def write_casts(node: exp.Expr, columns: Mapping[str, str]) -> str:
    """The kind of ``node``, which it notes in its ``meta``; all casts below are written into the tree.

    ``columns`` has the kinds of columns that are not text. Raises ValueError for what is not allowed or makes no sense.
    """
    if isinstance(node, exp.Anonymous) and node.name.lower() not in FUNCTIONS:
        raise ValueError(f"the function {node.name.lower()} is not allowed{instead(node.name.lower())}")
    values = [_Value(part, write_casts(part, columns)) for part in _operands(node)]
    if isinstance(node, exp.Column):
        kind = columns.get(node.name, "text")
    elif type(node) in _KIND_OF:
        kind = _KIND_OF[type(node)](node, values)
    else:
        raise ValueError(f"{_shown(node)} is not allowed")
    node.meta["kind"] = kind
    return kind


def instead(name: str) -> str:
    """Advice on what to write instead of what is not allowed, if there is any."""
    return f" ({INSTEAD[name]})" if name in INSTEAD else ""


def _operands(node: exp.Expr) -> list[exp.Expr]:
    """The values that a node is made of; those of a case in the order: the value, conditions, results."""
    if isinstance(node, (exp.Column, exp.Literal, exp.Boolean, exp.Interval)):
        return []
    if isinstance(node, exp.Case):
        branches = node.args["ifs"]
        parts = [node.this, *(branch.this for branch in branches), *(branch.args["true"] for branch in branches)]
        return [part for part in (*parts, node.args.get("default")) if part]
    parts = [node.this, node.args.get("expression"), node.args.get("low"), node.args.get("high"), *node.expressions]
    return [part for part in parts if isinstance(part, exp.Expr)]


def _literal(node: exp.Literal, _values: list[_Value]) -> str:
    if node.is_string:
        return "text"
    if not node.name.isdecimal() or int(node.name) >= 2**63:
        return "number"
    return "int" if int(node.name) < 2**31 else "bigint"


def _cast(node: exp.Cast, values: list[_Value]) -> str:
    kind = values[0].kind
    wanted = _KINDS_OF_TYPES.get(node.to.this.name, "")
    if not castable(kind, wanted):
        raise ValueError(f"{_shown(node)}: {spoken(kind)} cannot be cast to {node.to.sql('spark').lower()}")
    return wanted


def _case(node: exp.Case, values: list[_Value]) -> str:
    count = len(node.args["ifs"])
    start = 1 if node.this else 0
    conditions, results = values[start : start + count], values[start + count :]
    if node.this:
        _compared(node, [values[0], *conditions])
    else:
        _converted(node, conditions, ["boolean"] * count, "boolean")
    return _same(node, results)


def _interval(node: exp.Interval, _values: list[_Value]) -> str:
    whole = isinstance(node.this, exp.Literal) and re.fullmatch(r"-?\d{1,6}", node.this.name)
    if not whole or _unit(node) not in _UNITS:
        raise ValueError(f"{_shown(node)}: expected a whole number and a unit, such as interval '3' day")
    return "interval"


def _unit(node: exp.Interval) -> str:
    return node.text("unit").upper().removesuffix("S")


def _call(node: exp.Anonymous, values: list[_Value]) -> str:
    name, function = node.name.lower(), FUNCTIONS[node.name.lower()]
    if not function.takes(len(values)):
        raise ValueError(f"{_shown(node)}: {name} does not take {len(values)} values")
    if function.result == "computed":
        return _computed(node, name, *values)
    wanted = function.kinds(len(values))
    result = _converted(node, values, wanted, function.result)
    literals = [_written(value.node) for value, kind in zip(values, wanted, strict=True) if kind in LITERALS]
    if problem := wrong_group(name, literals):
        raise ValueError(f"{_shown(node)} {problem}")
    if result == "same":
        return _same(node, [value for value, kind in zip(values, wanted, strict=True) if kind == "same"])
    if result == "first":
        return values[0].kind if values[0].kind in _NUMERIC else "number"
    return result


def _computed(node: exp.Expr, name: str, left: _Value, right: _Value) -> str:
    kinds = {left.kind, right.kind} - {"null"}
    if kinds <= set(_NUMERIC):
        return "number" if name == "try_divide" or not kinds else max(kinds, key=_NUMERIC.index)
    if name in ("try_add", "try_subtract") and left.kind in ("date", "timestamp"):
        if right.kind == "interval":
            units = [_UNITS[_unit(found)] for found in right.node.find_all(exp.Interval)]
            return max(left.kind, *units)  # a date and hours make a timestamp
        if left.kind == "date" and right.kind in ("int", "bigint"):
            return _converted(node, [right], ["int"], "date")
    raise ValueError(f"{_shown(node)} computes with {spoken(left.kind)} and {spoken(right.kind)}{_advice(left, right)}")


def _negative(node: exp.Neg, values: list[_Value]) -> str:
    value = values[0]
    if value.kind in (*_NUMERIC, "null"):
        return "number" if value.kind == "null" else value.kind
    raise ValueError(f"{_shown(node)} computes with {spoken(value.kind)}{_advice(value)}")


def _is(node: exp.Is, values: list[_Value]) -> str:
    if values[1].kind not in ("null", "boolean"):
        raise ValueError(f"{_shown(node)}: expected is null, is true or is false")
    return _converted(node, values[:1], ["any" if values[1].kind == "null" else "boolean"], "boolean")


def _operator(node: exp.Expr, values: list[_Value]) -> str:
    wanted, result = _OPERATORS[type(node)]
    return _converted(node, values, list(wanted)[: len(values)], result)


def _compared(node: exp.Expr, values: list[_Value]) -> str:
    """Text is compared with a number, date, time or condition as one; any number as a double, so that 2.50 > 2 reads."""
    kind = _common([value for value in values if value.kind != "text"])
    if isinstance(node, exp.In) and not node.expressions:
        raise ValueError(f"{_shown(node)}: expected a list of values")
    if kind is None:
        raise ValueError(f"{_shown(node)} compares {_listed(values)}")
    texts = [value for value in values if value.kind == "text"]
    dates = [value for value in values if value.kind == "date" and kind == "timestamp"]
    wanted = "number" if kind in _NUMERIC else kind
    return _converted(node, texts + dates, [wanted if wanted != "null" else "text"] * len(texts + dates), "boolean")


def _same(node: exp.Expr, values: list[_Value]) -> str:
    kind = _common(values)
    if kind is None:
        raise ValueError(f"{_shown(node)} mixes {_listed(values)}{_advice(*values)}")
    if kind == "timestamp":
        _converted(node, values, [kind] * len(values), kind)
    return kind


def _common(values: list[_Value]) -> str | None:
    kinds = {value.kind for value in values} - {"null"}
    if len(kinds) < 2:
        return kinds.pop() if kinds else "null"
    if kinds <= set(_NUMERIC):
        return max(kinds, key=_NUMERIC.index)
    return "timestamp" if kinds == {"date", "timestamp"} else None


def _converted(node: exp.Expr, values: list[_Value], wanted: list[str], result: str) -> str:
    """``result``, with every value checked to be what is wanted, or cast to it."""
    for value, kind in zip(values, wanted, strict=True):
        if kind in LITERALS:
            _check_literal(node, value.node, kind)
        elif kind not in ("any", "same") and not _fits(value.kind, kind):
            if kind not in _SQL_TYPES or not _may_be_cast(value.kind, kind):
                raise ValueError(f"{_shown(node)} needs {spoken(kind)}, and {_shown(value.node)} is {spoken(value.kind)}")
            value.node.replace(exp.Cast(this=value.node.copy(), to=exp.DataType.build(_SQL_TYPES[kind], dialect="spark")))
    return result


def _fits(kind: str, wanted: str) -> bool:
    """Whether Spark takes the one for the other without a cast that can fail."""
    if kind in _NUMERIC and wanted in _NUMERIC:
        return _NUMERIC.index(kind) <= _NUMERIC.index(wanted)
    if wanted in ("text", "texts"):
        return kind not in ("interval", "array") or (kind, wanted) == ("array", "texts")
    if kind == "null":
        return wanted not in ("array", "boolean")
    if wanted == "moment":
        return kind in ("text", "date", "timestamp")
    return kind == wanted or (kind, wanted) in (("text", "words"), ("timestamp", "date"))


def _may_be_cast(kind: str, wanted: str) -> bool:
    return kind in ("text", "null") or {kind, wanted} <= set(_NUMERIC) or (kind, wanted) == ("date", "timestamp")


def _check_literal(node: exp.Expr, value: exp.Expr, kind: str) -> None:
    name, fits = LITERALS[kind]
    inner = value.this if isinstance(value, exp.Neg) else value
    literal = isinstance(inner, exp.Literal) and inner.is_string != (kind in NUMBERS)
    if not literal or not fits(_written(value)):
        raise ValueError(f"{_shown(node)} needs {name}, found {_shown(value)}")


def _written(value: exp.Expr) -> str:
    return f"-{value.this.name}" if isinstance(value, exp.Neg) else value.name


def _shown(node: exp.Expr) -> str:
    return node.sql("spark")


def _listed(values: list[_Value]) -> str:
    return " and ".join(dict.fromkeys(spoken(value.kind) for value in values))


def _advice(*values: _Value) -> str:
    texts = [value.node for value in values if value.kind == "text" and not isinstance(value.node, exp.Literal)]
    other = next((value.kind for value in values if value.kind in ("date", "timestamp", "boolean")), "decimal(18,2)")
    return f": cast the text first, e.g. cast({_shown(texts[0])} as {other})" if texts else ""


_KIND_OF: dict[type[exp.Expr], Callable[[Any, list[_Value]], str]] = {
    exp.Literal: _literal,
    exp.Null: lambda node, values: "null",
    exp.Boolean: lambda node, values: "boolean",
    exp.Paren: lambda node, values: values[0].kind,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Case: _case,
    exp.Interval: _interval,
    exp.Anonymous: _call,
    exp.Neg: _negative,
    exp.Is: _is,
    **dict.fromkeys(_COMPARISONS, _compared),
    **dict.fromkeys(ARITHMETIC, lambda node, values: _computed(node, ARITHMETIC[type(node)], *values)),
    **dict.fromkeys(_OPERATORS, _operator),
}
