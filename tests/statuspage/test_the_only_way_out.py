"""No module of the product but core/outbound.py opens HTTP to another host."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENTS = {
    "aiohttp", "asyncio.open_connection", "ftplib", "http.client", "httpx", "requests", "socket.create_connection",
    "telnetlib", "tweepy", "urllib.request", "urllib3", "websockets", "xmlrpc.client",
}  # fmt: skip
METHODS = {"create_connection", "open_connection", "sock_connect"}
"""Of whatever object."""
WITH_A_REASON = {
    "core/async_connection.py": "the way out for many at once goes through it",
    "core/outbound.py": "it is the way out",
    "delivery/channels/x.py": "tweepy speaks requests, whose adapter goes by the way out",
    "statuspage/processes.py": "asks the web server that it has started, on this machine",
}


def names(tree: ast.Module) -> set[str]:
    """All that a module imports, and all that it takes from what it has imported, by full names."""
    found: set[str] = set()
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
            known |= {
                each.asname or each.name.partition(".")[0]: (each.asname and each.name) or each.name.partition(".")[0]
                for each in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{each.name}" for each in node.names}
            known |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (name := dotted(node)):
            first, _, rest = name.partition(".")
            found.add(f"{known.get(first, first)}.{rest}")
    return found


def dotted(node: ast.expr) -> str:
    """ "socket.create_connection" of such an expression; "" of any other."""
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return left and f"{left}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def opens_http(source: str) -> bool:
    tree = ast.parse(source)
    methods = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(methods & METHODS) or any(
        f"{name}.".startswith(f"{client}.") for name in names(tree) for client in CLIENTS
    )


@pytest.mark.parametrize(
    "source",
    [
        "import urllib.request",
        "from urllib import request",
        "from urllib import request as r",
        "import urllib.request as r",
        "from http import client",
        "from http.client import HTTPSConnection",
        "import http.client",
        "def f():\n    import aiohttp.client",
        "if 1:\n    from aiohttp import ClientSession",
        "import socket\nsocket.create_connection((h, 1))",
        "import socket as s\ns.create_connection((h, 1))",
        "from socket import create_connection as connect",
        "import asyncio\nawait_this = asyncio.open_connection(h, 1)",
        "import os, requests",
        "async def f(loop):\n    await loop.sock_connect(s, a)",
        "async def f():\n    await asyncio.get_running_loop().create_connection(P, h, 1)",
    ],
)
def test_a_client_is_found_however_it_is_imported(source: str):
    assert opens_http(source)


@pytest.mark.parametrize(
    "source",
    ["from urllib.parse import urlsplit", "import http", "from http import HTTPStatus", "import socket\nsocket.socket()",
     "from core.outbound import request", "from django.http import client", "'import requests'  # requests"],
)  # fmt: skip
def test_what_only_looks_like_one_is_not(source: str):
    assert not opens_http(source)


def test_nothing_else_opens_http_to_another_host():
    rooms = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("tests", "bench")]
    modules = [path for room in rooms for path in room.rglob("*.py")] + [ROOT / "manage.py"]
    found = {str(path.relative_to(ROOT)) for path in modules if opens_http(path.read_text())}
    assert found == set(WITH_A_REASON)
