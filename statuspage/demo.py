"""The demo page: an invented company with 90 days of history, one open incident and maintenance.

Everything is posted as staff would post it, only earlier and without telling anybody. There are no subscribers,
and the one account, on X, has no credentials: a demo never writes to anyone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from components.models import Component, Group
from components.status import Status
from delivery.models import Account
from incidents.models import Incident, Post, Template
from incidents.phases import Kind, Phase
from pages.models import Page, SetupStep

DAYS = 90
ACTOR = "demo"
OK, WORK = Status.OPERATIONAL, Status.UNDER_MAINTENANCE
SLOW, PARTIAL, DOWN = Status.DEGRADED_PERFORMANCE, Status.PARTIAL_OUTAGE, Status.MAJOR_OUTAGE

GROUPS = {
    "Messaging": {
        "Chat API": "Send, edit and read messages over HTTPS.",
        "Realtime delivery": "Messages pushed to connected apps over WebSockets.",
        "Push notifications": "Alerts on phones that are not connected.",
        "History and search": "Older messages and full-text search.",
    },
    "Voice and video": {
        "Call setup": "Ringing, joining and leaving calls.",
        "Media relays Europe": "Audio and video between callers, Frankfurt and Dublin.",
        "Media relays America": "Audio and video between callers, Ohio and Oregon.",
        "Recordings": "Recording calls and downloading them.",
    },
    "Platform": {
        "Dashboard": "The console for your team.",
        "Sign-in": "Tokens for your users and single sign-on for your team.",
        "Webhooks": "Events that we post to your servers.",
        "Developer documentation": "Guides, references and client libraries.",
    },
}


@dataclass(frozen=True)
class DemoStep:
    """One update: so many minutes after the first, what it says, and what it moves."""

    minutes: int
    phase: Phase
    body: str
    moves: dict[str, Status]


@dataclass(frozen=True)
class Story:
    """An incident, or maintenance of `hours` when that is set; `days` ago, at `time` in UTC."""

    name: str
    days: int
    time: str
    steps: Sequence[DemoStep]
    hours: int = 0


POSTMORTEM = """\
Yesterday, for a little over three hours, many messages sent through the Chat API in two of our regions were stored \
but not pushed to connected apps. You lost trust in the one thing we are here for, and we are sorry.

### What happened

At 11:28 UTC we began to roll out a new version to the servers that fan messages out in US East and Singapore. It \
carried a fault in the way those servers replicate to each other: two of three message events stopped at the server \
that received them. The roll-out finished at 14:38 UTC with nothing looking wrong to us. Every message was stored, \
could be read through the API, and could be replayed; what failed was pushing it.

Customers told us. We confirmed it at 16:59, found the cause and began to roll back at 17:00, and had every server \
back by 17:38 UTC.

### What went wrong

1. The review looked at the change alone, not at what it meant for replication.
2. Our tests ran on a single server, where replication cannot fail.
3. The roll-out watched errors and load. Silence is neither.
4. We learned of it from you, five and a half hours after it began.

### What we change

- **High:** count messages sent against messages pushed, per region, and page the on-call when they part.
- **High:** test on a cluster of the size we run.
- **Medium:** clients of our own in each region that send to each other and raise the alarm when nothing arrives.
- **Low:** a roll-out process that has grown with the number of servers.

Ines Valdorf, head of engineering
"""

HISTORY = (
    Story("Search results incomplete", 82, "08:40", (
        DemoStep(0, Phase.INVESTIGATING, "Searches return fewer messages than they should. Sending and receiving is not "
             "affected.", {"History and search": SLOW}),
        DemoStep(35, Phase.IDENTIFIED, "One of the search indexes stopped updating last night. We are rebuilding it.", {}),
        DemoStep(190, Phase.RESOLVED, "The index is complete again and all messages can be found.",
             {"History and search": OK}),
    )),
    Story("Storage upgrade for recordings", 68, "03:00", (
        DemoStep(-4320, Phase.SCHEDULED, "We move recordings to faster storage. Calls go on as usual; new recordings start "
             "only after the work.", {"Recordings": WORK}),
        DemoStep(0, Phase.IN_PROGRESS, "The work has begun.", {"Recordings": WORK}),
        DemoStep(75, Phase.VERIFYING, "All recordings are on the new storage. We are checking them.", {}),
        DemoStep(110, Phase.COMPLETED, "Done, earlier than planned.", {"Recordings": OK}),
    ), hours=3),
    Story("Calls dropping in Europe", 57, "13:05", (
        DemoStep(0, Phase.INVESTIGATING, "Some calls through our European relays end after a few seconds. We are looking "
             "into it.", {"Media relays Europe": PARTIAL}),
        DemoStep(14, Phase.IDENTIFIED, "A network provider in Frankfurt loses packets. We are moving calls to Dublin.", {}),
        DemoStep(31, Phase.MONITORING, "New calls go through Dublin and stay connected.", {"Media relays Europe": SLOW}),
        DemoStep(96, Phase.RESOLVED, "The provider has repaired its link and Frankfurt carries calls again.",
             {"Media relays Europe": OK}),
    )),
    Story("Messages not delivered to connected apps", 41, "16:59", (
        DemoStep(0, Phase.INVESTIGATING, "We see a rise in errors on the Chat API and are looking into it.",
             {"Chat API": PARTIAL, "Realtime delivery": DOWN}),
        DemoStep(21, Phase.IDENTIFIED, "Some messages were not pushed over WebSockets. A change made earlier today is "
             "being rolled back; most applications work again, the others will shortly. No message is lost: all can "
             "be read through the API.", {"Chat API": SLOW, "Realtime delivery": PARTIAL}),
        DemoStep(44, Phase.RESOLVED, "All servers run the earlier version and messages arrive everywhere. A full account "
             "follows.", {"Chat API": OK, "Realtime delivery": OK}),
        DemoStep(1658, Phase.POSTMORTEM, POSTMORTEM, {}),
    )),
    Story("Certificates for sign-in renewed", 30, "05:00", (
        DemoStep(-2880, Phase.SCHEDULED, "We exchange the certificates of our sign-in service. Signing in may take a "
             "second longer for some minutes.", {"Sign-in": WORK}),
        DemoStep(0, Phase.IN_PROGRESS, "The work has begun.", {"Sign-in": WORK}),
        DemoStep(25, Phase.COMPLETED, "The new certificates are in place.", {"Sign-in": OK}),
    ), hours=1),
    Story("Webhooks delayed", 23, "19:20", (
        DemoStep(0, Phase.INVESTIGATING, "Webhooks arrive up to 20 minutes late.", {"Webhooks": SLOW}),
        DemoStep(18, Phase.IDENTIFIED, "A queue filled up behind a customer's server that no longer answers. We now give "
             "such servers a queue of their own.", {}),
        DemoStep(52, Phase.RESOLVED, "All delayed webhooks have been delivered, in order.", {"Webhooks": OK}),
    )),
    Story("Dashboard unavailable", 12, "10:12", (
        DemoStep(0, Phase.INVESTIGATING, "The dashboard answers with an error. Messaging and calls are not affected.",
             {"Dashboard": DOWN}),
        DemoStep(9, Phase.MONITORING, "A faulty release has been taken back. The dashboard is up again.",
             {"Dashboard": OK}),
        DemoStep(40, Phase.RESOLVED, "The dashboard has been stable since 10:21 UTC.", {}),
    )),
    Story("Slow call setup in America", 5, "21:30", (
        DemoStep(0, Phase.INVESTIGATING, "Joining a call takes up to ten seconds in America.",
             {"Call setup": SLOW, "Media relays America": SLOW}),
        DemoStep(26, Phase.IDENTIFIED, "One of two relay groups in Ohio was out of rotation after a restart. It is being "
             "put back.", {}),
        DemoStep(41, Phase.RESOLVED, "Calls are set up at once again.", {"Call setup": OK, "Media relays America": OK}),
    )),
)  # fmt: skip


@transaction.atomic
def build_demo(url: str) -> Page:
    """The demo page, at the public address `url`."""
    now = timezone.now()
    began = now - timedelta(days=DAYS + 30)
    page = Page.objects.create(
        name="Larkwire",
        url=url,
        about="A demo page: the company and all that happens to it are invented.",
        support_url="https://larkwire.example/help",
        created_at=began,
    )
    SetupStep.objects.create(page=page, name=SetupStep.Name.DEMO)
    components = _build_components(page, began)
    for story in HISTORY:
        _tell(page, components, story, now)
    _tell_current(page, components, now)
    _plan_work(page, components, now)
    Account.objects.create(page=page, channel="x", name="@larkwirestatus")
    _prepare_words(page, components)
    return page


def _prepare_words(page: Page, components: dict[str, Component]) -> None:
    template = Template.objects.create(
        page=page,
        name="Calls drop or do not connect",
        title="Calls dropping",
        status=Phase.INVESTIGATING,
        body="Some calls end after a few seconds or are not set up at all. Messages are not affected. We are looking "
        "into it and will tell you more within half an hour.",
    )
    template.components.set([components["Call setup"], components["Media relays Europe"]])


def _build_components(page: Page, began: datetime) -> dict[str, Component]:
    built = {}
    for position, (group_name, members) in enumerate(GROUPS.items(), start=1):
        group = Group.objects.create(page=page, name=group_name, position=position, created_at=began)
        for place, (name, description) in enumerate(members.items(), start=1):
            built[name] = Component.objects.create(
                page=page,
                group=group,
                name=name,
                description=description,
                position=place,
                start_date=began.date(),
                created_at=began,
            )
    return built


def _tell(page: Page, components: dict[str, Component], story: Story, now: datetime) -> None:
    hour, minute = story.time.split(":")
    day = now - timedelta(days=story.days)
    start = day.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    window = (start, start + timedelta(hours=story.hours)) if story.hours else None
    _post(page, components, story.name, start, story.steps, window)


def _tell_current(page: Page, components: dict[str, Component], now: datetime) -> None:
    steps = (
        DemoStep(0, Phase.INVESTIGATING, "Some push notifications arrive late on phones. Apps that are open receive "
             "messages at once.", {"Push notifications": SLOW}),
        DemoStep(16, Phase.IDENTIFIED, "About one in five notifications waits for a connection to a phone vendor's "
             "service that has become slow. We are spreading them over more connections.",
             {"Push notifications": PARTIAL}),
    )  # fmt: skip
    _post(page, components, "Push notifications delayed", now - timedelta(minutes=38), steps)


def _plan_work(page: Page, components: dict[str, Component], now: datetime) -> None:
    start = (now + timedelta(days=2)).replace(hour=4, minute=0, second=0, microsecond=0)
    text = (
        "Our European relays move to a second data centre in Frankfurt. Calls under way may freeze for up to five "
        "seconds while they change over; new calls are not affected."
    )
    steps = (DemoStep(0, Phase.SCHEDULED, text, {"Media relays Europe": WORK}),)
    window = (start, start + timedelta(hours=2))
    _post(page, components, "Move of the European media relays", now - timedelta(minutes=20), steps, window)


def _post(
    page: Page,
    components: dict[str, Component],
    name: str,
    start: datetime,
    steps: Sequence[DemoStep],
    window: tuple[datetime, datetime] | None = None,
) -> None:
    """Post each step at its time. Maintenance starts and ends by itself only where it still lies ahead."""
    incident: Incident | None = None
    for step in steps:
        at = start + timedelta(minutes=step.minutes)
        moves = {components[moved]: status for moved, status in step.moves.items()}
        post = Post(
            step.body,
            step.phase,
            components=moves,
            window=None if incident else window,
            notify=False,
            actor=ACTOR,
            at=at,
        )
        if incident is None:
            incident = Incident.open(page, name, post, kind=Kind.MAINTENANCE if window else Kind.INCIDENT).incident
        else:
            incident.post(post)
