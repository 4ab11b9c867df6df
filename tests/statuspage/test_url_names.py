"""A name of an address that stood twice would lead to whichever comes last."""

from collections import Counter

from django.urls import URLPattern, URLResolver, get_resolver


def names_below(resolver: URLResolver) -> list[tuple[str, str]]:
    """(name, pattern) of each address without a namespace."""
    found: list[tuple[str, str]] = []
    for each in resolver.url_patterns:
        if isinstance(each, URLPattern) and each.name:
            found.append((each.name, str(each.pattern)))
        elif isinstance(each, URLResolver) and not each.namespace:
            found += names_below(each)
    return found


def test_no_name_leads_to_two_addresses() -> None:
    counted = Counter(name for name, _ in set(names_below(get_resolver())))
    assert [name for name, times in counted.items() if times > 1] == []
