"""Rows of accounts as callers are told of them: plain JSON values."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.moments import iso
from .accounts import name_of

__all__ = ["environment_view", "key_view", "listed_environment", "org_view", "project_view"]


def org_view(row: Any) -> dict[str, Any]:
    """An organisation as it is told."""
    return {
        "id": row["id"], "slug": row["slug"], "name": row["name"], "role": row["role"] or "owner",
        "created_at": iso(row["created_at"]),
    }  # fmt: skip


def project_view(row: Any) -> dict[str, Any]:
    """A project as it is told."""
    return {
        "id": row["id"], "slug": row["slug"], "name": row["name"], "organization": row["org_slug"],
        "created_at": iso(row["created_at"]),
    }  # fmt: skip


def key_view(row: Any) -> dict[str, Any]:
    """A key, without its secret, as it is told."""
    return {
        "id": row["id"], "start": row["start"], "name": row["name"],
        "environment": None if row["env"] is None else name_of(row), "person": row["email"],
        "scopes": None if row["scopes"] is None else msgspec.json.decode(row["scopes"]),
        "created_at": iso(row["created_at"]), "last_used_at": iso(row["last_used_at"]),
        "expires_at": iso(row["expires_at"]), "revoked_at": iso(row["revoked_at"]), "rotated_to": row["rotated_to"],
    }  # fmt: skip


def environment_view(row: Any) -> dict[str, Any]:
    """An environment as it is told."""
    return {
        "id": row["id"], "name": name_of(row), "kind": row["kind"], "branch": row["branch"] or None,
        "created_at": iso(row["created_at"]), "archived_at": iso(row["archived_at"]),
    }  # fmt: skip


def listed_environment(row: Any) -> dict[str, Any]:
    """An environment with the version that is current in it."""
    return environment_view(row) | {"version": row["version"]}
