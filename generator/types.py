"""Joins the types that the parser found with the rules of the raw schemas."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence

from attrs import field, frozen
from openapi_python_client.parser.properties.any import AnyProperty
from openapi_python_client.parser.properties.boolean import BooleanProperty
from openapi_python_client.parser.properties.const import ConstProperty
from openapi_python_client.parser.properties.float import FloatProperty
from openapi_python_client.parser.properties.int import IntProperty
from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.none import NoneProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol
from openapi_python_client.parser.properties.string import StringProperty
from openapi_python_client.parser.properties.union import UnionProperty

from .adapt import is_field_rule, is_free_object
from .document import Document, Node, is_list
from .grammar import ANNOTATIONS, TYPE_KEYWORDS
from .model import (
    AnyOfType,
    BooleanType,
    CommaListType,
    ConstType,
    IntegerType,
    JsonObjectType,
    JsonType,
    Limit,
    ListType,
    MapType,
    ModelType,
    NamedType,
    NullableType,
    NumberType,
    ScalarType,
    StringType,
    TaggedUnionType,
    Type,
    nested,
)
from .parser import Parsed
from .patterns import PatternError, to_python

_OPTION = re.compile(r"[a-z][a-z0-9_]*")

SCALARS = {"string": StringProperty, "integer": IntProperty, "number": FloatProperty, "boolean": BooleanProperty}


@frozen
class ModelSource:
    """A class to generate: the parser's model and the raw schema that it came from."""

    parsed: ModelProperty
    node: Node


@frozen
class Types:
    """Makes types, and collects the models that they need."""

    document: Document
    parsed: Parsed
    sources: dict[str, ModelSource] = field(factory=dict[str, ModelSource])
    limits: dict[str, Limit] = field(factory=dict[str, Limit])

    def build(self, prop: PropertyProtocol, node: Node) -> Type:
        """Join a property of the parser with its raw schema."""
        target, component = self.target(node)
        members = nonnull_members(target)
        if members is not None:
            if all(is_scalar(self.document, member) for member in members):
                scalars = [self.scalar(member) for member in members]
                return NullableType(scalars[0] if len(scalars) == 1 else AnyOfType(tuple(scalars)))
            inner = [item for item in _members(prop) if not isinstance(item, NoneProperty)]
            if len(members) == 1 and len(inner) == 1:
                return NullableType(self.build(inner[0], members[0]))
            raise target.fail("a choice that may be null must have one other member")
        if "oneOf" in target and "type" not in target:
            return self._tagged_union(target, component)
        if is_scalar(self.document, target):
            scalar = self.scalar(node)
            self._check_agreement(prop, target)
            return scalar
        match prop:
            case ListProperty() if target.text("type") == "array":
                return self._list(prop, target)
            case ModelProperty():
                return self._object(prop, target)
            case AnyProperty() if is_free_object(target.mapping()):
                return JsonObjectType(min_items=target.count("minProperties"), max_items=target.count("maxProperties"))
            case AnyProperty() if not target.mapping().keys() - ANNOTATIONS:
                return JsonType()
            case _:
                raise target.fail(f"the schema cannot be expressed (the parser made a {type(prop).__name__} of it)")

    def scalar(self, node: Node) -> ScalarType:
        """Make the type of a schema that is a scalar, by its name if it is a component."""
        target, component = self.target(node)
        kind = self.plain_scalar(target)
        return NamedType(component, kind) if component else kind

    def plain_scalar(self, node: Node) -> ScalarType:
        """Make the type of a scalar schema itself."""
        if "anyOf" in node:
            return AnyOfType(tuple(self.scalar(member) for member in node.items("anyOf")))
        given = node.get("type")
        if given is not None and is_list(given.value):
            kinds = [str(kind) for kind in given.value]
            return AnyOfType(
                tuple(self._one(node.having(type=kind).only(TYPE_KEYWORDS[kind] | {"type"})) for kind in kinds)
            )
        return self._one(node)

    def target(self, node: Node) -> tuple[Node, str]:
        """Follow references and wrappers; return the schema and its component's name, which may be empty."""
        component = ""
        while True:
            mapping = node.mapping()
            if "$ref" in mapping:
                component = node.text("$ref").rpartition("/")[2]
                node = self.document.resolve(node)
            elif mapping.keys() - ANNOTATIONS == {"allOf"} and len(list(node.items("allOf"))) == 1:
                node = next(node.items("allOf"))
            else:
                return node, component

    def properties(self, node: Node) -> dict[str, Node]:
        """Return the raw schemas of an object's properties, those of its allOf included."""
        found: dict[str, Node] = {}
        for part in self.parts(node):
            for name, schema in part.members("properties"):
                if name in found:
                    raise schema.fail(f"the property {name} is already defined by another part of the allOf")
                found[name] = schema
        return found

    def field_rules(self, node: Node) -> Iterator[tuple[bool, tuple[str, ...], Node]]:
        """Go through the rules over several fields: whether it is exactly one, and the wire names."""
        for part in self.parts(node):
            candidates = [item for item in part.items("allOf") if is_field_rule(item.value)]
            if "oneOf" in part or "anyOf" in part:
                candidates.append(part.only(frozenset({"oneOf", "anyOf"})))
            for rule in candidates:
                keyword = "oneOf" if "oneOf" in rule else "anyOf"
                choices = list(rule.items(keyword))
                names = [name for choice in choices for name in choice.texts("required")]
                plain = all(len(choice.texts("required")) == len(choice.mapping()) == 1 for choice in choices)
                if not choices or not plain or len(rule.mapping()) != 1:
                    raise rule.fail("a choice beside type: object must be between members of the form required: [one]")
                yield keyword == "oneOf", tuple(names), rule

    def note_limits(self, kind: Type, node: Node) -> None:
        """Collect the limits that client options replace."""
        for inner in nested(kind):
            if isinstance(inner, StringType) and inner.limit:
                self._add_limit(inner.limit, inner.max_bytes, "bytes (UTF-8)", node)
            elif isinstance(inner, ListType) and inner.limit:
                self._add_limit(inner.limit, inner.max_items, "items", node)

    def _add_limit(self, name: str, default: int | None, unit: str, node: Node) -> None:
        if not _OPTION.fullmatch(name) or keyword.iskeyword(name):
            raise node.fail(f"x-limit must name a client option in snake_case, not {name}")
        if default is None:
            raise node.fail(f"the limit of {name} is missing")
        limit = Limit(name, default, f"{default} {unit}")
        if self.limits.setdefault(name, limit) != limit:
            raise node.fail(f"the limit {name} is {limit.description} here and something else elsewhere")

    def parts(self, node: Node) -> Iterator[Node]:
        """Go through an object's schema and those of its allOf."""
        for item in node.items("allOf"):
            if not is_field_rule(item.value):
                yield from self.parts(self.target(item)[0])
        yield node

    def _one(self, node: Node) -> ScalarType:
        kind = node.text("type")
        constant = node.get("const")
        if constant is not None:
            if not isinstance(constant.value, (str, int, bool)):
                raise constant.fail("must be a string, an integer, true or false")
            return ConstType(constant.value)
        if kind == "string":
            return self.string(node)
        if kind == "boolean":
            return BooleanType()
        minimum, maximum = node.number("minimum"), node.number("maximum")
        if kind == "number":
            return NumberType(minimum, maximum, node.number("multipleOf"))
        if kind != "integer":
            raise node.fail("the schema cannot be expressed")
        above, below = _whole(node, "exclusiveMinimum"), _whole(node, "exclusiveMaximum")
        lows = [value for value in (_whole(node, "minimum"), None if above is None else above + 1) if value is not None]
        highs = [
            value for value in (_whole(node, "maximum"), None if below is None else below - 1) if value is not None
        ]
        enum: list[int] = []
        for item in node.items("enum"):
            if not isinstance(item.value, int) or isinstance(item.value, bool):
                raise item.fail("must be an integer")
            enum.append(item.value)
        return IntegerType(
            minimum=max(lows, default=None),
            maximum=min(highs, default=None),
            multiple_of=_whole(node, "multipleOf"),
            enum=tuple(enum),
        )

    def string(self, node: Node) -> StringType:
        """Make the type of a string schema."""
        pattern = node.get("pattern")
        source: str | None = None
        rule = ""
        if pattern is not None:
            text = node.text("pattern")
            words = node.text("x-pattern-description")
            rule = f"must consist of {words}" if words else f"must match the pattern {text}"
            try:
                source = to_python(text)
            except PatternError as error:
                raise pattern.fail(str(error)) from error
        max_bytes = node.count("x-max-bytes")
        return StringType(
            min_length=node.count("minLength") or None,
            max_length=node.count("maxLength"),
            max_bytes=max_bytes,
            limit=node.text("x-limit") or None,
            pattern=source,
            pattern_rule=rule,
            enum=node.texts("enum"),
        )

    def comma_list(self, node: Node, item: Node) -> CommaListType:
        """Make the type of a list that is sent as one string."""
        target, _ = self.target(item)
        if target.text("type", "string") != "string" or "const" in target:
            raise item.fail("the items of a comma list must be strings")
        item_type = self.scalar(item) if "$ref" in item else self.string(item)
        if not isinstance(item_type, (StringType, NamedType)):
            raise item.fail("the items of a comma list must be strings")
        return CommaListType(
            item_type,
            min_items=node.count("minItems") or None,
            max_items=node.count("maxItems"),
            unique=node.flag("uniqueItems"),
        )

    def _list(self, prop: ListProperty, node: Node) -> ListType:
        return ListType(
            self.build(prop.inner_property, node.child("items")),
            min_items=node.count("minItems") or None,
            max_items=node.count("maxItems"),
            unique=node.flag("uniqueItems"),
            limit=node.text("x-limit") or None,
        )

    def _object(self, prop: ModelProperty, node: Node) -> Type:
        name = str(prop.class_info.name)
        parsed = self.parsed.models.get(name)
        if parsed is None or (node.text("type") != "object" and "allOf" not in node):
            raise node.fail("the schema cannot be expressed as an object")
        extra = node.get("additionalProperties")
        if extra is not None and not isinstance(extra.value, bool) and not self.properties(node):
            if parsed.additional_properties is None:
                raise extra.fail("the parser dropped the type of the values")
            return MapType(
                self.build(parsed.additional_properties, extra),
                min_items=node.count("minProperties"),
                max_items=node.count("maxProperties"),
            )
        known = self.sources.setdefault(name, ModelSource(parsed, node))
        if known.node.pointer != node.pointer:
            raise node.fail(f"the class name {name} is taken by {known.node.pointer}")
        return ModelType(name)

    def _tagged_union(self, node: Node, component: str) -> TaggedUnionType:
        if not component or "discriminator" not in node:
            raise node.fail("a oneOf must be a component of its own with a discriminator")
        return TaggedUnionType(component)

    def _check_agreement(self, prop: PropertyProtocol, node: Node) -> None:
        """Make sure that the parser read a scalar as what the raw schema says."""
        kind = node.get("type")
        if isinstance(prop, (UnionProperty, ConstProperty)) or "anyOf" in node or kind is None or is_list(kind.value):
            return
        if type(prop) is not SCALARS.get(node.text("type")):
            raise node.fail(f"the parser made a {type(prop).__name__} of a {node.text('type')}")


def is_scalar(document: Document, node: Node) -> bool:
    """Tell whether a schema is a string, a number or a boolean, or a choice of such."""
    node = document.resolve(node)
    if "anyOf" in node and "type" not in node:
        return all(is_scalar(document, member) for member in node.items("anyOf"))
    if "const" in node:
        return True
    given = node.get("type")
    if given is None:
        return False
    kinds: Sequence[object] = given.value if is_list(given.value) else [given.value]
    return all(kind in SCALARS for kind in kinds)


def nonnull_members(node: Node) -> list[Node] | None:
    """Return what a schema may be besides null, or None if it may not be null."""
    given = node.get("type")
    if given is not None and is_list(given.value) and "null" in given.value:
        rest = [kind for kind in given.value if kind != "null"]
        return [node.having(type=rest[0] if len(rest) == 1 else rest)]
    for choice in ("anyOf", "oneOf"):
        members = list(node.items(choice)) if given is None else []
        rest_members = [member for member in members if member.mapping().get("type") != "null"]
        if len(rest_members) < len(members):
            return rest_members
    return None


def _members(prop: PropertyProtocol) -> list[PropertyProtocol]:
    return prop.inner_properties if isinstance(prop, UnionProperty) else [prop]


def _whole(node: Node, key: str) -> int | None:
    value = node.number(key)
    if value is not None and not isinstance(value, int):
        raise node.child(key).fail("must be a whole number for an integer")
    return value


def has_limit(kind: Type) -> bool:
    """Tell whether a client option replaces a limit of this type."""
    return isinstance(kind, (StringType, ListType)) and kind.limit is not None


def description(node: Node, target: Node) -> str:
    """Return the description of a use, or else that of the schema, with what else a reader should know."""
    texts = ["Deprecated."] if node.flag("deprecated") else []
    texts.append(node.text("description") or target.text("description"))
    default = node.get("default") or target.get("default")
    texts += [f"The API's default is {default.value!r}."] if default else []
    return "\n\n".join(text for text in texts if text)


def docs_url(node: Node) -> str:
    """Return where the provider documents this."""
    docs = node.get("externalDocs")
    return docs.text("url") if docs else ""
