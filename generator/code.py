"""Python expressions for the types: annotations, checks of arguments, reading of answers, writing to JSON.

Texts of the spec get into code through `repr` alone, which is always a safe literal.
"""

from __future__ import annotations

from .model import (
    AnyOfType,
    Api,
    BooleanType,
    CommaListType,
    ConstType,
    IntegerType,
    JsonObjectType,
    JsonType,
    ListType,
    MapType,
    ModelType,
    NamedType,
    NullableType,
    NumberType,
    StringType,
    TaggedUnionType,
    Type,
    nested,
)


class Code:
    """Writes expressions for the types of one API."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._patterns: dict[str, str] = {}

    def module(self, name: str) -> str:
        """Begin a module of that name: forget the patterns of the one before."""
        self._patterns = {}
        return name

    def patterns(self) -> dict[str, str]:
        """Return the constants for the patterns that the module's checks use: the names and the sources."""
        return {constant: source for source, constant in self._patterns.items()}

    # annotations

    def annotation(self, kind: Type, *, answer: bool = False) -> str:
        """Return the annotation of an argument, or of a field that was read."""
        match kind:
            case StringType():
                return "str"
            case IntegerType():
                return "int"
            case NumberType():
                return "float"
            case BooleanType():
                return "bool"
            case ConstType(value=value):
                return f"Literal[{value!r}]"
            case AnyOfType(members=members):
                return " | ".join(dict.fromkeys(self.annotation(member, answer=answer) for member in members))
            case NamedType(inner=inner):
                return self.annotation(inner, answer=answer)
            case JsonType():
                return "object"
            case JsonObjectType():
                return "Mapping[str, object]"
            case ListType(item=item) if answer:
                return f"tuple[{self.annotation(item, answer=answer)}, ...]"
            case ListType(item=item):
                return f"Sequence[{self.annotation(item)}]"
            case CommaListType():
                return "tuple[str, ...]" if answer else "Sequence[str] | str"
            case MapType(value=value):
                return f"Mapping[str, {self.annotation(value, answer=answer)}]"
            case ModelType(model=model):
                return model
            case TaggedUnionType(union=union):
                return union
            case NullableType(inner=inner):
                return f"{self.annotation(inner, answer=answer)} | None"

    # checks

    def check(self, kind: Type, value: str, argument: str, *, limits: str, parse: bool = False) -> str:
        """Return the check of a value, which yields the value to use.

        Args:
            kind: The type.
            value: An expression for the value.
            argument: An expression for the argument's name.
            limits: An expression for the client's limits.
            parse: Whether objects are plain JSON that becomes models, not models.
        """
        match kind:
            case StringType():
                return _call("check_string", value, argument, *self._string_rules(kind, limits))
            case IntegerType(minimum=minimum, maximum=maximum, multiple_of=multiple_of, enum=enum):
                bounds = _given(minimum=minimum, maximum=maximum, multiple_of=multiple_of, allowed=enum or None)
                return _call("check_integer", value, argument, *bounds)
            case NumberType(minimum=minimum, maximum=maximum, multiple_of=multiple_of):
                bounds = _given(minimum=minimum, maximum=maximum, multiple_of=multiple_of)
                return _call("check_number", value, argument, *bounds)
            case BooleanType():
                return _call("check_boolean", value, argument)
            case ConstType(value=constant):
                return _call("check_constant", value, argument, repr(constant))
            case AnyOfType(members=members):
                checks = [self.check_callable(member, limits=limits) for member in members]
                return _either("check_either", "value, argument", value, argument, checks)
            case NamedType(name=name):
                scalar = self._api.scalar(name)
                return _call(scalar.function, value, argument, *([f"limits={limits}"] if scalar.holds_limits else []))
            case JsonType():
                return _call("check_json", value, argument)
            case JsonObjectType():
                return _call("check_object", value, argument, *_counts(kind))
            case ListType(item=item):
                most = f"{limits}.{kind.limit}" if kind.limit else _literal(kind.max_items)
                rules = [*_given(min_items=kind.min_items), *([f"max_items={most}"] if most else [])]
                rules += ["unique=True"] if kind.unique else []
                return _call(
                    "check_list", value, argument, self.check_callable(item, limits=limits, parse=parse), *rules
                )
            case CommaListType(item=item):
                rules = [*_counts(kind), *(["unique=True"] if kind.unique else [])]
                return _call("check_comma_list", value, argument, self.check_callable(item, limits=limits), *rules)
            case MapType(value=inner):
                check = self.check_callable(inner, limits=limits, parse=parse)
                return _call("check_map", value, argument, check, *_counts(kind))
            case ModelType(model=model) if parse:
                return _call("check_parsed", value, argument, self._parser(model, limits))
            case ModelType(model=model):
                call = _call("check_model", value, argument, model)
                return f"{call}.with_limits({limits})" if self._api.model(model).holds_limits else call
            case NullableType(inner=inner):
                return f"None if {value} is None else {self.check(inner, value, argument, limits=limits, parse=parse)}"
            case TaggedUnionType():
                raise AssertionError("a tagged union is never an argument")

    def quick(self, kind: Type, value: str, *, limits: str) -> str:
        """Return a condition that tells quickly that a value needs no further look, as nearly always; or nothing.

        It holds for plain ASCII text alone, whose characters are its bytes.
        """
        match kind:
            case StringType(enum=()):
                least = kind.min_length or 0
                mosts = [
                    str(most) for most in (kind.max_length, None if kind.limit else kind.max_bytes) if most is not None
                ]
                bounds = [f"{least} <= " if least else "", f" <= {min(mosts, key=int)}" if mosts else ""]
                conditions = [f"type({value}) is str", f"{value}.isascii()"]
                conditions += [f"{bounds[0]}len({value}){bounds[1]}"] if any(bounds) else []
                conditions += [f"len({value}) <= {limits}.{kind.limit}"] if kind.limit else []
                conditions += [f"{self._pattern(kind.pattern)}.fullmatch({value})"] if kind.pattern is not None else []
                return " and ".join(conditions)
            case NamedType(inner=inner):
                return self.quick(inner, value, limits=limits)
            case AnyOfType(members=members):
                return self.quick(members[0], value, limits=limits)
            case _:
                return ""

    def check_callable(self, kind: Type, *, limits: str, parse: bool = False) -> str:
        """Return a check as a function of a value and the argument's name."""
        call = self.check(kind, "value", "argument", limits=limits, parse=parse)
        name, _, rest = call.partition("(")
        return name if rest == "value, argument)" else f"lambda value, argument: {call}"

    def copies(self, kind: Type) -> bool:
        """Tell whether the check of a type returns another object than it was given."""
        match kind:
            case NullableType(inner=inner):
                return self.copies(inner)
            case ModelType(model=model):
                return self._api.model(model).holds_limits
            case _:
                return isinstance(kind, (JsonType, JsonObjectType, ListType, CommaListType, MapType))

    def unhashable(self, kind: Type) -> bool:
        """Tell whether a value of a type holds a dict."""
        return any(isinstance(inner, (JsonType, JsonObjectType, MapType)) for inner in nested(kind))

    def _string_rules(self, kind: StringType, limits: str) -> list[str]:
        most = f"{limits}.{kind.limit}" if kind.limit else _literal(kind.max_bytes)
        rules = _given(min_length=kind.min_length, max_length=kind.max_length)
        rules += [f"max_bytes={most}"] if most else []
        if kind.pattern is not None:
            rules += [f"pattern={self._pattern(kind.pattern)}", f"pattern_rule={kind.pattern_rule!r}"]
        return rules + _given(allowed=kind.enum or None)

    def _pattern(self, source: str) -> str:
        return self._patterns.setdefault(source, f"_PATTERN_{len(self._patterns) + 1}")

    def _parser(self, model: str, limits: str) -> str:
        if self._api.model(model).holds_limits:
            return f"lambda fields: {model}.from_dict(fields, limits={limits})"
        return f"{model}.from_dict"

    # reading

    def read(self, kind: Type, value: str, where: str) -> str:
        """Return the reading of a JSON value of an answer."""
        match kind:
            case StringType():
                return _call("read_string", value, where)
            case IntegerType():
                return _call("read_integer", value, where)
            case NumberType():
                return _call("read_number", value, where)
            case BooleanType():
                return _call("read_boolean", value, where)
            case ConstType(value=constant):
                return _call("read_constant", value, where, repr(constant))
            case AnyOfType(members=members):
                reads = list(dict.fromkeys(self._read_function(member) for member in members))
                if len(reads) == 1:
                    return self.read(members[0], value, where)
                return _either("read_either", "item, place", value, where, reads)
            case NamedType(inner=inner):
                return self.read(inner, value, where)
            case JsonType():
                return value
            case JsonObjectType():
                return _call("read_object", value, where)
            case ListType(item=item):
                return _call("read_list", value, where, self._read_callable(item, where))
            case CommaListType():
                return _call("read_comma_list", value, where)
            case MapType(value=inner):
                return _call("read_map", value, where, self._read_callable(inner, where))
            case ModelType(model=model):
                return f"{model}.{'from_dict' if self._api.model(model).checked else 'from_parsed'}({value})"
            case TaggedUnionType(union=union):
                return f"{self._api.union(union).reader}({value})"
            case NullableType(inner=inner):
                return f"None if {value} is None else {self.read(inner, value, where)}"

    def reader(self, kind: Type, where: str) -> str:
        """Return the reading of an answer as a function of the JSON value."""
        return self._read_callable(kind, where)

    def _read_callable(self, kind: Type, where: str) -> str:
        call = self.read(kind, "item", where)
        name, _, rest = call.partition("(")
        return name if rest == "item)" else f"lambda item: {call}"

    def _read_function(self, kind: Type) -> str:
        call = self.read(kind, "item", "place")
        name, _, rest = call.partition("(")
        return name if rest == "item, place)" else f"lambda item, place: {call}"

    # writing

    def write(self, kind: Type, value: str) -> str:
        """Return the JSON value of a checked or read value."""
        match kind:
            case JsonObjectType():
                return f"dict({value})"
            case ListType(item=item):
                inner = self.write(item, "item")
                return f"list({value})" if inner == "item" else f"[{inner} for item in {value}]"
            case CommaListType():
                return f'",".join({value})'
            case MapType(value=item):
                inner = self.write(item, "item")
                return f"dict({value})" if inner == "item" else f"{{key: {inner} for key, item in {value}.items()}}"
            case ModelType() | TaggedUnionType():
                return f"{value}.to_dict()"
            case NullableType(inner=inner_kind):
                inner = self.write(inner_kind, value)
                return value if inner == value else f"None if {value} is None else {inner}"
            case _:
                return value

    def query(self, kind: Type, value: str) -> str:
        """Return the text of a checked query or path value."""
        base = kind.inner if isinstance(kind, (NamedType, NullableType)) else kind
        if isinstance(base, CommaListType):
            return f'",".join({value})'
        return value if self.annotation(base) == "str" else f"encode_query({value})"

    # words

    def rule(self, kind: Type) -> str:
        """Say the rules of a type in words, for docstrings."""
        match kind:
            case StringType():
                parts = [_size(kind.min_length, kind.max_length, "character")]
                if kind.max_bytes is not None:
                    parts.append(f"at most {kind.max_bytes} bytes (UTF-8){_option(kind.limit)}")
                parts.append(kind.pattern_rule.removeprefix("must consist of ").removeprefix("must match the "))
                parts.append(f"one of {', '.join(kind.enum)}" if kind.enum else "")
                parts = [": ".join(part for part in parts if part)]
            case IntegerType(minimum=low, maximum=high) | NumberType(minimum=low, maximum=high):
                parts = [_range(low, high)]
                if isinstance(kind, IntegerType) and kind.enum:
                    parts.append(f"one of {', '.join(map(str, kind.enum))}")
            case AnyOfType(members=members):
                rules = [self.rule(member) or f"any {self.annotation(member)}" for member in members]
                parts = [", or ".join(dict.fromkeys(rules))] if any(self.rule(member) for member in members) else []
            case NamedType(inner=inner) | NullableType(inner=inner):
                parts = [self.rule(inner)]
            case ListType(item=item) | CommaListType(item=item):
                parts = [_size(kind.min_items, kind.max_items, "item")]
                parts[0] += _option(kind.limit) if isinstance(kind, ListType) else ""
                parts.append("no item twice" if kind.unique else "")
                parts.append(f"each {rule}" if (rule := self.rule(item)) else "")
            case MapType(value=value):
                parts = [f"each {rule}" if (rule := self.rule(value)) else ""]
            case _:
                parts = []
        return "; ".join(part for part in parts if part)


def _call(function: str, *arguments: str) -> str:
    return f"{function}({', '.join(arguments)})"


def _either(function: str, parameters: str, value: str, name: str, alternatives: list[str]) -> str:
    """Return a call for two alternatives; more of them are nested."""
    first, *others = alternatives
    second = others[0]
    if len(others) > 1:
        inner_value, inner_name = parameters.split(", ")
        call = _either(function, parameters, inner_value, inner_name, others)
        second = f"lambda {parameters}: {call}"
    return _call(function, value, name, first, second)


def _given(**rules: object) -> list[str]:
    return [f"{name}={value!r}" for name, value in rules.items() if value is not None]


def _counts(kind: CommaListType | MapType | JsonObjectType) -> list[str]:
    return _given(min_items=kind.min_items, max_items=kind.max_items)


def _literal(value: int | None) -> str:
    return "" if value is None else repr(value)


def _option(limit: str | None) -> str:
    return f" unless the client's `{limit}` says otherwise" if limit else ""


def _size(least: int | None, most: int | None, unit: str) -> str:
    units = unit if (most or least) == 1 else f"{unit}s"
    if most is None:
        return f"at least {least} {units}" if least else ""
    if not least:
        return f"at most {most} {units}"
    return f"exactly {most} {units}" if least == most else f"{least} to {most} {units}"


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"{low} to {high}"
