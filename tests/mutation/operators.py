"""Small changes to a module's source, each of which some test should notice.

A change is one of: a comparison that is another one, ``and`` for ``or``, a condition
that always or never holds, a number one off, an operator that is another one, a
statement that is left out, a value that is returned as None. Texts, annotations and
what a module says at its top level are left as they are, and so is what only words a
message.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from itertools import pairwise, starmap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}

ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """A module with one thing changed; ``line`` is where."""

    line: int
    what: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Give every mutant of a module."""
    tree = ast.parse(source)
    for number, (node, parents) in enumerate(_walk(tree)):
        if not _counts(node, parents):
            continue
        for what, change in _changes(node):
            copied = copy.deepcopy(tree)
            twin = next(
                one for index, (one, _) in enumerate(_walk(copied)) if index == number
            )
            _put(copied, twin, change(copy.deepcopy(node)))
            ast.fix_missing_locations(copied)
            yield Mutant(getattr(node, "lineno", 0), what, ast.unparse(copied))


def _walk(
    node: ast.AST, parents: tuple[ast.AST, ...] = ()
) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """Give every node below, in the order of the source, and those above it."""
    for child in ast.iter_child_nodes(node):
        yield child, (*parents, node)
        yield from _walk(child, (*parents, node))


def _counts(node: ast.AST, parents: tuple[ast.AST, ...]) -> bool:
    """Return whether a node is code that runs and more than words."""
    inside = [*parents, node]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    if not any(isinstance(one, functions) for one in inside):
        return False
    return not any(starmap(_is_words, pairwise(inside)))


def _is_words(above: ast.AST, below: ast.AST) -> bool:
    """Return whether ``below`` says something and does nothing, in ``above``."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return (
        isinstance(above, ast.JoinedStr | ast.Raise)
        or (isinstance(above, ast.arg | ast.AnnAssign) and below is above.annotation)
        or (
            isinstance(above, functions)
            and (below is above.returns or below in above.decorator_list)
        )
        or (isinstance(above, ast.Call) and _name(above.func) in ("cast", "field"))
        or (isinstance(above, functions) and above.name in ("__str__", "__repr__"))
    )


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _changes(node: ast.AST) -> Iterator[tuple[str, _Change]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            yield f"{type(node.ops[0]).__name__} is {other.__name__}", _compared(other)
    if isinstance(node, ast.BoolOp):
        joined = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"{type(node.op).__name__} is {joined.__name__}", _joined(joined)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        for truth in (True, False):
            yield f"a condition is {truth}", _decided(truth=truth)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not is left out", lambda one: one.operand
    yield from _values(node)


def _values(node: ast.AST) -> Iterator[tuple[str, _Change]]:
    """Give the changes of what is computed, returned or done."""
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        other_op = ARITHMETIC[type(node.op)]
        yield f"{type(node.op).__name__} is {other_op.__name__}", _computed(other_op)
    if isinstance(node, ast.Constant):
        yield from _constants(node)
    if (
        isinstance(node, ast.Return)
        and node.value is not None
        and not (isinstance(node.value, ast.Constant) and node.value.value is None)
    ):
        yield "None is returned", lambda _: ast.Return(ast.Constant(None))
    if isinstance(node, ast.Raise) or (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call | ast.Await | ast.YieldFrom)
    ):
        yield "a statement is left out", lambda _: ast.Pass()


def _constants(node: ast.Constant) -> Iterator[tuple[str, _Change]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} is {not value}", lambda _: ast.Constant(not value)
    elif isinstance(value, int):
        yield f"{value} is {value + 1}", lambda _: ast.Constant(value + 1)


def _compared(other: type[ast.cmpop]) -> _Change:
    def change(node: ast.Compare) -> ast.AST:
        node.ops = [other()]
        return node

    return change


def _joined(other: type[ast.boolop]) -> _Change:
    def change(node: ast.BoolOp) -> ast.AST:
        node.op = other()
        return node

    return change


def _computed(other: type[ast.operator]) -> _Change:
    def change(node: ast.BinOp) -> ast.AST:
        node.op = other()
        return node

    return change


def _decided(*, truth: bool) -> _Change:
    def change(node: ast.If) -> ast.AST:
        node.test = ast.Constant(truth)
        return node

    return change


def _put(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    """Put ``new`` where ``old`` is."""
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
            elif isinstance(value, list) and any(one is old for one in value):
                setattr(node, name, [new if one is old else one for one in value])


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    _Change = Callable[[Any], ast.AST]
