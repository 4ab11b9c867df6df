"""What mail providers post about one of our mails, in the shape in which they post it.

Each function gives the keyword arguments of Django's test client for one report: "hard", "soft", "complaint" or
"unsubscribe". Only what matters is filled in as a provider would; all names of fields are theirs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

MAILGUN_KEY = "key-of-mailgun-for-tests"
Post = dict[str, Any]
GONE = "550 5.1.1 The email account that you tried to reach does not exist"
FULL = "452 4.2.2 The recipient's inbox is out of storage space"


def as_json(content: object, **headers: str) -> Post:
    return {"data": json.dumps(content), "content_type": "application/json", "headers": headers}


def mailgun(kind: str, to: str, message_id: str, number: int = 1, key: str = MAILGUN_KEY) -> Post:
    token, timestamp = f"{number:050x}", "1795239000"
    data: dict[str, Any] = {
        "id": f"G9Bn5sl1TC6nu79C8C0bwg{number}",
        "timestamp": 1795239000.123456,
        "log-level": "error",
        "recipient": to,
        "recipient-domain": to.partition("@")[2],
        "message": {"headers": {"to": to, "message-id": message_id.strip("<>"), "from": "s@acme.example"}, "size": 111},
        "tags": [],
        "user-variables": {},
    }
    data |= {
        "hard": {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "delivery-status": {"code": 550, "message": GONE, "description": "", "attempt-no": 1},
        },
        "soft": {
            "event": "failed",
            "severity": "permanent",
            "reason": "generic",
            "delivery-status": {"code": 452, "message": FULL, "description": "", "attempt-no": 8},
        },
        "complaint": {"event": "complained"},
        "unsubscribe": {"event": "unsubscribed", "client-info": {"user-agent": "Mozilla/5.0"}},
    }[kind]
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return as_json({"signature": {"token": token, "timestamp": timestamp, "signature": signature}, "event-data": data})


def sendgrid(kind: str, to: str, message_id: str, number: int = 1) -> Post:
    event = {
        "email": to,
        "timestamp": 1795239000,
        "smtp-id": message_id,
        "sg_event_id": f"bounce-0-35448986-{number}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
    }
    event |= {
        "hard": {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": GONE},
        "soft": {"event": "bounce", "type": "blocked", "status": "4.2.2", "reason": FULL},
        "complaint": {"event": "spamreport"},
        "unsubscribe": {"event": "unsubscribe"},
    }[kind]
    other = {"email": "else@example.org", "event": "delivered", "timestamp": 1795239000, "response": "250 OK"}
    return as_json([other, event])


def postmark(kind: str, to: str, message_id: str, number: int = 1) -> Post:
    bounce = {
        "ID": 4323372036854775807 + number,
        "ServerID": 23,
        "MessageStream": "outbound",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Email": to,
        "BouncedAt": "2026-11-21T05:30:00.0000000Z",
        "Content": f"Return-Path: <>\r\n\r\n--x\r\nMessage-ID: {message_id}\r\nTo: <{to}>\r\n",
        "Metadata": {},
    }
    change = {
        "RecordType": "SubscriptionChange",
        "MessageID": "00000000-0000-0000-0000-000000000000",
        "Recipient": to,
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": "ManualSuppression",
        "ChangedAt": f"2026-11-21T05:30:{number:02}Z",
    }
    return as_json(
        {
            "hard": bounce | {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "Details": f"smtp;{GONE}"},
            "soft": bounce | {"RecordType": "Bounce", "Type": "SoftBounce", "TypeCode": 4096, "Details": FULL},
            "complaint": bounce | {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 512},
            "unsubscribe": change,
        }[kind]
    )


def amazon_ses(kind: str, to: str, message_id: str, number: int = 1) -> Post:
    mail = {
        "timestamp": "2026-11-21T05:30:00.000Z",
        "source": "status@acme.example",
        "messageId": "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa0680-000000",
        "destination": [to],
        "headersTruncated": False,
        "headers": [{"name": "Message-ID", "value": message_id}],
        "commonHeaders": {"to": [to], "messageId": message_id},
    }
    event: dict[str, Any] = {
        "hard": {
            "notificationType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{"emailAddress": to, "status": "5.1.1", "diagnosticCode": f"smtp; {GONE}"}],
            },
        },
        "soft": {
            "notificationType": "Bounce",
            "bounce": {
                "bounceType": "Transient",
                "bounceSubType": "MailboxFull",
                "bouncedRecipients": [{"emailAddress": to, "status": "4.2.2", "diagnosticCode": f"smtp; {FULL}"}],
            },
        },
        "complaint": {
            "notificationType": "Complaint",
            "complaint": {"complainedRecipients": [{"emailAddress": to}], "complaintFeedbackType": "abuse"},
        },
    }[kind]
    return sns("Notification", Message=json.dumps(event | {"mail": mail}), MessageId=f"{number:08}-aaaa-bbbb-cccc")


def sns(kind: str, **fields: str) -> Post:
    """From Amazon's message service: JSON that calls itself text."""
    content = {
        "Type": kind,
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:bounces",
        "Timestamp": "2026-11-21T05:30:01.000Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLEw6JRN",
    } | fields
    headers = {"x-amz-sns-message-type": kind, "x-amz-sns-message-id": content["MessageId"]}
    return {"data": json.dumps(content), "content_type": "text/plain; charset=UTF-8", "headers": headers}


def brevo(kind: str, to: str, message_id: str, number: int = 1) -> Post:
    event = {
        "hard": {"event": "hard_bounce", "reason": GONE},
        "soft": {"event": "soft_bounce", "reason": FULL},
        "complaint": {"event": "spam"},
        "unsubscribe": {"event": "unsubscribe"},
    }[kind]
    about = {"email": to, "id": 26224, "ts_epoch": 1795239000000 + number, "message-id": message_id, "subject": "Acme"}
    return as_json(about | event)


def mailjet(kind: str, to: str, message_id: str, number: int = 1) -> Post:
    event: dict[str, Any] = {
        "hard": {"event": "bounce", "hard_bounce": True, "blocked": False, "error": "user unknown"},
        "soft": {"event": "bounce", "hard_bounce": False, "blocked": False, "error": "quota exceeded"},
        "complaint": {"event": "spam", "source": "JMRPP"},
        "unsubscribe": {"event": "unsub", "mj_list_id": 1},
    }[kind]
    return as_json([{"time": 1795239000 + number, "MessageID": 19421777835146490, "email": to, "CustomID": ""} | event])


PROVIDERS = {
    "mailgun": mailgun,
    "sendgrid": sendgrid,
    "postmark": postmark,
    "amazon_ses": amazon_ses,
    "brevo": brevo,
    "mailjet": mailjet,
}
# These repeat the Message-ID that we gave; the others name the recipient only.
CORRELATED = ("mailgun", "sendgrid", "postmark", "amazon_ses", "brevo")
