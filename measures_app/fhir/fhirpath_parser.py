"""FHIRPath text as a tree: the grammar of N1, as far as score calculations use it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

MAX_LENGTH = 20_000
MAX_NESTING = 120

Node = tuple[Any, ...]


class NotUnderstood(ValueError):
    """The expression uses something that this subset doesn't know, or asks too much of it."""


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)
    | (?P<variable>%(?:[A-Za-z_][A-Za-z0-9_-]*|`[^`]+`|'[^']+'))
    | (?P<special>\$(?:this|total|index))
    | (?P<symbol><=|>=|!=|!~|[-+*/&|=~<>()\[\]{},.])
    )""",
    re.VERBOSE | re.DOTALL,
)
# Binding strength, loosest first, as the grammar of N1 orders them.
_STRENGTH = {
    "implies": 1, "or": 2, "xor": 2, "and": 3, "in": 4, "contains": 4, "=": 5, "!=": 5, "~": 5,
    "!~": 5, "<": 6, ">": 6, "<=": 6, ">=": 6, "|": 7, "+": 9, "-": 9, "&": 9, "*": 10, "/": 10,
    "div": 10, "mod": 10,
}  # fmt: skip
_UNARY = 11


def _tokens(text: str) -> list[tuple[str, str]]:
    if len(text) > MAX_LENGTH:
        raise NotUnderstood(f"it is longer than {MAX_LENGTH} characters")
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotUnderstood(f"“{text[at : at + 20].strip()}” is not known")
        at = match.end()
        kind = str(match.lastgroup)
        if kind != "comment":
            found.append((kind, match.group(kind)))
    return [*found, ("end", "")]


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text.strip("%")[1:-1])


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens, self.at, self.depth = _tokens(text), 0, 0

    def peek(self) -> str:
        return self.tokens[self.at][1]

    def take(self, expected: str = "") -> tuple[str, str]:
        token = self.tokens[self.at]
        if expected and token[1] != expected:
            raise NotUnderstood(f"“{expected}” is missing before “{token[1]}”")
        self.at += 1
        return token

    def whole(self) -> Node:
        node = self.expression(0)
        if self.tokens[self.at][0] != "end":
            raise NotUnderstood(f"“{self.peek()}” is not known here")
        return node

    def expression(self, strength: int) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise NotUnderstood("it is nested too deeply")
        if self.peek() in ("-", "+"):
            sign = self.take()[1]
            operand = self.expression(_UNARY)
            left: Node = ("negate", operand) if sign == "-" else operand
        else:
            left = self.postfix(self.term())
        while (bind := _STRENGTH.get(self.peek(), 0)) > strength:
            operator = self.take()[1]
            left = ("binary", operator, left, self.expression(bind))
        self.depth -= 1
        return left

    def postfix(self, node: Node) -> Node:
        while self.peek() in (".", "["):
            if self.take()[1] == "[":
                node = ("index", node, self.expression(0))
                self.take("]")
            else:
                node = self.invocation(node)
        return node

    def term(self) -> Node:
        kind, text = self.tokens[self.at]
        if kind in ("name", "special"):
            return self.invocation(None)
        self.take()
        if kind == "number":
            return ("literal", [Decimal(text)])
        if kind == "string":
            return ("literal", [_unquoted(text)])
        if kind == "variable":
            return ("variable", text[1:].strip("`'"))
        if text == "(":
            node = self.expression(0)
            self.take(")")
            return node
        if text == "{":
            self.take("}")
            return ("literal", [])
        raise NotUnderstood(f"“{text}” is not known here")

    def invocation(self, target: Node | None) -> Node:
        kind, text = self.take()
        if kind == "special":
            return ("special", text)
        if kind != "name":
            raise NotUnderstood(f"“{text}” is not known here")
        name = text.strip("`")
        if target is None and name in ("true", "false"):
            return ("literal", [name == "true"])
        if self.peek() != "(":
            return ("member", target, name)
        self.take("(")
        arguments: list[Node] = []
        while self.peek() != ")":
            arguments.append(self.expression(0))
            if self.peek() != ")":
                self.take(",")
        self.take(")")
        return ("call", target, name, tuple(arguments))


def parse(text: str) -> Node:
    """The expression as a tree.

    Raises
    ------
    NotUnderstood
    """
    return _Parser(text).whole()
