"""The providers whose webhooks are read, named as in their addresses here."""

from typing import NamedTuple


class Known(NamedTuple):
    view: str
    """Within anymail.webhooks."""
    key: str = ""
    """What django-anymail calls the key that this provider signs with; without that key nothing is taken."""
    needs: str = ""
    """A library besides django-anymail."""


KNOWN = {
    "amazon_ses": Known("amazon_ses.AmazonSESTrackingWebhookView", needs="boto3"),
    "brevo": Known("brevo.BrevoTrackingWebhookView"),
    "mailersend": Known("mailersend.MailerSendTrackingWebhookView", key="signing_secret"),
    "mailgun": Known("mailgun.MailgunTrackingWebhookView", key="webhook_signing_key"),
    "mailjet": Known("mailjet.MailjetTrackingWebhookView"),
    "mailtrap": Known("mailtrap.MailtrapTrackingWebhookView"),
    "postal": Known("postal.PostalTrackingWebhookView", key="webhook_key", needs="cryptography"),
    "postmark": Known("postmark.PostmarkTrackingWebhookView"),
    "resend": Known("resend.ResendTrackingWebhookView"),
    "sendgrid": Known("sendgrid.SendGridTrackingWebhookView"),
    "sparkpost": Known("sparkpost.SparkPostTrackingWebhookView"),
}
SIGNING = sorted(name for name, known in KNOWN.items() if known.key)
