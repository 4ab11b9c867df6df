"""What an alarm channel is: it says one thing to whoever is on call, or raises AlarmError."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from core.outbound import Answer, NoAnswerError, NotReachedError, Trust, request

SECONDS = 10.0


class AlarmError(Exception):
    """Nobody was told. The text is shown to staff: it holds no secret and no address."""


@dataclass(frozen=True)
class AlarmMessage:
    """`key` names what is wrong, the same from the first alarm to the all-clear; `site` is where."""

    site: str
    key: str
    text: str
    since: datetime
    is_clear: bool = False
    is_reminder: bool = False
    link: str = ""
    """The staff's overview, which says more; "" when nobody knows its address."""

    @property
    def headline(self) -> str:
        words = "All clear. It was:" if self.is_clear else "Still wrong:" if self.is_reminder else "Alarm:"
        return f"{words} {self.text.splitlines()[0]}"

    @property
    def dedup_key(self) -> str:
        return f"statuspage/{self.site}/{self.key}"[:255]


class AlarmChannel:
    name: ClassVar[str]

    @classmethod
    def is_configured(cls) -> bool:
        raise NotImplementedError

    def tell(self, message: AlarmMessage) -> None:
        """Raises AlarmError."""
        raise NotImplementedError


def post_json(url: str, content: Mapping[str, Any]) -> Answer:
    """The answer, whatever its status. Raises AlarmError when there is none."""
    try:
        return request(
            "POST",
            url,
            body=json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
            trust=Trust.OPERATOR,
            seconds=SECONDS,
            limit_bytes=64 * 1024,
            whole_body=False,
        )
    except (NotReachedError, NoAnswerError) as error:
        raise AlarmError(str(error)) from error
    except ValueError as error:
        raise AlarmError("the address cannot be used") from error
