"""What can go wrong on the way out, by type: nobody has to read the words. No text holds a part of the address but the host."""

from typing import ClassVar


class OutboundError(Exception):
    is_permanent: ClassVar[bool] = False
    """The same request to the same address will fail again, until somebody changes one of them."""


class InvalidAddressError(OutboundError, ValueError):
    """No http or https address, or a header that no request can carry: nothing was sent."""

    is_permanent = True


class TooSlowError(OutboundError):
    """The deadline passed; the subclasses say whether the request had left by then."""


class NotReachedError(OutboundError):
    """There was no connection: nothing was sent."""


class NotReachedInTimeError(NotReachedError, TooSlowError):
    """The deadline passed before anything was sent."""


class RefusedAddressError(NotReachedError):
    """A stranger's address that leads, or may lead, into a private network."""

    is_permanent = True


class UntrustedCertificateError(NotReachedError):
    """The other side's certificate is not valid, or is for another name."""


class NoAnswerError(OutboundError):
    """The request left, and no whole answer came: it may have been acted upon."""


class NoAnswerInTimeError(NoAnswerError, TooSlowError):
    """The deadline passed after the request had left."""


class TooLargeError(NoAnswerError):
    """The answer is larger than the caller allows."""

    is_permanent = True


class RedirectRefusedError(NoAnswerError):
    """The other side sends us where this request must not go."""

    is_permanent = True
