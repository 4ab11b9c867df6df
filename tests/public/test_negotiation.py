import pytest

from public.serving.negotiation import choose_encoding, has_tag


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("GZIP", "gzip"),
        ("gzip;q=0", "identity"),
        ("br;q=0, gzip;q=0.1", "gzip"),
        ("br; q=0.000 ,gzip ; q=1.0", "gzip"),
        ("br;q=nonsense", "identity"),
        ("identity", "identity"),
        ("brotli, xgzip", "identity"),
        (",,;q=,", "identity"),
    ],
)
def test_the_best_encoding_that_is_wanted_is_chosen(accept: str, chosen: str) -> None:
    assert choose_encoding(accept) == chosen


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', '"b", "a"', '"b",W/"a"', "*"])
def test_a_known_tag_is_recognised(header: str) -> None:
    assert has_tag(header, '"a"')


@pytest.mark.parametrize("header", ["", '"b"', "a", '"a-gzip"'])
def test_another_tag_is_not(header: str) -> None:
    assert not has_tag(header, '"a"')
