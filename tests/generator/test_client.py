"""The generated code at work: requests of the small spec, and the examples of both specs through every model."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, Self, cast

import attrs
import pytest

from generator.document import Document, Node, load
from generator.runtime.errors import PusherError as RuntimePusherError

from .golden import mini_client as mini
from .golden.mini_client.models import Item, NewItem, Part, Tree
from .golden.mini_client.operations import items, notes
from .golden.mini_client.resources.items import AsyncItemsResource, ItemsResource
from .golden.mini_client.webhooks import UnknownChange, WebhookChange, decode_webhook_change
from .support import GOLDEN, MINI, ROOT, SPEC

# What type checkers would refuse has to be refused at run time too.
UNTYPED_LIST: Any = items.list_request
UNTYPED_CREATE: Any = items.create_request
UNTYPED_PART: Any = Part

GOLDEN_PACKAGE = "tests.generator.golden.mini_client"
REAL_PACKAGE = "pusher_channels_rest"
PACKAGES = {GOLDEN_PACKAGE: MINI, REAL_PACKAGE: SPEC}


class Model(Protocol):
    """What every model can do."""

    def to_dict(self) -> dict[str, object]: ...

    @classmethod
    def from_dict(cls, value: object) -> Self: ...


def documented(path: Path) -> Iterator[tuple[str, object]]:
    """Go through all examples of component schemas, wherever the document uses them."""
    document = Document(load(path))

    def media(node: Node) -> Iterator[tuple[str, object]]:
        for _, item in node.members():
            schema = cast("dict[str, object]", item.mapping().get("schema", {}))
            name = str(schema.get("$ref", "")).rpartition("/")[2]
            for _, example in item.members("examples"):
                yield name, document.resolve(example).mapping()["value"]

    for name, schema in document.root.child("components").child("schemas").members():
        for item in schema.items("examples"):
            yield name, item.value
    for group in ("paths", "webhooks"):
        for _, path_item in document.root.members(group):
            for method, operation in path_item.members():
                if method not in ("get", "post", "put"):
                    continue
                body = operation.get("requestBody")
                if body is not None:
                    yield from media(document.resolve(body).child("content"))
                for _, response in operation.members("responses"):
                    content = document.resolve(response).get("content")
                    if content is not None:
                        yield from media(content)


def examples() -> Iterator[Any]:
    for package, path in PACKAGES.items():
        models = importlib.import_module(f"{package}.models")
        for index, (name, value) in enumerate(documented(path)):
            if name in models.__all__:
                yield pytest.param(getattr(models, name), value, id=f"{package}-{name}-{index}")


@pytest.mark.parametrize(("model", "example"), list(examples()))
def test_every_example_goes_through_its_model(model: type[Model], example: object) -> None:
    made = model.from_dict(example)
    wire = made.to_dict()
    assert wire == without_null(example, model)
    assert model.from_dict(wire) == made
    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made


def without_null(value: object, model: type[Model]) -> object:
    """Optional fields that are null are left out; only a required field of the small spec is kept as null."""
    if isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        return {key: item for key, item in mapping.items() if item is not None or model is NewItem}
    return value


def test_there_are_examples_for_most_models() -> None:
    names = {name for name, _ in documented(SPEC)}
    assert {"TriggerRequest", "TriggerResult", "ChannelList", "Channel", "WebhookBody", "PresenceUser"} <= names


def test_query_parameters() -> None:
    request = items.list_request(
        "a1", limit=5, prefix="ab", ratio=1.5, all_=True, order="up", level=2, info=["size", "color"], tag=["a", "b"],
        owner=7, limits_="x", app_id_="a2",
    )  # fmt: skip
    assert request.path == "/apps/a1/items"
    assert request.query == (
        ("prefix", "ab"), ("limit", "5"), ("ratio", "1.5"), ("all", "true"), ("order", "up"), ("level", "2"),
        ("info", "size,color"), ("tag", "a"), ("tag", "b"), ("owner", "7"), ("limits", "x"), ("app_id", "a2"),
    )  # fmt: skip
    assert request.body is None
    assert request.operation is items.LIST
    assert items.list_request("a1", limit=5, info="size").query == (("limit", "5"), ("info", "size"))
    assert items.list_request("a1", limit=5).query == (("limit", "5"),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit: must be 1 to 100"),
        ({"limit": 101}, "limit: must be 1 to 100"),
        ({"limit": "5"}, "limit: must be an integer"),
        ({"prefix": "abcdef"}, "prefix: must be at most 5 characters long"),
        ({"prefix": "A"}, "prefix: must match the pattern ^[a-z]*$"),
        ({"ratio": 3}, "ratio: must be 0.5 to 2.5"),
        ({"all_": 1}, "all_: must be True or False"),
        ({"order": "left"}, "order: must be one of: up, down"),
        ({"level": 3}, "level: must be one of: 1, 2, 4"),
        ({"info": "size,size"}, "info: must not have the same item twice"),
        ({"info": ["age"]}, "info[0]: must be one of: size, weight, color"),
        ({"tag": ["a", "long"]}, "tag[1]: must be 1 to 3 characters long"),
        (
            {"owner": "A"},
            "owner: must consist of small letters, or must be an integer, or must be at most 0 characters",
        ),
        ({"app_id": ".."}, 'app_id: must not be empty, "." or ".."'),
        ({"app_id": "A"}, "app_id: must consist of digits and small letters"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(mini.InvalidArgumentError) as caught:
        UNTYPED_LIST(**{"app_id": "a1", "limit": 5, **arguments})
    assert str(caught.value).startswith(message)


def test_unknown_arguments_are_type_errors() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        UNTYPED_LIST("a1", limit=5, colour=1)


def test_path_parameters() -> None:
    request = items.part_request("a1", "a@b=c,d;e é", 3)
    assert request.path == "/apps/a1/items/a@b=c,d;e%20%C3%A9/parts/3"
    assert request.operation.server == mini.Server(
        url="https://parts.mini.example", variables={}, client_option="parts_host"
    )
    assert items.LIST.server is mini.DEFAULT_SERVER
    assert mini.DEFAULT_SERVER.variables == {"region": "north"}
    for bad in (".", "..", "", "a/b"):
        with pytest.raises(mini.InvalidArgumentError, match="^item_id: "):
            items.part_request("a1", bad, 3)


def test_bodies() -> None:
    assert notes.clear_request("a1").body == b"{}"
    assert items.part_request("a1", "x", 1).body is None
    assert items.remove_part_request("a1", "x", 1).body is None
    assert items.set_part_request("a1", "x", 1, body=(1, 2.5)).body == b"[1,2.5]"
    assert notes.write_request("a1", body="é").body == "é".encode()
    created = items.create_request("a1", name="box", place=None, tag="a", colors=["red", "blue"], new=False)
    assert created.body == b'{"name":"box","kind":"thing","place":null,"tag":"a","new":false,"colors":"red,blue"}'
    planted = notes.plant_request("a1", label="é", additional_properties={"more": [1]})
    assert notes.configure_request("a1", additional_properties={"dark": True}).body == b'{"dark":true}'
    assert notes.configure_request("a1").body == b"{}"
    assert planted.body == '{"label":"é","more":[1]}'.encode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tag": None}, "tag: exactly one of tag, tags must be given"),
        ({"tags": ["a"]}, "tag: exactly one of tag, tags must be given"),
        ({"place": 1}, "place: must be a string"),
        ({"labels": {"a": ""}}, "labels['a']: must be at least 1 character long"),
        ({"labels": {"a": "x", "b": "x", "c": "x"}}, "labels: must have at most 2 entries"),
        ({"meta": {"a": {1}}}, "meta: must hold JSON values only"),
        ({"free": float("nan")}, "free: must be a finite number"),
        ({"parts": [Part(id=1), {"id": 2}]}, "parts[1]: must be a Part"),
        ({"parts": Part(id=1)}, "parts: must be a list"),
        ({"shelves": {"a": 1}}, "shelves['a']: must be a Part"),
        ({"colors": "red,pink"}, "colors[1]: must be one of: red, green, blue"),
        ({"aliases": ["a", "long"]}, "aliases[1]: must be 1 to 3 characters long"),
        ({"size": 4}, "size: must be one of: 1, 2, 3"),
        ({"matrix": [[1], [2, "3"]]}, "matrix[1][1]: must be an integer"),
        ({"name": 'a"b'}, "name: must match the pattern"),
        ({"weight": -0.5}, "weight: must be at least 0"),
        ({"new": "yes"}, "new: must be True or False"),
    ],
)
def test_bodies_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(mini.InvalidArgumentError) as caught:
        UNTYPED_CREATE("a1", **{"name": "box", "place": None, "tag": "a", **arguments})
    assert str(caught.value).startswith(message)


BROKEN_REQUESTS: list[tuple[object, str]] = [
    ([], "must be a mapping"),
    ({}, "name: is required"),
    ({"name": "box", "kind": "other", "place": None, "tag": "a"}, "kind: must be 'thing'"),
    ({"name": "box", "kind": "thing", "place": None, "tag": "a", "colour": 1}, "colour: is no field of NewItem"),
    ({"name": "box", "kind": "thing", "place": None, "tag": "a", "parts": [{}]}, "parts[0].id: is required"),
    ({"name": "box", "kind": "thing", "place": None, "tag": "a", "parts": [1]}, "parts[0]: must be a mapping"),
    ({"name": "box", "kind": "thing", "place": None, "tag": "a", "part_of": {"id": "1"}}, "part_of.id: must be an"),
    ({"name": "box", "kind": "thing", "place": None, "tag": "a", "shelves": {"s": 1}}, "shelves['s']: must be a"),
]


@pytest.mark.parametrize(("value", "message"), BROKEN_REQUESTS)
def test_request_models_from_json(value: object, message: str) -> None:
    with pytest.raises(mini.InvalidArgumentError) as caught:
        NewItem.from_dict(value)
    assert str(caught.value).startswith(message)


def test_limits_of_the_client() -> None:
    large = mini.Limits(max_note_bytes=200, max_tags=4)
    text = "x" * 150
    with pytest.raises(mini.InvalidArgumentError, match=r"^body: must be at most 100 bytes long \(UTF-8\)$"):
        notes.write_request("a1", body=text)
    assert notes.write_request("a1", body=text, limits=large).body == text.encode()
    part = Part(id=1, text=text, limits=large)
    assert items.create_request("a1", name="box", place=None, tag="a", parts=[part], limits=large).body
    with pytest.raises(mini.InvalidArgumentError, match=r"^parts\[0\].text: must be at most 100 bytes"):
        items.create_request("a1", name="box", place=None, tag="a", parts=[part])
    assert part == Part(id=1, text="x" * 150, limits=mini.Limits(max_note_bytes=500))
    assert "limits" not in repr(part)
    assert Part.from_dict({"id": 1, "text": text}, limits=large) == part
    with pytest.raises(mini.InvalidArgumentError, match="^max_tags: must be at least 1"):
        mini.Limits(max_tags=0)


def test_typed_additional_properties() -> None:
    assert Part(id=1, additional_properties={"extra": 5}).to_dict() == {"id": 1, "extra": 5}
    with pytest.raises(mini.InvalidArgumentError, match="^additional_properties"):
        UNTYPED_PART(id=1, additional_properties={"extra": "5"})
    with pytest.raises(mini.InvalidArgumentError, match="they are arguments"):
        Part(id=1, additional_properties={"text": 5})


def test_the_caller_keeps_what_it_passed() -> None:
    tags = ["a"]
    meta = {"a": [1]}
    made = NewItem(name="box", place=None, tags=tags, meta=meta)
    tags.append("b")
    meta["a"].append(2)
    assert made.to_dict()["tags"] == ["a"]
    assert made.to_dict()["meta"] == {"a": [1]}


def test_recursive_models() -> None:
    tree = Tree.from_dict({"label": "a", "children": [{"label": "b"}], "leaf": {"color": "c", "tree": {"label": "d"}}})
    assert tree.leaf is not None
    assert tree.leaf.tree == Tree(label="d")
    with pytest.raises(mini.InvalidArgumentError, match=r"^children\[0\].leaf.color: must be a string"):
        Tree.from_dict({"label": "a", "children": [{"label": "b", "leaf": {"color": 1}}]})


def test_answers() -> None:
    assert items.PART.decode(b'{"en":["a","b"],"de":{}}') == {"en": ("a", "b"), "de": ()}
    assert notes.CLEAR.decode(b"3") == 3
    assert notes.WRITE.decode(b"a note") == "a note"
    items.SET_PART.decode(b"whatever")
    (leaf,) = notes.PLANT.decode(b'[{"color":"red","deep":{"leaf":null,"x":1},"y":2}]')
    assert leaf.to_dict() == {"color": "red", "deep": {"x": 1}, "y": 2}
    listed = items.LIST.decode(b'{"items":[],"more":true}')
    assert listed.items == {}
    assert listed.additional_properties == {"more": True}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "Item: must be an object"),
        ({"id": 1, "flag": True}, "Item.name: must be a string"),
        ({"name": "a", "id": 1.5, "flag": True}, "Item.id: must be an integer"),
        ({"name": "a", "id": 1, "flag": 0}, "Item.flag: must be a boolean"),
        ({"name": "a", "id": 1, "flag": True, "tags": ["a", 1]}, "Item.tags: must be a string"),
        ({"name": "a", "id": 1, "flag": True, "leaf": {}}, "Leaf.color: must be a string"),
        ({"name": "a", "id": 1, "flag": True, "counts": {"a": "1"}}, "Item.counts: must be an integer"),
        ({"name": "a", "id": 1, "flag": True, "meta": 1}, "Item.meta: must be an object"),
    ],
)
def test_answers_of_other_types(value: object, message: str) -> None:
    with pytest.raises(mini.ResponseDecodeError) as caught:
        Item.from_dict(value)
    assert str(caught.value) == message


def test_comma_lists_in_answers() -> None:
    value: dict[str, object] = {"name": "a", "id": 1, "flag": True}
    assert Item.from_dict({**value, "colors": "red,blue"}).colors == ("red", "blue")
    assert Item.from_dict({**value, "colors": ""}).colors == ()
    assert Item.from_dict(value).colors == ()


def test_answers_are_not_held_to_limits() -> None:
    assert Item.from_dict({"name": "", "id": "", "flag": True, "kind": "new"}).kind == "new"


def test_optional_fields_may_be_null() -> None:
    value: dict[str, object] = {"name": "a", "id": 1, "flag": True}
    nulls = dict.fromkeys(("weight", "place", "tags", "leaf", "leaves", "counts", "by_name", "meta", "secret"))
    assert Item.from_dict({**value, **nulls}) == Item.from_dict(value)


def test_secrets_are_not_in_reprs() -> None:
    assert "hidden" not in repr(Item.from_dict({"name": "a", "id": 1, "flag": True, "secret": "hidden"}))
    assert "hidden" not in repr(NewItem(name="a", place=None, tag="a", secret="hidden"))


def test_models_are_frozen_and_hashable() -> None:
    item = Item.from_dict({"name": "a", "id": 1, "flag": True, "meta": {"a": 1}, "x": 2})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        item.name = "b"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - just what is refused
    assert hash(item) == hash(Item.from_dict(item.to_dict()))
    assert hash(NewItem(name="a", place=None, tags=["a"], labels={"a": "b"}))


def test_webhook_events() -> None:
    added = decode_webhook_change({"what": "added", "item": "a", "new": 1})
    assert added.to_dict() == {"what": "added", "item": "a", "new": 1}
    unknown = decode_webhook_change({"what": "renamed", "to": "b"})
    assert unknown == UnknownChange(what="renamed", additional_properties={"to": "b"})
    assert unknown.to_dict() == {"what": "renamed", "to": "b"}
    assert len({added, unknown, decode_webhook_change(added.to_dict())}) == 2
    for broken in ({}, {"what": 1}, {"what": "added"}, "added", None):
        with pytest.raises(mini.ResponseDecodeError):
            decode_webhook_change(broken)


def name_of(event: WebhookChange) -> str:
    """Show that matching by class narrows the type for type checkers."""
    match event:
        case UnknownChange(what=what):
            return what
        case _:
            return event.what


def test_encrypted_data_of_an_event() -> None:
    message = decode_webhook_change({"what": "message", "text": "secret"})
    assert name_of(message) == "message"
    assert not isinstance(message, UnknownChange)
    opened = attrs.evolve(
        cast("Any", message), text=None, raw_data="secret", decryption_error=mini.PusherError("no key")
    )
    assert opened.to_dict() == {"what": "message"}
    assert opened == attrs.evolve(opened, decryption_error=None)
    # An event without data must not make its webhook fail.
    assert cast("Any", decode_webhook_change({"what": "message"})).text is None


class Recorder:
    """A client that sends nothing."""

    app_id = "a1"
    limits = mini.Limits(max_tags=4)

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[mini.Request[Any]] = []

    def call(self, request: mini.Request[Any]) -> Any:
        self.requests.append(request)
        return request.operation.decode(self.answer)


class AsyncRecorder(Recorder):
    """The same for the async resources."""

    async def call(self, request: mini.Request[Any]) -> Any:
        return super().call(request)


async def test_resources_are_twins() -> None:
    answer = b'{"name":"a","id":1,"flag":true}'
    caller, async_caller = Recorder(answer), AsyncRecorder(answer)
    made = ItemsResource(caller).create(name="a", place=None, tags=list("abcd"))
    assert await AsyncItemsResource(async_caller).create(name="a", place=None, tags=list("abcd")) == made
    assert caller.requests == async_caller.requests
    assert made == Item(name="a", id=1, flag=True)
    members: list[tuple[str, Any]] = inspect.getmembers(ItemsResource, inspect.isfunction)
    methods = [name for name, _ in members if not name.startswith("_")]
    assert methods == ["create", "list", "part", "remove_part", "set_part"]
    for name in methods:
        sync, twin = getattr(ItemsResource, name), getattr(AsyncItemsResource, name)
        assert inspect.signature(sync) == inspect.signature(twin)
        assert sync.__doc__ == twin.__doc__
        assert inspect.iscoroutinefunction(twin)


async def test_deprecated_methods_warn_their_caller() -> None:
    sync: Any = ItemsResource(Recorder(b""))
    twin: Any = AsyncItemsResource(AsyncRecorder(b""))
    with pytest.warns(DeprecationWarning, match=r"items.remove_part is deprecated") as caught:
        sync.remove_part("x", 1)
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"items.remove_part is deprecated") as caught:
        await twin.remove_part("x", 1)
    assert caught[0].filename == __file__
    assert items.REMOVE_PART.deprecated


def test_resources_are_made_when_they_are_used() -> None:
    class Client(mini.Resources):
        @property
        def _caller(self) -> Recorder:
            return recorder

    recorder = Recorder(b"7")
    client = Client()
    assert client.notes is client.notes
    assert client.notes.clear() == 7
    assert [request.operation.id for request in recorder.requests] == ["notes/clear"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_operation_is_described(package: str) -> None:
    resources: type = importlib.import_module(f"{package}.resources").Resources
    found = 0
    for name in vars(resources):
        if name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.resources.{name}")
        operations = importlib.import_module(f"{package}.operations.{name}")
        names: list[str] = module.__all__
        for kind in names:
            resource: type = getattr(module, kind)
            for method, function in inspect.getmembers(resource, inspect.isfunction):
                if method.startswith("_"):
                    continue
                found += 1
                documentation = inspect.getdoc(function) or ""
                assert "Raises:" in documentation
                for parameter in inspect.signature(function).parameters.values():
                    assert parameter.name in ("self", "caller") or re.search(
                        rf"^    {parameter.name}:", documentation, re.M
                    )
                    positional = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                    in_path = f"{{{parameter.name}}}" in getattr(operations, method.upper()).path
                    assert positional == (in_path or parameter.name == "self")
                    assert parameter.name != "app_id"
    assert found >= 16


@pytest.mark.parametrize(
    ("package", "docs"), [(GOLDEN_PACKAGE, GOLDEN / "api.md"), (REAL_PACKAGE, ROOT / "docs" / "api.md")]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_examples_in_the_documentation_can_be_called(package: str, docs: Path) -> None:
    requests: list[Any] = []
    limits = importlib.import_module(f"{package}.limits").DEFAULT_LIMITS
    caller = SimpleNamespace(app_id="1", limits=limits, call=requests.append)
    resources: Any = importlib.import_module(f"{package}.resources").Resources
    client = type("Client", (resources,), {"_caller": caller})()
    models = importlib.import_module(f"{package}.models")
    names = {"pusher": client, **{name: getattr(models, name) for name in models.__all__}}
    calls = re.findall(r"^Example:\n\n```python\n(.*?)```", docs.read_text(), re.M | re.S)
    for call in calls:
        eval(call, names)
    assert len(requests) == len(calls) > 0


def test_the_errors_of_the_package_are_the_copied_ones() -> None:
    assert not issubclass(mini.APIError, RuntimePusherError)
    assert mini.PusherError.__doc__ == RuntimePusherError.__doc__
