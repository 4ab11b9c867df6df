from __future__ import annotations

from core.keyed_hash import KeyedHash, keyed_for, secret_keys


def test_it_is_the_hmac_that_rfc_4231_gives_for_its_second_case():
    """What was hashed or signed by an earlier version is found again only while this stays so."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert KeyedHash(b"Jefe").hexdigest("what do ya want for nothing?") == expected


def test_two_purposes_and_two_keys_never_sign_alike():
    signed = {keyed_for(purpose, key).hexdigest("x") for purpose in ("a", "b") for key in ("c", "d")}
    assert len(signed) == 4


def test_todays_key_comes_before_the_retired_ones(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old", "older"]
    assert secret_keys() == ("new", "old", "older")
