"""The letters to staff: an invitation, a link for a forgotten password, and a number that shows that mail arrives.

The first two lead to the screen that sets a password. The link is made when the letter is sent and works once, for
PASSWORD_RESET_TIMEOUT. Templates: templates/staff/email/<invite|reset|check>.<subject.txt|txt|html>.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from core.colours import COLOURS
from core.sub_path import path_of
from core.text import clean_text
from delivery.ledger.single_recipient import queue_staff_letter
from delivery.mail.letters import writes
from delivery.models import Delivery, Notice
from pages.models import Page
from subscribers.letters import Letter

INVITE, RESET, MAIL_CHECK = "invite", "reset", "mail-check"
# Anybody can ask for a link to an address: whoever has it must not be buried in mail.
ONE_IN = timedelta(minutes=5)


def invite(page: Page, user: User) -> Notice:
    return queue_staff_letter(page, INVITE, user.email)


def send_reset(page: Page, user: User) -> None:
    """Nothing is sent while a link of the last minutes is on its way."""
    lately = Notice.objects.filter(letter=RESET, created_at__gt=timezone.now() - ONE_IN)
    if not Delivery.objects.filter(notice__in=lately, address=user.email).exists():
        queue_staff_letter(page, RESET, user.email)


def find_staff(address: str) -> User | None:
    """Who signs in with this address; None for nobody, or for two who share it."""
    found = list(User.objects.filter(email__iexact=address, is_active=True, is_staff=True)[:2])
    return found[0] if len(found) == 1 else None


def staff_address(path: str) -> str:
    """Where the operator says that this installation is. Never a page's own address: who may change that could have
    somebody's token sent to a server of theirs."""
    return f"{(settings.PUBLIC_URL or f'http://localhost:{settings.PORT}').rstrip('/')}{path}"


@writes(INVITE)
def write_invitation(page: Page, address: str) -> Letter | None:
    return _write("invite", page, address)


@writes(RESET)
def write_reset(page: Page, address: str) -> Letter | None:
    return _write("reset", page, address)


def _write(kind: str, page: Page, address: str) -> Letter | None:
    user = find_staff(address)
    if user is None:
        return None
    parts = {"uid": urlsafe_base64_encode(force_bytes(user.pk)), "token": default_token_generator.make_token(user)}
    days = settings.PASSWORD_RESET_TIMEOUT // 86400
    context = {
        "page": page,
        "user": user,
        "days": days,
        "url": staff_address(path_of("set-password", **parts)),
    }
    return _render(kind, context)


def _render(kind: str, context: dict[str, Any]) -> Letter:
    subject, text, html = (
        render_to_string(f"staff/email/{kind}.{part}", context | {"colours": COLOURS})
        for part in ("subject.txt", "txt", "html")
    )
    return Letter(clean_text(subject, multiline=False), text.rstrip() + "\n", html)


@writes(MAIL_CHECK)
def write_mail_check(page: Page, address: str) -> Letter:
    context = {
        "page": page,
        "code": code_of(page, address),
        "url": staff_address(path_of("check-mail")),
    }
    return _render("check", context)


def code_of(page: Page, address: str) -> str:
    """Six digits that only a reader of the newest such mail to this address knows; "" where none was sent lately."""
    sent = Notice.objects.filter(page=page, letter=MAIL_CHECK, deliveries__address=address).order_by("-pk").first()
    if sent is None:
        return ""
    return f"{int(salted_hmac('staff.mail_check', f'{sent.code}:{address}').hexdigest(), 16) % 1_000_000:06d}"
