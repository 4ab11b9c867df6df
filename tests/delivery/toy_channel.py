"""A channel that somebody adds: one module, one line in the registry, a rig in the contract test, and nothing else.

Its accounts have one plain option and one secret, its posts two ids, and eight are under way at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django import forms

from core.outbound import request
from core.outbound_errors import NoAnswerError, NotReachedError
from core.resolver import Trust
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SecretField

if TYPE_CHECKING:
    from delivery.models import Account, Notice

SECONDS = 5.0


class Toy(Channel):
    label = "Toy"
    for_accounts = True
    replies = True
    concurrency = 8

    class Options(Channel.Options):
        address = forms.URLField(label="Address of the toy", assume_scheme="https", help_text="Where it listens.")
        token = SecretField(label="Token")

    @classmethod
    def verify(cls, account: Account) -> str:
        return "the token is refused" if account.credentials["token"] == "wrong" else ""

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        account = recipient.account
        if account is None or not self.is_connected(account):
            raise DeliveryError("not connected", skip=True)
        body = {"text": notice.title, "reply_to": dict(recipient.first_post)}
        headers = {"Authorization": f"Bearer {account.credentials['token']}"}
        try:
            answer = request(
                "POST",
                account.option("address"),
                body=json.dumps(body).encode(),
                headers=headers,
                trust=Trust.OPERATOR,
                seconds=SECONDS,
                limit_bytes=10_000,
            )
        except NotReachedError as error:
            raise DeliveryError(str(error)) from error
        except NoAnswerError as error:
            raise DeliveryError(str(error), ambiguous=True) from error
        if answer.status == 401:
            raise DeliveryError("the token is refused", pause=True)
        if not answer.is_good:
            raise DeliveryError(f"{answer.status} {answer.words}", permanent=answer.status < 500)
        ids: Remote = json.loads(answer.body)
        return ids
