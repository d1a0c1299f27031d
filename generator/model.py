"""What the templates get: the parser's result joined with the raw document's facts that the parser drops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import field, frozen


@frozen
class StringType:
    """Text."""

    min_length: int | None = None
    max_length: int | None = None
    max_bytes: int | None = None
    limit: str | None = None
    pattern: str | None = None
    pattern_rule: str = ""
    enum: tuple[str, ...] = ()


@frozen
class IntegerType:
    """A whole number."""

    minimum: int | None = None
    maximum: int | None = None
    multiple_of: int | None = None
    enum: tuple[int, ...] = ()


@frozen
class NumberType:
    """A number."""

    minimum: float | None = None
    maximum: float | None = None
    multiple_of: float | None = None


@frozen
class BooleanType:
    """True or false."""


@frozen
class ConstType:
    """The one value that a field has."""

    value: str | int | bool


@frozen
class JsonType:
    """Any JSON value."""


@frozen
class JsonObjectType:
    """A JSON object that the spec says nothing more about."""

    min_items: int | None = None
    max_items: int | None = None


@frozen
class AnyOfType:
    """A value of one of several scalar types."""

    members: tuple[ScalarType, ...]


@frozen
class NamedType:
    """A scalar component of the spec, which has a check function of its own."""

    name: str
    inner: ScalarType


@frozen
class ListType:
    """An array."""

    item: Type
    min_items: int | None = None
    max_items: int | None = None
    unique: bool = False
    limit: str | None = None


@frozen
class CommaListType:
    """A list that travels as one string, joined with commas."""

    item: StringType | NamedType
    min_items: int | None = None
    max_items: int | None = None
    unique: bool = False


@frozen
class MapType:
    """An object whose keys are data."""

    value: Type
    min_items: int | None = None
    max_items: int | None = None


@frozen
class ModelType:
    """An object with a class of its own."""

    model: str


@frozen
class TaggedUnionType:
    """An object of one of several classes, told apart by one field."""

    union: str


@frozen
class NullableType:
    """A value that may also be null."""

    inner: Type


ScalarType = StringType | IntegerType | NumberType | BooleanType | ConstType | AnyOfType | NamedType
Type = (
    ScalarType
    | JsonType
    | JsonObjectType
    | ListType
    | CommaListType
    | MapType
    | ModelType
    | TaggedUnionType
    | NullableType
)


@frozen
class Field:
    """A property of a model."""

    wire: str
    name: str
    type: Type
    required: bool
    description: str = ""
    secret: bool = False
    encrypted: bool = False


@frozen
class FieldRule:
    """A rule over several fields: exactly one of them is given, or at least one."""

    exactly_one: bool
    names: tuple[str, ...]


@frozen
class Model:
    """A class for an object.

    Attributes:
        checked: Whether it is a request model, checked in full when it is made.
        holds_limits: Whether a limit in it, or below it, can be replaced by a client option.
        many: Whether one answer may hold many of them.
        own: Whether no operation uses it: it is what the customer's own endpoints answer, or are given.
        additional: The type of fields that the spec does not name, or None where it forbids them.
        references: The models that its fields use.
        late: Those of them that use it in turn, so that they are imported in functions.
    """

    name: str
    module: str
    pointer: str
    description: str
    docs_url: str
    fields: tuple[Field, ...]
    additional: Type | None
    rules: tuple[FieldRule, ...] = ()
    min_fields: int | None = None
    max_fields: int | None = None
    checked: bool = False
    holds_limits: bool = False
    many: bool = False
    own: bool = False
    references: tuple[str, ...] = ()
    late: frozenset[str] = frozenset()
    unions: tuple[str, ...] = ()


@frozen
class Scalar:
    """A scalar component and its check function."""

    name: str
    function: str
    type: ScalarType
    description: str
    docs_url: str
    holds_limits: bool


@frozen
class TaggedUnion:
    """A union of models that is told apart by a field."""

    name: str
    tag: str
    tag_name: str
    decoder: str
    fallback: str
    description: str
    members: Mapping[str, str] = field(hash=False)

    @property
    def reader(self) -> str:
        """The name of the function that reads what was just parsed."""
        return self.decoder.replace("decode_", "read_", 1)


@frozen
class Server:
    """Where operations live."""

    url: str
    variables: tuple[tuple[str, str], ...]
    client_option: str | None


@frozen
class Parameter:
    """A path or query parameter that a method takes."""

    wire: str
    name: str
    type: Type
    required: bool
    description: str
    explode: bool = False
    example: object = None


@frozen
class Body:
    """A request body.

    Attributes:
        kind: `object` (a model whose fields the method takes), `value` (JSON that the method takes as it is) or `raw`
            (a string that is sent as it is).
    """

    kind: str
    type: Type
    description: str
    example: object = None
    fields: tuple[Field, ...] = ()
    additional: Type | None = None


@frozen
class Operation:
    """An operation and the method that calls it."""

    id: str
    resource: str
    method: str
    http_method: str
    path: str
    summary: str
    description: str
    docs_url: str
    deprecated: bool
    idempotent: bool
    server: Server
    app_id: Parameter | None
    path_parameters: tuple[Parameter, ...]
    query_parameters: tuple[Parameter, ...]
    body: Body | None
    result: Type | None
    result_is_text: bool
    errors: tuple[tuple[str, str], ...]
    pointer: str

    @property
    def constant(self) -> str:
        """The name of the operation's constant."""
        return self.method.upper()


@frozen
class Resource:
    """The operations of one tag."""

    name: str
    class_name: str
    description: str
    operations: tuple[Operation, ...]


@frozen
class Limit:
    """A limit that a client option may replace."""

    name: str
    default: int
    description: str


@frozen
class Api:
    """Everything that is generated."""

    title: str
    version: str
    docs_url: str
    server: Server
    resources: tuple[Resource, ...]
    models: tuple[Model, ...]
    scalars: tuple[Scalar, ...]
    unions: tuple[TaggedUnion, ...]
    limits: tuple[Limit, ...]

    def model(self, name: str) -> Model:
        """Return the model of that class name."""
        return next(model for model in self.models if model.name == name)

    def scalar(self, name: str) -> Scalar:
        """Return the scalar component of that name."""
        return next(scalar for scalar in self.scalars if scalar.name == name)

    def union(self, name: str) -> TaggedUnion:
        """Return the tagged union of that name."""
        return next(union for union in self.unions if union.name == name)

    def operations(self) -> Iterator[Operation]:
        """Go through all operations."""
        for resource in self.resources:
            yield from resource.operations


def nested(kind: Type) -> Iterator[Type]:
    """Go through a type and the types that it is made of, not through the fields of models."""
    yield kind
    match kind:
        case AnyOfType(members=members):
            for member in members:
                yield from nested(member)
        case NamedType(inner=inner) | NullableType(inner=inner):
            yield from nested(inner)
        case ListType(item=item) | CommaListType(item=item):
            yield from nested(item)
        case MapType(value=value):
            yield from nested(value)
        case _:
            pass


def plain(kind: Type) -> Type:
    """Return the type of a value that is not null."""
    return kind.inner if isinstance(kind, NullableType) else kind
