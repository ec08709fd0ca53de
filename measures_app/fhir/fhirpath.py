"""A small FHIRPath: enough to run the score calculations that questionnaires carry.

The point is to check a form's own total against ours by running it, not to be complete: what
isn't known raises `NotUnderstood`, and the reader then says that the total wasn't checked.
Source: FHIRPath N1 (hl7.org/fhirpath/N1), with `ordinal()` and `weight()` of SDC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, DivisionByZero, InvalidOperation
from typing import Any

from measures_app.fhir.fhirpath_parser import Node, NotUnderstood
from measures_app.fhir.urls import SCORES

MAX_STEPS = 200_000

Collection = list[Any]


def _children(node: Any, name: str) -> Collection:
    if not isinstance(node, dict):
        return []
    if name in node:
        found = node[name]
    else:
        typed = [k for k in node if k.startswith(name) and k[len(name) : len(name) + 1].isupper()]
        if name != "value" or not typed:
            return []
        found = node[typed[0]]
    found = found if isinstance(found, list) else [found]
    return [Decimal(str(v)) if isinstance(v, float) else v for v in found if v is not None]


def _score(coding: Any) -> Collection:
    """The ordinal value that stands with a coding or an answer."""
    if not isinstance(coding, dict):
        return []
    for extension in coding.get("extension", []):
        if extension.get("url") in SCORES:
            return _children(extension, "value")
    return [score for inner in _children(coding, "value") for score in _score(inner)]


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise NotUnderstood(f"{value!r:.40} is no number to calculate with")
    return Decimal(value)


@dataclass
class Evaluation:
    """One run of expressions over one response; variables are worked out when asked for.

    Parameters
    ----------
    values : mapping of name to collection
        `resource`, `questionnaire`, `context`: what the surroundings provide.
    variables : mapping of name to tree
        Expressions by name; each may use the others.
    contexts : mapping of name to collection
        `%context` of a variable, where that isn't the one of the whole run.
    """

    values: Mapping[str, Collection]
    variables: Mapping[str, Node] = field(default_factory=dict)
    contexts: Mapping[str, Collection] = field(default_factory=dict)
    _context: Collection | None = None
    _known: dict[str, Collection] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    steps: int = 0

    def run(self, node: Node) -> Collection:
        """The collection that an expression comes to.

        Raises
        ------
        NotUnderstood
        """
        try:
            return self._run(node, self.values.get("context", []), {})
        except (InvalidOperation, DivisionByZero):
            raise NotUnderstood("it calculates with what can't be calculated with") from None
        except (TypeError, IndexError):
            raise NotUnderstood("a function is given what it can't use") from None

    def _run(self, node: Node, this: Collection, names: Mapping[str, Collection]) -> Collection:
        self.steps += 1 + len(this)
        if self.steps > MAX_STEPS:
            raise NotUnderstood("it takes too many steps")
        run: Callable[..., Collection] = getattr(self, f"_{node[0]}")
        return run(node, this, names)

    def _literal(self, node: Node, *_: Any) -> Collection:
        return list(node[1])

    def _special(self, node: Node, this: Collection, names: Mapping[str, Collection]) -> Collection:
        return this if node[1] == "$this" else names.get(node[1], [])

    def _variable(self, node: Node, *_: Any) -> Collection:
        name = node[1]
        if name == "context" and self._context is not None:
            return self._context
        if name in self.values:
            return self.values[name]
        if name not in self.variables:
            raise NotUnderstood(f"the variable %{name} is not defined")
        if name not in self._known:
            if name in self._open:
                raise NotUnderstood(f"the variable %{name} refers to itself")
            self._open.add(name)
            outer, here = self._context, self.contexts.get(name, self.values.get("context", []))
            self._context = here
            self._known[name] = self._run(self.variables[name], here, {})
            self._context = outer
            self._open.discard(name)
        return self._known[name]

    def _target(self, node: Any, this: Collection, names: Mapping[str, Collection]) -> Collection:
        return this if node is None else self._run(node, this, names)

    def _member(self, node: Node, this: Collection, names: Mapping[str, Collection]) -> Collection:
        target = self._target(node[1], this, names)
        if node[1] is None and any(
            isinstance(t, dict) and t.get("resourceType") == node[2] for t in target
        ):
            return target  # a path may begin with the type it starts from
        return [child for entry in target for child in _children(entry, node[2])]

    def _index(self, node: Node, this: Collection, names: Mapping[str, Collection]) -> Collection:
        target, at = self._run(node[1], this, names), self._run(node[2], this, names)
        place = int(_number(at[0])) if len(at) == 1 else -1
        return target[place : place + 1] if place >= 0 else []

    def _negate(self, node: Node, this: Collection, names: Mapping[str, Collection]) -> Collection:
        return [-_number(value) for value in self._run(node[1], this, names)]

    def _binary(self, node: Node, this: Collection, names: Mapping[str, Collection]) -> Collection:
        _, operator, first, second = node
        left = self._run(first, this, names)
        if operator in ("and", "or", "xor", "implies"):
            return _logic(operator, _truth(left), _truth(self._run(second, this, names)))
        return _operate(operator, left, self._run(second, this, names))

    def _call(self, node: Node, this: Collection, names: Mapping[str, Collection]) -> Collection:
        _, target_node, name, arguments = node
        target = self._target(target_node, this, names)
        if name == "iif":
            condition = _truth(self._run(arguments[0], target, names))
            chosen = arguments[1:2] if condition else arguments[2:3]
            return self._run(chosen[0], target, names) if chosen else []
        if name in _LAMBDAS and (arguments or name != "exists"):
            return self._each(name, target, arguments, names)
        given = [self._run(argument, this, names) for argument in arguments]
        if name not in _FUNCTIONS:
            raise NotUnderstood(f"the function {name}() is not known")
        found = _FUNCTIONS[name](target, *given)
        self.steps += len(found)
        return found

    def _each(
        self,
        name: str,
        target: Collection,
        arguments: tuple[Node, ...],
        names: Mapping[str, Collection],
    ) -> Collection:
        if name == "aggregate":
            total = self._run(arguments[1], target, names) if len(arguments) > 1 else []
            for value in target:
                total = self._run(arguments[0], [value], {**names, "$total": total})
            return total
        if name == "repeat":
            found: Collection = []
            layer = target
            while layer:
                layer = [x for e in layer for x in self._run(arguments[0], [e], names)]
                found += layer
            return found
        if name == "where" and (sought := _sought(arguments[0])) is not None:
            self.steps += len(target)
            return [value for value in target if _children(value, sought[0]) == sought[1]]
        results = [(value, self._run(arguments[0], [value], names)) for value in target]
        if name == "select":
            return [found for _, result in results for found in result]
        kept = [value for value, result in results if _truth(result)]
        if name == "where":
            return kept
        return [bool(kept) if name == "exists" else len(kept) == len(target)]


def _sought(node: Node) -> tuple[str, Collection] | None:
    """(name, value) of a condition such as `linkId = 'q1'`: the commonest by far, and the one
    that forms ask of every item for every question."""
    if node[:2] != ("binary", "="):
        return None
    first, second = node[2], node[3]
    if first[:2] != ("member", None) or second[0] != "literal" or len(second[1]) != 1:
        return None
    return first[2], second[1]


def _truth(collection: Collection) -> bool | None:
    if not collection:
        return None
    if len(collection) > 1:
        raise NotUnderstood("a condition is made of several values")
    return collection[0] if isinstance(collection[0], bool) else True


def _logic(operator: str, left: bool | None, right: bool | None) -> Collection:
    """Three-valued, as N1 defines it; None is the empty collection."""
    if operator == "implies":
        operator, left = "or", None if left is None else not left
    if operator == "xor":
        return [] if left is None or right is None else [left != right]
    decided = operator == "or"
    if left is decided or right is decided:
        return [decided]
    return [] if left is None or right is None else [not decided]


def _operate(operator: str, left: Collection, right: Collection) -> Collection:
    if operator == "|":
        return left + [value for value in right if value not in left]
    if operator == "&":
        return ["".join(str(v) for v in left[:1]) + "".join(str(v) for v in right[:1])]
    if operator in ("in", "contains"):
        needle, heap = (left, right) if operator == "in" else (right, left)
        return [needle[0] in heap] if needle else []
    if operator in ("~", "!~"):
        return [(left == right) == (operator == "~")]
    if not left or not right:
        return []
    if operator in ("=", "!="):
        return [(left == right) == (operator == "=")]
    if len(left) > 1 or len(right) > 1:
        raise NotUnderstood(f"“{operator}” is given several values")
    if operator == "+" and isinstance(left[0], str) and isinstance(right[0], str):
        return [left[0] + right[0]]
    a, b = _number(left[0]), _number(right[0])
    if operator in ("/", "div", "mod") and b == 0:
        return []
    results: dict[str, Callable[[], Any]] = {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: a / b,
        "div": lambda: a // b,
        "mod": lambda: a % b,
        "<": lambda: a < b,
        ">": lambda: a > b,
        "<=": lambda: a <= b,
        ">=": lambda: a >= b,
    }
    return [results[operator]()]


def _descendants(target: Collection) -> Collection:
    found: Collection = []
    layer = list(target)
    while layer:
        layer = [
            child
            for node in layer
            if isinstance(node, dict)
            for key in node
            for child in _children(node, key)
        ]
        found += layer
    return found


def _sum(target: Collection) -> Collection:
    return [sum((_number(value) for value in target), Decimal(0))] if target else []


def _as_number(target: Collection) -> Collection:
    found: Collection = []
    for value in target[:1]:
        try:
            found.append(Decimal(int(value) if isinstance(value, bool) else str(value)))
        except InvalidOperation:
            return []
    return found


def _average(target: Collection) -> Collection:
    return [_sum(target)[0] / len(target)] if target else []


def _rounded(target: Collection, places: Collection = ()) -> Collection:  # type: ignore[assignment]
    digits = int(_number(places[0])) if places else 0
    # Halves go up here as in the standard; Python's own round() sends them to the even digit.
    step = Decimal(1).scaleb(-max(0, min(digits, 12)))
    return [_number(value).quantize(step, ROUND_HALF_UP) for value in target[:1]]


def _text(value: Collection) -> str:
    if len(value) != 1 or not isinstance(value[0], str):
        raise NotUnderstood("a text function is given no text")
    return value[0]


def _matches(target: Collection, pattern: Collection) -> Collection:
    """`matches()`, for patterns whose time can't run away.

    Python's engine backtracks and has no time limit, and the pattern is a stranger's: nothing
    after a group may repeat it, and one open-ended repeat is the most.
    """
    written = _text(pattern)
    plain = re.sub(r"\\.", "", written)
    if len(written) > 300 or re.search(r"\)[*+?{]|\(\?", plain):
        raise NotUnderstood("its pattern is more than is run here")
    if len(re.findall(r"[*+]|\{\d*,\d*\}", plain)) > 1:
        raise NotUnderstood("its pattern is more than is run here")
    try:
        return [bool(re.search(written, _text(target)[:300]))] if target else []
    except re.error:
        raise NotUnderstood("its pattern is none") from None


_LAMBDAS = ("where", "select", "all", "exists", "aggregate", "repeat")
_FUNCTIONS: dict[str, Callable[..., Collection]] = {
    "exists": lambda t: [bool(t)],
    "empty": lambda t: [not t],
    "hasValue": lambda t: [len(t) == 1],
    "not": lambda t: [] if not t else [not _truth(t)],
    "first": lambda t: t[:1],
    "last": lambda t: t[-1:],
    "single": lambda t: t[:1],
    "tail": lambda t: t[1:],
    "skip": lambda t, n: t[int(_number(n[0])) :],
    "take": lambda t, n: t[: int(_number(n[0]))],
    "count": lambda t: [Decimal(len(t))],
    "distinct": lambda t: [v for at, v in enumerate(t) if v not in t[:at]],
    "sum": _sum,
    "avg": _average,
    "min": lambda t: [min(_number(v) for v in t)] if t else [],
    "max": lambda t: [max(_number(v) for v in t)] if t else [],
    "round": _rounded,
    "abs": lambda t: [abs(_number(v)) for v in t[:1]],
    "allTrue": lambda t: [all(v is True for v in t)],
    "anyTrue": lambda t: [any(v is True for v in t)],
    "toDecimal": _as_number,
    "toInteger": _as_number,
    "toString": lambda t: [str(v) for v in t[:1]],
    "ordinal": lambda t: [score for value in t for score in _score(value)],
    "weight": lambda t: [score for value in t for score in _score(value)],
    "extension": lambda t, url: [
        e for v in t for e in _children(v, "extension") if url and e.get("url") == url[0]
    ],
    "matches": _matches,
    "startsWith": lambda t, other: [_text(t).startswith(_text(other))] if t else [],
    "endsWith": lambda t, other: [_text(t).endswith(_text(other))] if t else [],
    "contains": lambda t, other: [_text(other) in _text(t)] if t else [],
    "descendants": _descendants,
    "children": lambda t: [c for v in t if isinstance(v, dict) for k in v for c in _children(v, k)],
    "combine": lambda t, other: t + other,
    "union": lambda t, other: _operate("|", t, other),
    "trace": lambda t, *_: t,
    "ofType": lambda t, *_: t,
}
