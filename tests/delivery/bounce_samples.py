"""Reports about one of our mails, written in the shape in which each of these senders writes them."""

from __future__ import annotations

ADDRESS = "person0001@example.com"


def _mail(subject: str, sender: str, content_type: str, body: str, more: str = "") -> bytes:
    head = f"From: {sender}\nTo: status@acme.example\nSubject: {subject}\n{more}MIME-Version: 1.0\n"
    return f"{head}Content-Type: {content_type}\n\n{body}".replace("\n", "\r\n").encode()


def _returned(message_id: str) -> str:
    """The headers of our mail; real ones bring more."""
    return (
        f"From: Acme Status <status@acme.example>\nTo: <{ADDRESS}>\n"
        f"Subject: [Acme Status] Identified: Elevated error rates\nMessage-ID: {message_id}\n"
    )


def postfix(message_id: str, status: str = "5.1.1", action: str = "failed") -> bytes:
    """The failing server's own words in the diagnostic; the whole mail is returned."""
    body = f"""This is a MIME-encapsulated message.

--4A1B2.1700000000/relay.acme.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

The mail system at host relay.acme.example could not deliver your message.

--4A1B2.1700000000/relay.acme.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.acme.example
X-Postfix-Queue-ID: 4A1B2
X-Postfix-Sender: rfc822; status@acme.example
Arrival-Date: Sat, 21 Nov 2026 05:00:00 +0000 (UTC)

Final-Recipient: rfc822; {ADDRESS}
Original-Recipient: rfc822;{ADDRESS}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 {status} <{ADDRESS}>: Recipient address rejected:
    undeliverable

--4A1B2.1700000000/relay.acme.example
Content-Description: Undelivered Message
Content-Type: message/rfc822

{_returned(message_id)}
The body.

--4A1B2.1700000000/relay.acme.example--
"""
    kind = 'multipart/report; report-type=delivery-status;\n\tboundary="4A1B2.1700000000/relay.acme.example"'
    sender = "MAILER-DAEMON@relay.acme.example (Mail Delivery System)"
    return _mail("Undelivered Mail Returned to Sender", sender, kind, body, "Auto-Submitted: auto-replied\n")


def exim(message_id: str) -> bytes:
    """Everything is 5.0.0; the words say it. Headers alone are returned."""
    body = f"""--1700000000-eximdsn-123
Content-type: text/plain; charset=us-ascii

A message that you sent could not be delivered to one or more of its recipients.

  {ADDRESS}
    Unrouteable address

--1700000000-eximdsn-123
Content-type: message/delivery-status

Reporting-MTA: dns; mail.example.com

Action: failed
Final-Recipient: rfc822;{ADDRESS}
Status: 5.0.0
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 No such user here

--1700000000-eximdsn-123
Content-type: text/rfc822-headers

Return-path: <status@acme.example>
{_returned(message_id)}
--1700000000-eximdsn-123--
"""
    kind = "multipart/report; report-type=delivery-status; boundary=1700000000-eximdsn-123"
    return _mail("Mail delivery failed: returning message to sender", "Mailer-Daemon@mail.example.com", kind, body)


def exchange(message_id: str) -> bytes:
    """An HTML part in a multipart of its own, the server's name before the code, and 5.1.10."""
    body = f"""--_004_outer_
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="_002_inner_"

--_002_inner_
Content-Type: text/plain; charset="us-ascii"

Your message couldn't be delivered.

--_002_inner_
Content-Type: text/html; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

<html><body>Your message couldn't be delivered.</body></html>

--_002_inner_--

--_004_outer_
Content-Type: message/delivery-status

Reporting-MTA: dns;MAIL01.prod.example.com
Received-From-MTA: dns;relay.acme.example
Arrival-Date: Sat, 21 Nov 2026 05:00:00 +0000

Final-Recipient: rfc822;{ADDRESS.capitalize()}
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {ADDRESS} not found by SMTP address lookup

--_004_outer_
Content-Type: message/rfc822

{_returned(message_id)}
--_004_outer_--
"""
    kind = 'multipart/report; report-type=delivery-status;\n\tboundary="_004_outer_"'
    return _mail("Undeliverable: Identified", "postmaster@example.com", kind, body)


def gmail(message_id: str) -> bytes:
    """The report sits beside a related part with a picture; X-Failed-Recipients in the head."""
    body = f"""--000000000000aaaa
Content-Type: multipart/related; boundary="000000000000bbbb"

--000000000000bbbb
Content-Type: multipart/alternative; boundary="000000000000cccc"

--000000000000cccc
Content-Type: text/plain; charset="UTF-8"

** Address not found **

--000000000000cccc--
--000000000000bbbb
Content-Type: image/png; name="icon.png"
Content-Transfer-Encoding: base64
Content-ID: <icon.png>

iVBORw0KGgo=

--000000000000bbbb--
--000000000000aaaa
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Received-From-MTA: dns; status@acme.example
X-Original-Message-ID: {message_id}

Final-Recipient: rfc822; {ADDRESS}
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com. (192.0.2.25, the server for the domain example.com.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please
 550 5.1.1 try double-checking the recipient's address for typos
Last-Attempt-Date: Sat, 21 Nov 2026 05:00:00 -0800 (PST)

--000000000000aaaa
Content-Type: message/rfc822

{_returned(message_id)}
--000000000000aaaa--
"""
    kind = 'multipart/report; boundary="000000000000aaaa"; report-type=delivery-status'
    more = f"X-Failed-Recipients: {ADDRESS}\nAuto-Submitted: auto-replied\n"
    return _mail("Delivery Status Notification (Failure)", "mailer-daemon@googlemail.com", kind, body, more)


def arf(message_id: str, kind: str = "abuse") -> bytes:
    """A complaint (RFC 5965); many services take the recipient out."""
    body = f"""--part1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for a message received from IP 192.0.2.1.

--part1
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <status@acme.example>
Source-IP: 192.0.2.1

--part1
Content-Type: message/rfc822
Content-Disposition: inline

{_returned(message_id).replace(ADDRESS, "redacted@example.com")}
The body.

--part1--
"""
    return _mail(
        "FW: Identified", "feedback@isp.example", "multipart/report; report-type=feedback-report; boundary=part1", body
    )


def vacation(message_id: str) -> bytes:
    more = f"Auto-Submitted: auto-replied (vacation)\nIn-Reply-To: {message_id}\nReferences: {message_id}\n"
    return _mail("Out of office", ADDRESS, "text/plain", f"I am away. You wrote {message_id}.\n", more)
