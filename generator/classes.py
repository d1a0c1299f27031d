"""Code for models: fields, checks, reading, docstrings."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from .code import Code
from .docs import paragraphs, ruled, section, see, sentence
from .model import (
    CommaListType,
    ConstType,
    Field,
    JsonObjectType,
    JsonType,
    ListType,
    Model,
    NullableType,
    StringType,
    Type,
    plain,
)


@frozen
class Classes:
    """What the template of models asks for."""

    code: Code

    def documentation(self, model: Model) -> list[str]:
        """Return the lines of the class's docstring."""
        lines = paragraphs(sentence(model.description or f"The object `{model.name}`"), 112)
        entries = [(field.name, self.description(model, field)) for field in model.fields]
        if self.encrypted(model):
            entries.append(("raw_data", "The data as it came. Not part of the JSON."))
            entries.append(("decryption_error", "Why the data could not be decrypted. Not part of the JSON."))
        if model.additional is not None:
            entries.append(("additional_properties", "Fields that the API description does not name."))
        if model.holds_limits:
            entries.append(("limits", "The limits that it was checked against. Not part of the JSON."))
        lines += section("Attributes", entries, 116)
        if model.checked:
            error = [("InvalidArgumentError", "A field breaks a rule; it is named with its index.")]
            lines += section("Raises", error, 116)
        return [*lines, *see(model.docs_url)]

    def description(self, model: Model, field: Field) -> str:
        """Return what a field is, with the rules that it is checked by."""
        description = ruled(field.description, self.code.rule(field.type) if model.checked else "")
        if field is self.encrypted(model):
            description = f"{sentence(description)} Here it is decrypted, or None if it could not be."
        return description

    def annotation(self, model: Model, field: Field) -> str:
        """Return the annotation of a field."""
        annotation = self.code.annotation(plain(field.type), answer=not model.checked)
        optional = not field.required or field.encrypted or isinstance(field.type, NullableType)
        has_none = not isinstance(field.type, CommaListType) and optional
        return f"{annotation} | None" if has_none else annotation

    def default(self, model: Model, field: Field) -> str:
        """Return what follows the annotation: nothing, a default, or an attrs field."""
        options: list[str] = []
        if isinstance(field.type, ConstType) and field.required:
            options.append(f"default={field.type.value!r}")
        elif not field.required:
            options.append("default=()" if isinstance(field.type, CommaListType) else "default=None")
        if field.secret:
            options.append("repr=False")
        if self.code.unhashable(field.type):
            options.append("hash=False")
        if not options:
            return ""
        if len(options) == 1 and options[0].startswith("default="):
            return f" = {options[0].removeprefix('default=')}"
        return f" = field({', '.join(options)})"

    def checks(self, model: Model) -> Iterator[str]:
        """Return the lines of `__attrs_post_init__`."""
        code = self.code
        for field in model.fields:
            value = f"self.{field.name}"
            kind = plain(field.type)
            check = code.check(kind, value, repr(field.name), limits="self.limits")
            if code.copies(kind):
                check = f'object.__setattr__(self, "{field.name}", {check})'
            conditions: list[str] = []
            if isinstance(kind, CommaListType):
                conditions += [] if kind.min_items else [f"{value} != ()"]
            elif not field.required or isinstance(field.type, NullableType):
                conditions.append(f"{value} is not None")
            if isinstance(kind, StringType) and (quick := code.quick(kind, value, limits="self.limits")):
                conditions.append(f"not ({quick})")
            yield from [f"if {' and '.join(conditions)}:", f"    {check}"] if conditions else [check]
        for rule in model.rules:
            function = "check_exactly_one" if rule.exactly_one else "check_at_least_one"
            given = " + ".join(f"(self.{name} is not None)" for name in rule.names)
            yield f"if {given} {'!= 1' if rule.exactly_one else '== 0'}:"
            yield f"    {function}({', '.join(f'{name}=self.{name}' for name in rule.names)})"
        if model.additional is not None:
            kind = model.additional
            value = "self.additional_properties"
            if isinstance(kind, JsonType):
                check = f'check_object({value}, "additional_properties")'
            else:
                item = code.check_callable(kind, limits="self.limits")
                check = f'check_map({value}, "additional_properties", {item})'
            if model.fields:
                check = f"check_other_fields({check}, {tuple(field.wire for field in model.fields)!r})"
            yield "if self.additional_properties is not NO_FIELDS:"
            yield f'    object.__setattr__(self, "additional_properties", {check})'
        if model.min_fields or model.max_fields is not None:
            yield (
                f"check_object_size(self.to_dict(), {model.name!r}, "
                f"min_items={model.min_fields or 0}, max_items={model.max_fields})"
            )

    def parsed(self, model: Model, field: Field) -> str:
        """Return the checked value of a field of a request model that is made from JSON."""
        raw = f"raw_{field.name}"
        kind = field.type if field.required else plain(field.type)
        check = self.code.check(kind, raw, repr(field.name), limits="limits", parse=True)
        if check == self.code.check(kind, raw, repr(field.name), limits="limits"):
            # The class itself checks it, so that the type is not known here.
            annotation = self.annotation(model, field)
            value = raw if annotation.startswith("object") else f"cast({annotation!r}, {raw})"
            return f"() if {raw} is None else {value}" if isinstance(kind, CommaListType) else value
        if field.required:
            return check
        return f"{'()' if isinstance(kind, CommaListType) else 'None'} if {raw} is None else {check}"

    def parsed_additional(self, model: Model) -> str:
        """Return the checked fields that are left then."""
        if model.additional is None or isinstance(model.additional, JsonType):
            return "fields or NO_FIELDS"
        item = self.code.check_callable(model.additional, limits="limits", parse=True)
        return f'check_map(fields, "additional_properties", {item})'

    def read(self, model: Model, field: Field) -> str:
        """Return the value of a field of an answer."""
        raw = f"raw_{field.name}"
        where = repr(f"{model.name}.{field.wire}")
        kind = plain(field.type)
        optional = not field.required or field.encrypted or isinstance(field.type, NullableType)
        read = self.code.read(kind, raw, where)
        if not optional or read == raw:
            return read
        return f"{'()' if isinstance(kind, CommaListType) else 'None'} if {raw} is None else {read}"

    def read_fast(self, model: Model, field: Field) -> str:
        """Return the reading of a field, with the usual types told apart before a function is called."""
        raw = f"raw_{field.name}"
        read = self.read(model, field)
        kind = plain(field.type)
        annotation = self.code.annotation(kind)
        if isinstance(kind, ConstType) and isinstance(kind.value, str):
            return f"{kind.value!r} if {raw} == {kind.value!r} else {read}"
        kinds = annotation.split(" | ")
        if not set(kinds) <= {"str", "int", "bool"}:
            return read
        read = read.removeprefix(f"None if {raw} is None else ")
        optional = "" if read == self.read(model, field) else f"{raw} is None or "
        usual = " or ".join(f"type({raw}) is {kind}" for kind in kinds)
        return f"{raw} if {optional}{usual} else {read}"

    def read_additional(self, model: Model) -> str:
        """Return the fields of an answer that are left then."""
        if model.additional is None or isinstance(model.additional, JsonType):
            return "fields or NO_FIELDS"
        where = repr(f"{model.name}.additional_properties")
        return f"read_map(fields, {where}, {self.code.reader(model.additional, where)})"

    def accepting(self, model: Model) -> list[str]:
        """Return the conditions on which a dict of plain JSON is sure to be such an object, or none."""
        if (
            not isinstance(model.additional, JsonType)
            or model.rules
            or model.min_fields
            or model.max_fields is not None
        ):
            return []
        conditions: list[str] = []
        for field in model.fields:
            raw = f"raw_{field.name}"
            condition = self._accepting(plain(field.type), raw)
            if not condition or isinstance(field.type, NullableType):
                return []
            conditions.append(condition if field.required else f"({raw} is None or ({condition}))")
        return conditions

    def _accepting(self, kind: Type, value: str) -> str:
        match kind:
            case JsonObjectType(min_items=None, max_items=None):
                return f"type({value}) is dict"
            case ListType(item=item, min_items=None, max_items=most, unique=False, limit=None):
                quick = self.code.quick(item, "item", limits="DEFAULT_LIMITS")
                size = "" if most is None else f" and len({value}) <= {most}"
                return f"type({value}) is list{size} and all([{quick} for item in {value}])" if quick else ""
            case _:
                return self.code.quick(kind, value, limits="DEFAULT_LIMITS")

    def fills_slots(self, model: Model) -> bool:
        """Tell whether objects of a class are made without its `__init__`, too."""
        return not model.checked or (model.own and not model.holds_limits)

    def slots(self, model: Model) -> list[str]:
        """Return the names of all attributes of an answer."""
        names = [field.name for field in model.fields]
        names += ["raw_data", "decryption_error"] if self.encrypted(model) else []
        return [*names, "additional_properties"] if model.additional is not None else names

    @staticmethod
    def encrypted(model: Model) -> Field | None:
        """Return the field that may be end-to-end encrypted."""
        return next((field for field in model.fields if field.encrypted), None)

    @staticmethod
    def is_comma_list(field: Field) -> bool:
        """Tell whether a field is a list that travels as one string."""
        return isinstance(field.type, CommaListType)

    @staticmethod
    def may_be_empty(model: Model) -> bool:
        """Tell whether an object without fields is such a model."""
        return not any(field.required or isinstance(field.type, CommaListType) for field in model.fields)

    @staticmethod
    def always_sent(field: Field) -> bool:
        """Tell whether a field is in the JSON whatever its value is."""
        return field.required and not field.encrypted and not isinstance(field.type, CommaListType)

    @staticmethod
    def present(field: Field) -> str:
        """Return the condition for sending any other field."""
        return f"self.{field.name}" if isinstance(field.type, CommaListType) else f"self.{field.name} is not None"
