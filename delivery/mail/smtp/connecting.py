"""Opening a connection to an SMTP server. smtplib greets, encrypts and signs in; certificates are checked."""

import smtplib
import ssl

from django.conf import settings
from django.core.mail.utils import DNS_NAME

from core.smtp_url import SmtpUrl
from delivery.contract import DeliveryError
from delivery.mail.smtp.meaning import misconfigured
from delivery.mail.smtp.replies import Reply


def connect(timeout: float, server: SmtpUrl | None = None) -> smtplib.SMTP:
    """Open a connection, encrypt it if the URL asks for it, and sign in. `server`: None is that of EMAIL_URL.

    Raises DeliveryError(pause=True), because without a connection no recipient can be reached.
    """
    try:
        return _connect(timeout, server or _of_settings())
    except smtplib.SMTPAuthenticationError as error:
        raise misconfigured(f"the SMTP server refuses our sign-in ({error.smtp_code})") from error
    except smtplib.SMTPNotSupportedError as error:
        url = "its URL" if server else "EMAIL_URL"
        raise misconfigured(f"the SMTP server does not offer what {url} asks for: {error}") from error
    except ssl.SSLCertVerificationError as error:
        raise misconfigured(f"the SMTP server's certificate is not trusted: {error.verify_message}") from error
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
        said = Reply(error.smtp_code, text).say()
        raise DeliveryError(f"the SMTP server is not ready: {said}", pause=True) from error
    except (OSError, smtplib.SMTPException) as error:
        what = error.strerror or type(error).__name__
        raise DeliveryError(f"the SMTP server does not answer: {what}", pause=True) from error


def _of_settings() -> SmtpUrl:
    scheme = "smtps" if settings.EMAIL_USE_SSL else "smtp+tls" if settings.EMAIL_USE_TLS else "smtp"
    return SmtpUrl(
        scheme, settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD
    )


def _connect(timeout: float, server: SmtpUrl) -> smtplib.SMTP:
    name = DNS_NAME.get_fqdn()
    smtp: smtplib.SMTP
    if server.scheme == "smtps":
        context = ssl.create_default_context()
        smtp = smtplib.SMTP_SSL(server.host, server.port, name, timeout=timeout, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, name, timeout=timeout)
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.scheme == "smtp+tls":
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        if server.user:
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp
