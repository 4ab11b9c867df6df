from components.models import Component, Group
from pages.models import Page


def test_components_are_listed_as_on_the_page(acme: Page) -> None:
    """Positions start again in every group; groups in turn, those outside groups first, whatever was made when."""
    late, early = (Group.objects.create(page=acme, name=name, position=at) for name, at in (("Late", 2), ("Early", 1)))
    for name, group, position in (
        ("late 1", late, 1),
        ("early 2", early, 2),
        ("early 1", early, 1),
        ("outside 9", None, 9),
        ("late 2", late, 2),
        ("outside 1", None, 1),
    ):
        Component.objects.create(page=acme, name=name, group=group, position=position)

    names = [each.name for each in acme.components.in_page_order()]

    assert names == ["outside 1", "outside 9", "early 1", "early 2", "late 1", "late 2"]
