"""Models, tagged unions and scalars from the components of the spec."""

from __future__ import annotations

from attrs import field, frozen
from openapi_python_client.parser.properties.protocol import PropertyProtocol

from .config import FIELD_NAMES
from .document import Document, Node
from .model import (
    Field,
    FieldRule,
    JsonType,
    Model,
    ModelType,
    Scalar,
    StringType,
    TaggedUnion,
    TaggedUnionType,
    Type,
    nested,
)
from .parser import Parsed
from .types import ModelSource, Types, description, docs_url, has_limit, is_scalar


@frozen
class Schemas:
    """Makes what the components of the spec become."""

    document: Document
    parsed: Parsed
    types: Types
    unions: dict[str, TaggedUnion] = field(factory=dict[str, TaggedUnion])

    def components(self) -> None:
        """Give every component that is an object a class, used or not."""
        for name, node in self.document.root.child("components").members("schemas"):
            target, _ = self.types.target(node)
            if target.pointer != node.pointer:
                raise node.fail("a component that is only another name for one is not supported")
            if is_scalar(self.document, node):
                continue
            if "oneOf" in node and "type" not in node:
                self._union(name, node)
                continue
            parsed = self.parsed.models.get(self.parsed.component_class(name))
            if parsed is not None and (node.text("type") == "object" or "allOf" in node):
                self.types.build(parsed, node)
            elif node.mapping().get("type") != "array":
                raise node.fail("the schema cannot be expressed")

    def models(self) -> dict[str, Model]:
        """Make all models that are needed, which may need further ones."""
        models: dict[str, Model] = {}
        while missing := [source for name, source in self.types.sources.items() if name not in models]:
            for source in missing:
                model = self.model(source)
                models[model.name] = model
        return models

    def model(self, source: ModelSource) -> Model:
        """Make a model. How it is used is not known yet."""
        parsed, node = source.parsed, source.node
        raw = self.types.properties(node)
        fields: list[Field] = []
        for prop in [*(parsed.required_properties or []), *(parsed.optional_properties or [])]:
            wire = prop.name.get_untrusted_value()
            if wire not in raw:
                raise node.fail(f"the parser found a property {wire} that is not there")
            fields.append(
                self._field(wire, str(prop.python_name), self._field_type(prop, raw[wire]), raw[wire], prop.required)
            )
        lost = raw.keys() - {field.wire for field in fields}
        if lost:
            raise node.fail(f"the parser dropped the properties {', '.join(sorted(lost))}")
        for part in self.types.parts(node):
            for name in part.texts("required"):
                if name not in raw:
                    raise part.fail(f"required names {name}, which is no property")
        if sum(field.encrypted for field in fields) > 1:
            raise node.fail("an object can have one property with x-encrypted")
        names = {field.wire: field.name for field in fields}
        rules: list[FieldRule] = []
        for exactly_one, wires, rule in self.types.field_rules(node):
            if any(wire not in names or next(f for f in fields if f.wire == wire).required for wire in wires):
                raise rule.fail("the choice must be between optional properties of the object")
            rules.append(FieldRule(exactly_one, tuple(names[wire] for wire in wires)))
        extra = node.get("additionalProperties")
        additional: Type | None = JsonType()
        if extra is not None and extra.value is False:
            additional = None
        elif extra is not None and extra.value is not True:
            if parsed.additional_properties is None:
                raise extra.fail("the parser dropped the type of the values")
            additional = self.types.build(parsed.additional_properties, extra)
        used = [kind for field in fields for kind in nested(field.type)]
        used += nested(additional) if additional else []
        return Model(
            name=str(parsed.class_info.name),
            module=str(parsed.class_info.module_name),
            pointer=node.pointer,
            description=node.text("description"),
            docs_url=docs_url(node),
            fields=tuple(fields),
            additional=additional,
            rules=tuple(rules),
            min_fields=node.count("minProperties"),
            max_fields=node.count("maxProperties"),
            references=tuple(sorted({kind.model for kind in used if isinstance(kind, ModelType)})),
            unions=tuple(sorted({kind.union for kind in used if isinstance(kind, TaggedUnionType)})),
        )

    def _field(self, wire: str, name: str, kind: Type, node: Node, required: bool) -> Field:
        target, _ = self.types.target(node)
        self.types.note_limits(kind, target)
        encrypted = node.flag("x-encrypted") or target.flag("x-encrypted")
        if encrypted and not (isinstance(kind, StringType) or is_scalar(self.document, target)):
            raise node.fail("x-encrypted is for strings")
        return Field(
            wire=wire,
            name=f"{name}_" if name in FIELD_NAMES else name,
            type=kind,
            required=required,
            description=description(node, target),
            secret=target.mapping().get("format") == "password",
            encrypted=encrypted,
        )

    def _field_type(self, prop: PropertyProtocol, node: Node) -> Type:
        target, _ = self.types.target(node)
        if "x-comma-list" not in target:
            return self.types.build(prop, node)
        for other in ("enum", "const", "minLength", "maxLength", "pattern", "x-max-bytes", "x-limit"):
            if other in target:
                raise target.fail(f"{other} cannot stand beside x-comma-list: put it into x-comma-list-items")
        items = target.get("x-comma-list-items") or Node({}, target.pointer)
        return self.types.comma_list(Node({}, target.pointer), items)

    def _union(self, name: str, node: Node) -> None:
        tag = node.child("discriminator").text("propertyName")
        members: dict[str, str] = {}
        for item in node.items("oneOf"):
            target, component = self.types.target(item)
            if not component:
                raise item.fail("a member of a tagged union must be a component")
            prop = self.types.properties(target).get(tag)
            value = self.types.target(prop)[0].mapping().get("const") if prop else None
            if not isinstance(value, str) or tag not in target.texts("required"):
                raise target.fail(f"a member of {name} must have a required property {tag} with a const string")
            if value in members:
                raise item.fail(f"two members of {name} have the {tag} {value}")
            members[value] = self.parsed.component_class(component)
            mapped = node.child("discriminator").get("mapping")
            if mapped is not None and mapped.text(value).rpartition("/")[2] != component:
                raise mapped.fail(f"{value} must lead to {component}")
        if len(members) < 2:
            raise node.fail("a tagged union must have two members or more")
        mapping = node.child("discriminator").get("mapping")
        for value, _ in mapping.members() if mapping else ():
            if value not in members:
                raise node.fail(f"the mapping of the discriminator has {value}, which is the {tag} of no member")
        self.unions[name] = TaggedUnion(
            name=name,
            tag=tag,
            tag_name=self.parsed.identifier(tag),
            decoder=f"decode_{self.parsed.identifier(name)}",
            fallback=f"Unknown{name.removeprefix('Webhook')}",
            description=node.text("description"),
            members=members,
        )

    def scalars(self) -> list[Scalar]:
        """Make the components that are scalars."""
        scalars: list[Scalar] = []
        for name, node in self.document.root.child("components").members("schemas"):
            if not is_scalar(self.document, node):
                continue
            if "x-comma-list" in node or "x-encrypted" in node:
                raise node.fail("x-comma-list and x-encrypted are for properties, not for components")
            kind = self.types.plain_scalar(node)
            self.types.note_limits(kind, node)
            scalars.append(
                Scalar(
                    name=name,
                    function=f"check_{self.parsed.identifier(name)}",
                    type=kind,
                    description=node.text("description"),
                    docs_url=docs_url(node),
                    holds_limits=any(has_limit(inner) for inner in nested(kind)),
                )
            )
        return scalars
