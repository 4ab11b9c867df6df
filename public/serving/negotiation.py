"""Reads what a request accepts: which encoding, and whether the client has the document already."""

from functools import lru_cache

# Best first. A document is compressed in each of them once, when it is rendered.
ENCODINGS = ("br", "gzip")


@lru_cache(maxsize=256)
def choose_encoding(accept_encoding: str) -> str:
    """ "br", "gzip" or "identity". A coding counts as wanted unless its q is 0 or is not a number."""
    wanted = {name for name, quality in map(_parse_coding, accept_encoding.lower().split(",")) if quality > 0}
    return next((encoding for encoding in ENCODINGS if encoding in wanted), "identity")


def _parse_coding(item: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in item.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, float(value)
            except ValueError:
                return name, 0.0
    return name, 1.0


def has_tag(if_none_match: str, tag: str) -> bool:
    """Whether an If-None-Match header names `tag`, compared weakly as RFC 9110 wants it for GET."""
    tags = (each.strip().removeprefix("W/") for each in if_none_match.split(","))
    return if_none_match.strip() == "*" or tag in tags
