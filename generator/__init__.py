"""Turns the OpenAPI description into the typed client: ``python -m generator`` (see docs/regenerating.md)."""

__version__ = "1"
