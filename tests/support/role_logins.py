"""Logins that have one role each, as people are given them."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def login(url: str, *roles: str) -> Iterator[str]:
    """Give the connection string of a login with these roles and nothing else."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"create role {name} login".encode())
        for role in roles:
            owner.execute(f"grant {role} to {name}".encode())
        try:
            yield make_conninfo(url, user=name)
        finally:
            owner.execute(f"drop owned by {name}".encode())
            owner.execute(f"drop role {name}".encode())
