"""Joins the parser's result with the raw document to what the templates get."""

from __future__ import annotations

from .document import Document, Node
from .model import Api
from .names import check_core, check_names
from .operations import Operations
from .parser import Parsed
from .schemas import Schemas
from .types import Types, docs_url
from .usage import Usage


def join(root: Node, parsed: Parsed, *, core: bool) -> Api:
    """Make the model of everything that is generated.

    Args:
        root: The raw document.
        parsed: What the parser made of its copy.
        core: Whether the spec must have all that the handwritten layer needs.
    """
    document = Document(root)
    types = Types(document, parsed)
    schemas = Schemas(document, parsed, types)
    maker = Operations(document, parsed, types, schemas)
    operations = maker.operations()
    webhooks = maker.webhooks()
    schemas.components()
    usage = Usage(schemas.models(), schemas.unions)
    requests = [operation.body.type for operation in operations if operation.body]
    answers = [operation.result for operation in operations if operation.result]
    usage.check_unions(document, [*requests, *answers])
    scalars = schemas.scalars()
    api = Api(
        title=root.child("info").text("title"),
        version=root.child("info").text("version"),
        docs_url=docs_url(root),
        server=maker.server(root),
        resources=maker.resources(operations),
        models=tuple(usage.resolved(requests, answers, webhooks)),
        scalars=tuple(scalars),
        unions=tuple(schemas.unions[name] for name in sorted(schemas.unions)),
        limits=tuple(types.limits[name] for name in sorted(types.limits)),
    )
    check_names(api)
    if core:
        check_core(api)
    return api
