"""What somebody says about an incident: the form, the command, the schedule, an alert and the API all build a `Post`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from components.models import Component
from components.status import Status
from incidents.phases import Phase

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Post:
    """The next thing to say, or with `Incident.open` the first.

    body        Markdown, as typed.
    status      how far the incident is from now on; "" leaves it as it is (of a new one: the kind's first).
    components  what the incident says of each component that the post names. It goes on saying what it said of
                the others. A post that closes an incident ends all of it; what such a post names, it says of
                the component itself, as its base status.
    window      start and end of maintenance, where it is new or moves.
    notify      whether people are told.
    actor       who posts, for staff's eyes.
    token       makes a doubled submit harmless: the second gives the first one's update.
    seen        the code of the newest update that the author had on screen; newer ones refuse the post.
    at          backdates (history, demo), never to before what was told already.
    """

    body: str
    status: Phase | str = ""
    _: KW_ONLY
    components: Mapping[Component, Status] = field(default_factory=dict)
    window: Window | None = None
    notify: bool = True
    actor: str = "system"
    token: str | None = None
    seen: str | None = None
    at: datetime | None = None
