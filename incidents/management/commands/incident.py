"""Posting from a terminal, for when no browser is at hand. Whoever may run it may post: no sign-in."""

import getpass
import sys
from argparse import ArgumentParser, Namespace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from components.models import Component
from components.status import Status
from core.local_time import in_zone
from delivery.ledger.outbox import count_audience
from delivery.models import Notice
from incidents.models import Incident, Kind, Phase, Post, Update
from incidents.phases import WORDS
from pages.models import Page

STATUSES = ", ".join(status.slug for status in Status)
ENDS = {Kind.INCIDENT.value: Phase.RESOLVED, Kind.MAINTENANCE.value: Phase.COMPLETED}


class Command(BaseCommand):
    help = "Open, update, resolve and list incidents and maintenance."

    def add_arguments(self, parser: ArgumentParser) -> None:
        deeds = parser.add_subparsers(
            dest="deed", required=True, title="what to do", metavar="{open,update,resolve,list}"
        )
        opening = deeds.add_parser("open", help="start an incident, or plan maintenance; prints its code alone")
        opening.add_argument("title")
        opening.add_argument("--kind", choices=Kind.values, default=Kind.INCIDENT.value)
        opening.add_argument(
            "--from", dest="start", metavar="TIME", help="start of maintenance, such as 2030-01-06T02:00"
        )
        opening.add_argument("--until", dest="end", metavar="TIME", help="its end; times are in the page's zone")
        opening.add_argument("--page", metavar="HOST", help="which page, where there are several")
        updating = deeds.add_parser("update", help="post the next update of one")
        resolving = deeds.add_parser("resolve", help="end one; its components go back to normal")
        for each in (updating, resolving):
            each.add_argument("code")
        for each in (opening, updating):
            each.add_argument("--status", default="", help="how far it is, such as identified")
        for each in (opening, updating, resolving):
            each.add_argument(
                "--body",
                required=each is not resolving,
                help="the message, in Markdown; - reads it from standard input",
            )
            each.add_argument(
                "--component", action="append", default=[], metavar="NAME=STATUS", help=f"may be repeated; {STATUSES}"
            )
            each.add_argument("--no-notify", dest="notify", action="store_false", help="tell nobody")
        listing = deeds.add_parser("list", help="what is open and what is planned")
        listing.add_argument("--all", action="store_true", help="closed ones too, the newest 50")

    def handle(self, *args: Any, **options: Any) -> None:
        given = Namespace(**options)
        try:
            getattr(self, f"_{given.deed}")(given)
        except ValidationError as error:
            raise CommandError(_in_words(error)) from None

    def _open(self, given: Namespace) -> None:
        page = _find_page(given.page)
        if given.kind != Kind.MAINTENANCE and (given.start or given.end):
            raise CommandError("--from and --until are for maintenance: add --kind maintenance.")
        start, end = _parse_time(given.start, page), _parse_time(given.end, page)
        post = Post(
            _read(given.body),
            given.status,
            components=_parse_components(page, given.component),
            window=(start, end) if start and end else None,
            notify=given.notify,
            actor=_actor(),
        )
        update = Incident.open(page, given.title, post, kind=given.kind)
        self.stdout.write(update.incident.code)

    def _update(self, given: Namespace) -> None:
        incident = _find_incident(given.code)
        self._say(_post(incident, given.status, _read(given.body), given))

    def _resolve(self, given: Namespace) -> None:
        incident = _find_incident(given.code)
        end = ENDS[incident.kind]
        if incident.is_closed:
            raise CommandError(f"{incident.name} is {incident.get_status_display().lower()} already.")
        self._say(_post(incident, end, _read(given.body) if given.body else str(WORDS[end]), given))

    def _list(self, given: Namespace) -> None:
        incidents = Incident.objects.select_related("page")
        rows = incidents[:50] if given.all else incidents.still_open()
        if not rows:
            self.stdout.write("Nothing is open or planned.")
        width = max([len(row.name) for row in rows], default=0)
        for row in rows:
            when = row.scheduled_for or row.started_at
            local = timezone.localtime(when, row.page.zone).strftime("%Y-%m-%d %H:%M %Z")
            self.stdout.write(
                f"{row.code}  {row.get_status_display():13}  {row.impact:11}  {local}  {row.name:{width}}  {row.page.host}"
            )

    def _say(self, update: Update) -> None:
        self.stdout.write(f"{update.incident.name}: {update.get_status_display()} ({_whom(update)})")


def _post(incident: Incident, status: str, body: str, given: Namespace) -> Update:
    components = _parse_components(incident.page, given.component)
    return incident.post(Post(body, status, components=components, notify=given.notify, actor=_actor()))


def _whom(update: Update) -> str:
    """Who is going to hear of it. Nothing has been sent yet when the command ends."""
    if not update.deliver_notifications:
        return "nobody told, as you chose"
    notice = Notice.objects.get(code=update.code)
    count = sum(count_audience(notice.page, notice.component_codes, notice.thread).values())
    return f"{count:,} will be told" if count else "nobody to tell"


def _find_page(host: str | None) -> Page:
    pages = Page.objects.filter(host=host) if host else Page.objects.all()
    found = list(pages)
    if len(found) == 1:
        return found[0]
    hosts = ", ".join(Page.objects.values_list("host", flat=True))
    if not hosts:
        raise CommandError("There is no page yet: sign in at /staff/ and make the first one.")
    reason = f"There is no page “{host}”." if host else "Which page? Name it with --page."
    raise CommandError(f"{reason} Pages: {hosts}.")


def _find_incident(code: str) -> Incident:
    incident = Incident.objects.select_related("page").filter(code=code).first()
    if incident is None:
        raise CommandError(f"There is no incident “{code}”; “manage.py incident list” shows the codes.")
    return incident


def _parse_components(page: Page, words: list[str]) -> dict[Component, Status]:
    """ "Chat API=partial_outage" by name, by "Group - Name" where a name is not unique, or by code."""
    known: dict[str, list[Component]] = {}
    for component in page.components.current().select_related("group"):
        for name in {component.name, component.full_name, component.code}:
            known.setdefault(name.casefold(), []).append(component)
    return dict(_parse_component(word, known) for word in words)


def _parse_component(word: str, known: dict[str, list[Component]]) -> tuple[Component, Status]:
    name, equals, slug = word.rpartition("=")
    if not equals:
        raise CommandError(f"“{word}”: write NAME=STATUS, where STATUS is one of {STATUSES}.")
    try:
        status = Status.from_slug(slug.strip())
    except ValueError as error:
        raise CommandError(str(error)) from None
    found = known.get(name.strip().casefold(), [])
    if len(found) == 1:
        return found[0], status
    if found:
        raise CommandError(f"Several components are called “{name}”: {', '.join(each.full_name for each in found)}.")
    near = get_close_matches(name.strip().casefold(), known, n=3, cutoff=0.4)
    names = dict.fromkeys(known[each][0].full_name for each in near)
    hint = f" Did you mean {' or '.join(names)}?" if names else ""
    raise CommandError(f"There is no component “{name}”.{hint}")


def _parse_time(text: str | None, page: Page) -> datetime | None:
    """In the page's zone unless the text has an offset of its own."""
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"“{text}” is not a time; write one such as 2030-01-06T02:00.")
    return moment if timezone.is_aware(moment) else in_zone(moment, page.zone)


def _read(body: str) -> str:
    return sys.stdin.read() if body == "-" else body


def _actor() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "cli:unknown"


def _in_words(error: ValidationError) -> str:
    return " ".join(error.messages)
