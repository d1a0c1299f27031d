"""What openapi-python-client 0.29.1 gets wrong by itself, and what this generator makes of it.

The numbers are those of our notes on its defects. What is not here is refused (test_refused.py).
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import attrs
import pytest
from jinja2 import FileSystemLoader, TemplateNotFound

from generator.config import CORE_SCHEMAS
from generator.document import load
from generator.join import join
from generator.parser import parse
from generator.render import TEMPLATES, Renderer

from .golden import mini_client as mini
from .golden.mini_client.models import Item, NewItem, Tree, TreeLeaf
from .golden.mini_client.operations import items, notes
from .golden.mini_client.resources.items import ItemsResource
from .support import GOLDEN, ROOT, Spec, changed, client, files, operation, problem, schema

MINI_CLIENT = GOLDEN / "mini_client"


def sources(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}


def test_1_to_4_no_client_no_status_and_no_http_library_is_generated() -> None:
    for name, text in sources(MINI_CLIENT).items():
        imported = {
            alias.name if isinstance(node, ast.Import) else node.module or ""
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        allowed = {
            "attrs",
            "collections",
            "functools",
            "importlib",
            "json",
            "re",
            "types",
            "typing",
            "urllib",
            "warnings",
        }
        outside = {module.partition(".")[0] for module in imported} & set(sys.stdlib_module_names | {"httpx", "nacl"})
        if name == "lazy.py":  # it has to do with forks
            allowed |= {"os", "threading", "time"}
        assert outside <= allowed | {"__future__"}, name


def test_5_a_method_returns_the_success_and_no_union() -> None:
    assert inspect.signature(ItemsResource.create).return_annotation == "Item"
    assert inspect.signature(ItemsResource.part).return_annotation == "Mapping[str, tuple[str, ...]]"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"name": "a", "id": null, "flag": true}', b"3"])
def test_6_whatever_is_wrong_with_an_answer_is_one_error(content: bytes) -> None:
    with pytest.raises(mini.ResponseDecodeError):
        items.CREATE.decode(content)


def test_7_absent_fields_are_none_and_survive_copies() -> None:
    tree = Tree(label="a")
    assert tree.children is None
    for other in (copy.deepcopy(tree), pickle.loads(pickle.dumps(tree))):
        assert other == tree
        assert other.to_dict() == {"label": "a"}


def test_8_an_answer_may_have_new_values_and_a_request_may_not() -> None:
    assert Item.from_dict({"name": "a", "id": 1, "flag": True, "kind": "brand new"}).kind == "brand new"
    with pytest.raises(mini.InvalidArgumentError, match="size: must be one of"):
        NewItem(name="a", place=None, tag="a", size=9)


def test_9_a_tagged_union_is_told_apart_by_its_tag_alone() -> None:
    broken = {"what": "added", "text": "looks like a message"}
    with pytest.raises(mini.ResponseDecodeError, match=r"^Added\.item: must be a string$"):
        mini.decode_webhook_change(broken)


def test_10_explode_is_obeyed_and_is_true_by_default() -> None:
    request = items.list_request("a", limit=1, info=["size", "color"], tag=["a", "b"])
    assert request.query[1:] == (("info", "size,color"), ("tag", "a"), ("tag", "b"))


def test_11_and_12_security_of_the_document_adds_no_argument() -> None:
    assert "key" not in inspect.signature(items.list_request).parameters
    assert "authorization" not in "".join(sources(MINI_CLIENT).values()).lower()


def test_13_servers_of_the_document_the_path_and_the_operation(tmp_path: Path) -> None:
    def change(spec: Spec) -> None:
        operation(spec, "items/part")["servers"] = [{"url": "https://own.example", "x-client-option": "own"}]

    assert items.LIST.server.url == "https://{region}.mini.example"
    assert items.PART.server.url == "https://parts.mini.example"
    with client(change, tmp_path, "with_servers") as changed_client:
        operations = importlib.import_module(f"{changed_client.__name__}.operations.items")
        assert operations.PART.server.url == "https://own.example"
        assert operations.SET_PART.server.url == "https://parts.mini.example"


def test_14_an_inline_webhook_body_becomes_a_model(tmp_path: Path) -> None:
    def change(spec: Spec) -> None:
        body = {"type": "object", "required": ["at"], "properties": {"at": {"type": "integer"}}}
        media = {"application/json": {"schema": body}}
        spec["webhooks"]["pings"] = {"post": {"requestBody": {"required": True, "content": media}}}

    generated = files(change, tmp_path)
    assert "models/webhooks_pings_body.py" in generated
    assert not [name for name in generated if name.startswith("resources/webhooks")]


def test_15_deprecated_operations_are_marked_for_type_checkers() -> None:
    text = (MINI_CLIENT / "resources" / "items.py").read_text()
    assert text.count('@deprecated("items.remove_part is deprecated: see its documentation")') == 2


def test_16_and_17_limits_bind_requests_and_null_is_absent() -> None:
    with pytest.raises(mini.InvalidArgumentError):
        items.list_request("a", limit=1, prefix="too long")
    assert Item.from_dict({"name": "x" * 99, "id": 1, "flag": True, "leaf": None, "meta": None}).leaf is None


def test_18_every_property_name_works() -> None:
    value = {"name": "a", "kind": "thing", "place": None, "tag": "a"}
    for wire in ("d", "field", "self", "x-hyphen", "type"):
        value[wire] = wire
    made = NewItem.from_dict(value)
    assert made.to_dict() == value
    assert (made.d, made.field_, made.self_, made.x_hyphen, made.type_) == ("d", "field", "self", "x-hyphen", "type")


def test_20_recursive_models_can_be_imported_in_any_order() -> None:
    for name in ("tree", "tree_leaf", "leaf", "leaf_deep"):
        code = f"import tests.generator.golden.mini_client.models.{name}"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert TreeLeaf(color="a", tree=Tree(label="b")).to_dict() == {"color": "a", "tree": {"label": "b"}}


def test_21_and_22_annotations_can_be_resolved() -> None:
    assert get_type_hints(items.list_request)["limit"] is int
    assert get_type_hints(notes.clear_request)["return"] == mini.Request[int]


def test_23_the_package_is_typed() -> None:
    assert (MINI_CLIENT / "py.typed").is_file()


def test_27_no_template_of_the_parser_is_used(tmp_path: Path) -> None:
    root = load(changed(lambda _: None, tmp_path))
    parsed = parse(root)
    renderer = Renderer(parsed, join(root, parsed, core=False))
    assert isinstance(renderer.env.loader, FileSystemLoader)
    assert renderer.env.loader.searchpath == [str(TEMPLATES)]
    with pytest.raises(TemplateNotFound):
        renderer.env.get_template("endpoint_module.py.jinja")


HOSTILE = '"""\nimport os\nos.abort()\n"""\\'


def test_28_no_text_of_a_spec_becomes_code(tmp_path: Path) -> None:
    def change(spec: Spec) -> None:
        spec["info"]["title"] = HOSTILE
        spec["tags"][0]["description"] = HOSTILE
        spec["servers"][0]["variables"]["region"]["default"] = HOSTILE
        operation(spec, "items/list").update(summary=HOSTILE, description=HOSTILE, externalDocs={"url": HOSTILE})
        operation(spec, "items/list")["parameters"][0].update(name='x"+y', description=HOSTILE)
        operation(spec, "items/list")["responses"]["400"]["description"] = HOSTILE
        schema(spec, "Leaf").update(description=HOSTILE, externalDocs={"url": HOSTILE})
        schema(spec, "Leaf")["properties"]["color"]["description"] = HOSTILE
        schema(spec, "Tag").update(pattern='^[^"\\\\]*$', **{"x-pattern-description": HOSTILE}, description=HOSTILE)
        schema(spec, "NewItem")["properties"]["kind"]["const"] = HOSTILE
        schema(spec, "NewItem")["properties"]["colors"]["x-comma-list-items"]["enum"] = [HOSTILE]
        schema(spec, "NewItem")["properties"]['"]; import os #'] = {"type": "string", "default": HOSTILE}
        schema(spec, "Added")["properties"]["what"]["const"] = HOSTILE
        schema(spec, "WebhookChange")["discriminator"].pop("mapping")

    for name, text in files(change, tmp_path).items():
        if name.endswith(".py"):
            calls = [
                node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute) and node.attr == "abort"
            ]
            assert not calls, name
    with client(change, tmp_path, "hostile") as hostile:
        models: Any = importlib.import_module(f"{hostile.__name__}.models")
        assert models.NewItem.from_dict({"name": "a", "kind": HOSTILE, "place": None, "tag": "a"}).kind == HOSTILE
        assert hostile.DEFAULT_SERVER.variables == {"region": HOSTILE}


def test_30_messages_show_no_addresses(tmp_path: Path) -> None:
    def change(spec: Spec) -> None:
        operation(spec, "items/create")["responses"]["200"]["content"] = {
            "application/xml": {"schema": {"type": "string"}}
        }

    assert " at 0x" not in problem(change, tmp_path)


def test_32_nothing_of_the_tools_is_left_in_the_output(tmp_path: Path) -> None:
    generated = files(lambda _: None, tmp_path)
    assert {Path(name).suffix for name in generated} == {".py", ".json", ".typed"}
    assert not list(MINI_CLIENT.rglob(".*"))


def test_a_method_called_list_hides_no_type(tmp_path: Path) -> None:
    def change(spec: Spec) -> None:
        operation(spec, "items/part")["operationId"] = "items/dict"

    with client(change, tmp_path, "with_builtins") as generated:
        resource: Any = importlib.import_module(f"{generated.__name__}.resources.items").ItemsResource
        assert callable(resource.list)
        assert callable(resource.dict)
        assert get_type_hints(resource.create, vars(sys.modules[resource.__module__]))["tags"] is not None


def test_a_title_renames_no_class(tmp_path: Path) -> None:
    assert "models/leaf.py" in files(lambda spec: schema(spec, "Leaf").update(title="Foliage"), tmp_path)


def test_a_single_parent_does_not_hide_own_properties() -> None:
    assert {"name", "note", "id", "flag"} <= {field.name for field in attrs.fields(Item)}


def test_what_the_handwritten_layer_imports_is_what_the_generator_insists_on() -> None:
    imported: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {alias.name for alias in node.names}
                if node.module == "pusher_channels_rest.models":
                    imported |= names
                elif node.module == "pusher_channels_rest.scalars":
                    imported |= {"".join(word.capitalize() for word in name.split("_")[1:]) for name in names}
    assert imported
    assert imported <= set(CORE_SCHEMAS)
