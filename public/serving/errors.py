"""Errors for programs: JSON with `error` (a few fixed words) and `message` (what to do)."""

from django.http import HttpRequest, HttpResponse, JsonResponse

FOR_PROGRAMS = ("/api/", "/v1/")
ERRORS = {
    400: "bad request",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    500: "internal error",
    503: "unavailable",
}


def wants_json(request: HttpRequest) -> bool:
    """Whether the address is one of an API, or the request prefers JSON to HTML."""
    if request.path_info.startswith(FOR_PROGRAMS):
        return True
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def json_error(status: int, message: str) -> HttpResponse:
    return JsonResponse({"error": ERRORS[status], "message": message}, status=status)
