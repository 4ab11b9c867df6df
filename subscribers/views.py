"""The subscribe form, and the pages that links in mails lead to.

No view uses a cookie. All are exempt from Django's CSRF check, which protects requests with a session, and there is none.
Anybody may use the subscribe form for any address, within the limits of subscribing.py. Every other view requires the
signed token in its URL, which another site does not have.

Only POST changes anything, because mail gateways open every link in a mail with GET or HEAD.
"""

from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.languages import href, other_language
from core.visitor import client_address
from pages.models import Page
from subscribers.forgetting import forget
from subscribers.forms import ManageForm, SubscribeForm
from subscribers.models import Subscriber
from subscribers.signing import BadLinkError, Link, Purpose, manage_token, read, unsubscribe_token
from subscribers.subscribing import INCIDENT_CODE, find_components, queue_mail, request_subscription

View = Callable[..., HttpResponse]
# The status of a refused form: browsers show the page, and programs see that nothing was stored.
UNPROCESSABLE = 422


def private(view: View) -> View:
    """Decorates a view: passes it the page, keeps the URL with its token out of caches, Referer headers and search engines,
    and shows a bad link's reason."""

    @csrf_exempt
    @wraps(view)
    def wrapped(request: HttpRequest, **kwargs: str) -> HttpResponse:
        page = _get_page(request)
        try:
            response = view(request, page, **kwargs)
        except BadLinkError as error:
            response = _show(request, page, "bad_link", status=404, reason=str(error))
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response

    return wrapped


@private
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest, page: Page) -> HttpResponse:
    if request.method != "POST":
        code = request.GET.get("incident", "")
        incident = code if INCIDENT_CODE.fullmatch(code) else ""
        form = SubscribeForm(page, incident=incident, component=request.GET.get("component", ""))
        return _show(request, page, "subscribe", form=form)
    form = SubscribeForm(page, request.POST, incident=request.POST.get("incident", ""))
    if not form.is_valid():
        return _show(request, page, "subscribe", status=UNPROCESSABLE, form=form)
    if not form.is_from_a_program:
        request_subscription(
            page,
            form.cleaned_data["email"],
            component_codes=form.component_codes,
            incident_code=form.wanted_incident,
            visitor=client_address(request),
            language=other_language(),
        )
    response = HttpResponseRedirect(href("/subscribe/sent"))
    response.status_code = 303
    return response


@private
@require_safe
def sent(request: HttpRequest, page: Page) -> HttpResponse:
    """The page “Check your mail”, the same for a new, a known and a suppressed address."""
    return _show(request, page, "sent")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, page: Page, token: str) -> HttpResponse:
    link, subscriber = _open(page, Purpose.CONFIRM, token)
    if subscriber is None or not subscriber.accepts_confirm(link.made_at):
        raise BadLinkError(gettext("This link has been used up or is too old."))
    if request.method == "POST":
        subscriber.confirm(timezone.now())
    if subscriber.is_active:
        return _show(request, page, "confirmed", subscriber=subscriber, manage=manage_token(subscriber.code))
    return _show(request, page, "confirm", subscriber=subscriber)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def manage(request: HttpRequest, page: Page, token: str) -> HttpResponse:
    link, subscriber = _open(page, Purpose.MANAGE, token)
    if subscriber is None or not subscriber.accepts_manage(link.made_at):
        raise BadLinkError(gettext("This link no longer works."))
    if request.method == "POST":
        return _act(request, page, subscriber)
    return _show(request, page, "manage", subscriber=subscriber, form=ManageForm.of(subscriber))


def _act(request: HttpRequest, page: Page, subscriber: Subscriber) -> HttpResponse:
    """Do the action of the manage page's button."""
    action = request.POST.get("action")
    if action == "leave":
        subscriber.unsubscribe(timezone.now())
        return _show_left(request, page, subscriber)
    if action == "forget":
        forget(subscriber)
        return _show(request, page, "forgotten")
    if action == "renew":
        now = timezone.now()
        renewed = queue_mail(subscriber, now)
        if renewed:
            subscriber.renew_links(now)
        return _show(request, page, "renewed", renewed=renewed)
    form = ManageForm(page, request.POST)
    if not form.is_valid():
        return _show(request, page, "manage", status=UNPROCESSABLE, subscriber=subscriber, form=form)
    subscriber.choose(find_components(page, form.component_codes))
    if form.language is not None:
        subscriber.set_language(form.language)
    return _show(request, page, "manage", subscriber=subscriber, form=ManageForm.of(subscriber), saved=True)


@private
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, page: Page, token: str) -> HttpResponse:
    """RFC 8058: a POST with `List-Unsubscribe=One-Click`, from a mail program or our button, unsubscribes at once.

    A repeat, or a request for a deleted subscriber, also answers 200, because the address gets no more mails.
    """
    _, subscriber = _open(page, Purpose.UNSUBSCRIBE, token)
    one_click = request.method == "POST" and request.POST.get("List-Unsubscribe", "").strip() == "One-Click"
    if subscriber is None:
        return _show(request, page, "forgotten")
    if one_click:
        subscriber.unsubscribe(timezone.now())
    if subscriber.state == Subscriber.State.UNSUBSCRIBED:
        return _show_left(request, page, subscriber)
    return _show(request, page, "unsubscribe", status=400 if request.method == "POST" else 200, subscriber=subscriber)


@private
@require_POST
def undo(request: HttpRequest, page: Page, token: str) -> HttpResponse:
    _, subscriber = _open(page, Purpose.UNSUBSCRIBE, token)
    if subscriber is None:
        raise BadLinkError(gettext("There is nothing left to take back."))
    subscriber.undo_unsubscribe(timezone.now())
    if not subscriber.is_active:
        raise BadLinkError(gettext("Leaving can be taken back for an hour."))
    return _show(request, page, "returned", subscriber=subscriber)


def _open(page: Page, purpose: Purpose, token: str) -> tuple[Link, Subscriber | None]:
    """The link and its subscriber; None if the subscriber was deleted. Raises BadLinkError for another page's link."""
    link = read(purpose, token)
    subscriber = Subscriber.objects.select_related("page").filter(code=link.code).first()
    if subscriber and subscriber.page_id != page.pk:
        raise BadLinkError(gettext("This link belongs to another status page."))
    return link, subscriber


def _show_left(request: HttpRequest, page: Page, subscriber: Subscriber) -> HttpResponse:
    undo_token = unsubscribe_token(subscriber.code) if subscriber.can_undo(timezone.now()) else ""
    return _show(request, page, "left", subscriber=subscriber, undo_token=undo_token)


def _show(request: HttpRequest, page: Page, name: str, *, status: int = 200, **context: object) -> HttpResponse:
    return render(request, f"subscribers/{name}.html", {"page": page, **context}, status=status)


def _get_page(request: HttpRequest) -> Page:
    page = Page.objects.for_host(request.get_host())
    if page is None:
        raise Http404("No status page has this host name.")
    return page
