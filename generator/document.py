"""The raw OpenAPI document: loading, walking with JSON pointers, resolving references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

from attrs import frozen
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from .errors import GenerationError, Problem


def is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    """Tell whether the value is a mapping. `load` has made sure that its keys are strings."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Tell whether the value is a list."""
    return isinstance(value, list)


@frozen
class Node:
    """A value of the document and where it stands."""

    value: object
    pointer: str

    def fail(self, what: str) -> GenerationError:
        """Make the error that names this place."""
        return GenerationError([Problem(self.pointer, what)])

    def __contains__(self, key: str) -> bool:
        return key in self.mapping()

    def mapping(self) -> Mapping[str, object]:
        """Return the value as a mapping."""
        if not is_mapping(self.value):
            raise self.fail("must be an object")
        return self.value

    def get(self, key: str) -> Node | None:
        """Return a member of an object, if it is there."""
        mapping = self.mapping()
        return Node(mapping[key], f"{self.pointer}/{_escape(key)}") if key in mapping else None

    def child(self, key: str) -> Node:
        """Return a member of an object that has to be there."""
        node = self.get(key)
        if node is None:
            raise self.fail(f"{key} is missing")
        return node

    def members(self, key: str | None = None) -> Iterator[tuple[str, Node]]:
        """Go through the members of this object, or of the object under `key`, which may be missing."""
        node = self if key is None else self.get(key)
        if node is not None:
            for name, value in node.mapping().items():
                yield name, Node(value, f"{node.pointer}/{_escape(name)}")

    def items(self, key: str | None = None) -> Iterator[Node]:
        """Go through the items of this array, or of the array under `key`, which may be missing."""
        node = self if key is None else self.get(key)
        if node is not None:
            if not is_list(node.value):
                raise node.fail("must be an array")
            for index, value in enumerate(node.value):
                yield Node(value, f"{node.pointer}/{index}")

    def text(self, key: str, default: str = "") -> str:
        """Return a string member."""
        node = self.get(key)
        if node is None:
            return default
        if not isinstance(node.value, str):
            raise node.fail("must be a string")
        return node.value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a member that is an array of strings."""
        texts: list[str] = []
        for item in self.items(key):
            if not isinstance(item.value, str):
                raise item.fail("must be a string")
            texts.append(item.value)
        return tuple(texts)

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a boolean member."""
        node = self.get(key)
        if node is None:
            return default
        if not isinstance(node.value, bool):
            raise node.fail("must be true or false")
        return node.value

    def count(self, key: str) -> int | None:
        """Return a member that is a whole number of zero or more."""
        node = self.get(key)
        if node is None:
            return None
        if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 0:
            raise node.fail("must be a whole number, not negative")
        return node.value

    def number(self, key: str) -> int | float | None:
        """Return a number member."""
        node = self.get(key)
        if node is None:
            return None
        if not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
            raise node.fail("must be a number")
        return node.value

    def having(self, **changes: object) -> Node:
        """Return the same place with other members."""
        return Node({**self.mapping(), **changes}, self.pointer)

    def only(self, keys: frozenset[str]) -> Node:
        """Return the same place with these members alone."""
        return Node({key: value for key, value in self.mapping().items() if key in keys}, self.pointer)


def load(path: Path) -> Node:
    """Load a YAML or JSON document and make sure that it holds what JSON can hold."""
    try:
        text = path.read_text(encoding="utf-8")
        value: object = YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType] - no stubs
    except (OSError, UnicodeDecodeError) as error:
        raise GenerationError([Problem(str(path), f"cannot be read: {error}")]) from error
    except (YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise GenerationError([Problem(str(path), f"is not YAML or JSON: {reason}")]) from error
    root = Node(value, "#")
    try:
        _check_json(root)
    except RecursionError as error:
        raise root.fail("is nested too deeply, or holds itself") from error
    root.mapping()
    return root


def _check_json(node: Node) -> None:
    value = node.value
    if isinstance(value, Mapping):
        for key in value:  # pyright: ignore[reportUnknownVariableType] - just what is found out here
            if not isinstance(key, str):
                raise node.fail(f"the key {key!r} must be a string: put it in quotes")
        for _, member in node.members():
            _check_json(member)
    elif is_list(value):
        for item in node.items():
            _check_json(item)
    elif value is not None and not isinstance(value, (str, int, float, bool)):
        raise node.fail(f"{value!r} is no JSON value: put it in quotes")


@frozen
class Document:
    """The document, with references followed."""

    root: Node

    def resolve(self, node: Node) -> Node:
        """Follow a reference, over several steps if need be."""
        seen: set[str] = set()
        while is_mapping(node.value) and "$ref" in node.value:
            target = node.text("$ref")
            if target in seen:
                raise node.fail(f"the reference {target} leads back to itself")
            seen.add(target)
            node = self._at(node, target)
        return node

    def component(self, kind: str, name: str) -> Node:
        """Return a component that is known to be there."""
        return self.root.child("components").child(kind).child(name)

    def _at(self, source: Node, target: str) -> Node:
        if not target.startswith("#/components/") or target.count("/") != 3:
            raise source.fail(f"the reference {target} must have the form #/components/<kind>/<name>")
        node = self.root
        for part in target.split("/")[1:]:
            found = node.get(part.replace("~1", "/").replace("~0", "~"))
            if found is None:
                raise source.fail(f"the reference {target} leads nowhere")
            node = found
        return node


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
