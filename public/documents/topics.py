"""The topic of a document about one component or one group of a page."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.http import Http404

from core.languages import local
from public.shapes import PublicComponent, PublicGroup, PublicIncident, Snapshot


@dataclass(frozen=True)
class Topic:
    name: str
    path: str
    """Such as "/components/<code>"; the addresses of its feeds begin with it."""
    home: str
    """The path of its page for people, in the active language."""
    snapshot: Snapshot
    """The page's state with only the incidents and maintenance that affect it."""


def get_component(snapshot: Snapshot, code: str) -> PublicComponent:
    """Raises Http404, also for a hidden or archived component, which is not in a snapshot."""
    for each in snapshot.components:
        if each.code == code:
            return each
    raise Http404("There is no such component.")


def get_group(snapshot: Snapshot, code: str) -> PublicGroup:
    """Raises Http404, also for a group without visible components, which is not in a snapshot."""
    for each in snapshot.groups:
        if each.code == code:
            return each
    raise Http404("There is no such group.")


def component_topic(snapshot: Snapshot, code: str) -> Topic:
    """Raises Http404."""
    found = get_component(snapshot, code)
    return Topic(found.label, found.path, local(found.path), only_about(snapshot, {code}))


def group_topic(snapshot: Snapshot, code: str) -> Topic:
    """Raises Http404."""
    found = get_group(snapshot, code)
    home = f"{local('/')}#g-{code}"
    return Topic(found.name, found.path, home, only_about(snapshot, found.component_codes))


def only_about(snapshot: Snapshot, codes: Iterable[str]) -> Snapshot:
    """The snapshot with only the incidents and maintenance that affect one of these components."""
    wanted = set(codes)

    def touching(incidents: list[PublicIncident]) -> list[PublicIncident]:
        return [each for each in incidents if not wanted.isdisjoint(each.component_codes)]

    return replace(snapshot, incidents=touching(snapshot.incidents), maintenances=touching(snapshot.maintenances))
