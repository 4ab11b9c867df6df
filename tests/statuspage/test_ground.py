"""The tests' own ground: which database, and no way out."""

import socket

import pytest
from django.db import connection

from tests.processes import RedisServer


@pytest.mark.django_db
def test_the_database_is_the_one_asked_for(pytestconfig: pytest.Config) -> None:
    vendor = {"postgres": "postgresql", "sqlite": "sqlite"}[pytestconfig.option.database]
    assert connection.vendor == vendor
    if vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("show server_version_num")
            assert cursor.fetchone()[0].startswith("18")


def test_a_test_without_the_database_is_in_one_run_only(request: pytest.FixtureRequest) -> None:
    """Such a test could not ask the database if it tried."""
    assert request.node.get_closest_marker("once")
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        connection.ensure_connection()


@pytest.mark.usefixtures("db")
def test_a_test_with_the_database_is_in_both_runs(request: pytest.FixtureRequest) -> None:
    assert not request.node.get_closest_marker("once")


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1"])
def test_connections_to_other_machines_are_refused(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as client, pytest.raises(RuntimeError, match="refused to connect"):
        client.connect((address, 80))


def test_names_of_other_machines_are_not_looked_up() -> None:
    with pytest.raises(socket.gaierror, match="no names"):
        socket.getaddrinfo("status.example.com", 80)


def test_a_killed_redis_comes_back_empty(redis: RedisServer) -> None:
    with redis.client() as client:
        client.set("a", "b")
    redis.restart()
    with redis.client() as client:
        assert client.get("a") is None
