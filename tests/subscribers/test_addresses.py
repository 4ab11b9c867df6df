import pytest
from django.core.exceptions import ValidationError

from subscribers.addresses import mailbox, normalise_address

TAKEN = {
    "ann@example.com": "ann@example.com",
    "  ann@example.com \r\n": "ann@example.com",
    "Ann.Lee@Example.COM": "ann.lee@example.com",
    "A+tag@X.de": "a+tag@x.de",
    "o'neil@example.com": "o'neil@example.com",
    "a@bücher.example": "a@xn--bcher-kva.example",
    "a@straße.de": "a@xn--strae-oqa.de",
    "a@xn--bcher-kva.example": "a@xn--bcher-kva.example",
    "a@1.2.example": "a@1.2.example",
    "a" * 64 + "@example.com": "a" * 64 + "@example.com",
}
REFUSED = [
    "",
    " ",
    "@",
    "a@",
    "@example.com",
    "example.com",
    "a@b.c\nBcc:x@y.z",
    "a@b.c\r\nBcc: x@y.z",
    "a\nb@example.com",
    "a@exam\nple.com",
    "a\x00@example.com",
    '"a b"@example.com',
    '"a"@example.com',
    "a b@example.com",
    "a,b@example.com",
    "<a@example.com>",
    "Ann <a@example.com>",
    "jürgen@example.com",
    "a@b",
    "a@localhost",
    "a@[127.0.0.1]",
    "a@127.0.0.1",
    "a@example.com.",
    "a@.example.com",
    "a@exa_mple.com",
    "a@-example.com",
    "a@example-.com",
    "a@example..com",
    ".a@example.com",
    "a.@example.com",
    "a..b@example.com",
    "a@b@example.com",
    "a@exam\u202eple.com",
    "a@ex\u200bample..com",
    "a" * 65 + "@example.com",
    "a@" + "b" * 64 + ".com",
    "a" * 60 + "@" + "b." * 127 + "com",
    "a" * 320 + "@example.com",
    pytest.param("a@b" + "\u0301\u0323" * 500_000 + ".com", id="marks that would take hours to be put in order"),
]


@pytest.mark.parametrize(("typed", "stored"), TAKEN.items())
def test_an_address_is_taken_in_one_form(typed: str, stored: str) -> None:
    assert normalise_address(typed) == stored
    assert normalise_address(stored) == stored


@pytest.mark.parametrize("typed", REFUSED)
def test_what_cannot_be_mailed_is_refused_in_words(typed: str) -> None:
    with pytest.raises(ValidationError) as refused:
        normalise_address(typed)
    assert refused.value.messages[0].endswith(".")


def test_one_mailbox_counts_once_however_it_is_spelled() -> None:
    assert mailbox("a.n.n+status@example.com") == mailbox("ann@example.com") == "ann@example.com"
    assert mailbox("ann@example.com") != mailbox("ann@example.org")
