"""The mail providers whose webhooks we read, by their names in /bounces/PROVIDER."""

from typing import NamedTuple


class Known(NamedTuple):
    view: str
    """Its view's path within anymail.webhooks."""
    key: str = ""
    """django-anymail's name for the key that this provider signs with; "" if it does not sign. Without a value for it in
    BOUNCE_WEBHOOK_KEYS nothing is accepted."""
    needs: str = ""
    """A library that must be installed beside django-anymail."""


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
