"""Our HMAC is the standard library's, whatever the key and the value."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from core.keyed_hash import KeyedHash, secret_keys


@given(key=st.binary(max_size=200), values=st.lists(st.text(), min_size=1, max_size=3))
def test_it_is_hmac_sha256_each_time_it_is_asked(key: bytes, values: list[str]):
    keyed = KeyedHash(key)
    assert [keyed.hexdigest(each) for each in values] == [
        hmac.new(key, each.encode(), "sha256").hexdigest() for each in values
    ]


def test_todays_key_comes_before_the_retired_ones(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old", "older"]
    assert secret_keys() == ("new", "old", "older")
