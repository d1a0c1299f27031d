"""Who uses which model: what is sent, what is received, what is used in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from .document import Document, Node
from .model import ListType, MapType, Model, ModelType, TaggedUnion, TaggedUnionType, Type, nested
from .types import has_limit


@frozen
class Usage:
    """The models and unions, and how they use each other."""

    models: Mapping[str, Model]
    unions: Mapping[str, TaggedUnion]

    def resolved(self, requests: Iterable[Type], answers: Iterable[Type], webhooks: Iterable[Type]) -> list[Model]:
        """Return the models, each told how it is used."""
        read = self.reachable([*answers, *webhooks])
        sent = self.reachable(requests)
        # What no operation uses is what the customer's own endpoints send: it is checked like a request.
        own = self.models.keys() - read - sent
        checked = sent | own
        many = self._items() - checked
        return [
            evolve(
                model,
                checked=name in checked,
                holds_limits=name in checked and self._holds_limits(ModelType(name)),
                many=name in many,
                own=name in own,
                late=frozenset(other for other in model.references if name in self._used_by(other)),
            )
            for name, model in sorted(self.models.items())
        ]

    def check_unions(self, document: Document, kinds: Sequence[Type]) -> None:
        """Refuse tagged unions outside webhooks, where unknown kinds would have no meaning, and recursive ones."""
        used = {inner.union for kind in kinds for inner in nested(kind) if isinstance(inner, TaggedUnionType)}
        used |= {union for name in self.reachable(kinds) for union in self.models[name].unions}
        for name, union in sorted(self.unions.items()):
            node = document.component("schemas", name)
            if name in used:
                raise node.fail("a tagged union can be used in webhooks only, not in requests and answers")
            if any(name in self.models[member].unions for member in self.reachable([TaggedUnionType(name)])):
                raise node.fail("a member of a tagged union cannot use the union")
            for member in union.members.values():
                if self.models[member].additional is None:
                    raise Node(None, self.models[member].pointer).fail("an event must accept further properties")

    def reachable(self, kinds: Iterable[Type]) -> set[str]:
        """Return the models that values of these types may hold."""
        found: set[str] = set()
        for kind in kinds:
            for inner in nested(kind):
                if isinstance(inner, ModelType):
                    found |= {inner.model} | self._used_by(inner.model)
                elif isinstance(inner, TaggedUnionType):
                    for member in self.unions[inner.union].members.values():
                        found |= {member} | self._used_by(member)
        return found

    def _used_by(self, name: str) -> set[str]:
        """Return the models that a model uses, itself only if it is recursive."""
        found: set[str] = set()
        waiting = list(self._uses(self.models[name]))
        while waiting:
            other = waiting.pop()
            if other not in found:
                found.add(other)
                waiting.extend(self._uses(self.models[other]))
        return found

    def _items(self) -> set[str]:
        """Return the models that stand in a list or a map, or are one kind of such items."""
        kinds = [inner for model in self.models.values() for field in model.fields for inner in nested(field.type)]
        items = [
            kind.item if isinstance(kind, ListType) else kind.value
            for kind in kinds
            if isinstance(kind, (ListType, MapType))
        ]
        found = {inner.model for kind in items for inner in nested(kind) if isinstance(inner, ModelType)}
        return found | {name for union in self.unions.values() for name in union.members.values()}

    def _uses(self, model: Model) -> set[str]:
        members = (member for union in model.unions for member in self.unions[union].members.values())
        return {*model.references, *members}

    def _holds_limits(self, kind: Type) -> bool:
        reachable = self.reachable([kind])
        kinds = [kind, *(field.type for name in reachable for field in self.models[name].fields)]
        return any(has_limit(inner) for one in kinds for inner in nested(one))
