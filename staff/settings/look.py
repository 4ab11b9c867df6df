"""Settings: how a page looks. What is shown before saving: statuspage/look_preview.py."""

from __future__ import annotations

from typing import Any, ClassVar

from csp.constants import SELF
from csp.decorators import csp_update
from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from core.contrast import HEX_COLOUR, LEAST_CONTRAST, least_contrast, nearest_readable
from core.pictures import LARGEST_BYTES, Raster, redraw
from pages.look import DARK_GROUNDS, ICON_BOX, LIGHT_GROUNDS, LOGO_BOX
from pages.models import Page
from pages.rights import require_right
from staff.changes import ChangesForm
from staff.chosen_page import get_page
from staff.saving import saving

TAKE = "take_"
ACCENTS = {"accent_light": LIGHT_GROUNDS, "accent_dark": DARK_GROUNDS}


class PictureField(forms.Field):
    """A file that becomes a Raster; None where no file was chosen."""

    widget = forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp,image/gif"})

    def __init__(self, *, box: tuple[int, int], square: bool = False, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.box, self.square = box, square

    def to_python(self, value: UploadedFile[bytes] | None) -> Raster | None:
        if value is None:
            return None
        return redraw(value.read(LARGEST_BYTES + 1), box=self.box, square=self.square)

    stored: Raster | None = None
    """What is shown now, for the screen."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return data is not None


class LinksField(forms.CharField):
    """Links, one a line: the text, then the address. A list of {label, url}."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        lines = [line.split() for line in (value or "").splitlines() if line.strip()]
        if short := next((line for line in lines if len(line) < 2), None):
            raise ValidationError(
                _("“%(line)s”: write the text and then the address, such as: Help https://example.com/help")
                % {"line": short[0]}
            )
        return [{"label": " ".join(line[:-1]), "url": line[-1]} for line in lines]

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return "\n".join(f"{each['label']} {each['url']}" for each in value)
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.prepare_value(initial or "").split() != self.prepare_value(data or "").split()


class LookForm(ChangesForm):
    derived: ClassVar[tuple[str, ...]] = ("accent_dark",)

    logo = PictureField(
        label=gettext_lazy("Logo"),
        help_text=gettext_lazy(
            "PNG, JPEG, WebP or GIF, at most 2 MB. It stands where the name stands now, 36 pixels high."
        ),
        box=LOGO_BOX,
    )
    remove_logo = forms.BooleanField(label=gettext_lazy("Remove the logo"), required=False)
    logo_dark = PictureField(
        label=gettext_lazy("Logo for dark pages"),
        help_text=gettext_lazy("Where the other one cannot be seen on dark ground."),
        box=LOGO_BOX,
    )
    remove_logo_dark = forms.BooleanField(label=gettext_lazy("Remove the logo for dark pages"), required=False)
    icon = PictureField(
        label=gettext_lazy("Icon"),
        help_text=gettext_lazy("The small picture in the browser's tab: best a square."),
        box=ICON_BOX,
        square=True,
    )
    remove_icon = forms.BooleanField(label=gettext_lazy("Remove the icon"), required=False)
    header_links = LinksField(
        label=gettext_lazy("Links at the top"),
        help_text=gettext_lazy("One a line, at most 8: the text, then the address. Home https://example.com"),
        required=False,
    )
    footer_links = LinksField(
        label=gettext_lazy("Links at the foot"),
        help_text=gettext_lazy("As above. Beside them stand those that every page has."),
        required=False,
    )

    class Meta:
        model = Page
        fields = ("accent_light", "accent_dark", "header_links", "footer_links")
        labels = {
            "accent_light": gettext_lazy("Accent colour"),
            "accent_dark": gettext_lazy("Accent colour in the dark"),
        }
        help_texts = {
            "accent_light": gettext_lazy("Of the main button and the mark: # and six digits. Empty: black."),
            "accent_dark": gettext_lazy("Empty: the same, as much lighter as can be read."),
        }
        widgets = {name: forms.TextInput(attrs={"class": "colour", "spellcheck": "false"}) for name in ACCENTS}

    pictures = ("logo", "logo_dark", "icon")
    field_order = (
        "logo", "remove_logo", "logo_dark", "remove_logo_dark", "icon", "remove_icon",
        "accent_light", "accent_dark", "header_links", "footer_links",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.suggestions: dict[str, tuple[str, str]] = {}
        """By field: the colour that cannot be read, and the nearest that can."""
        for name in self.pictures:
            self.fields[name].show_hidden_initial = self.fields[f"remove_{name}"].show_hidden_initial = False
            stored = self.instance.load_picture(name)
            field: Any = self.fields[name]
            field.stored = stored
            if stored is None:
                del self.fields[f"remove_{name}"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        light, dark = (cleaned.get(name, "") for name in ACCENTS)
        if dark and not light and "accent_light" not in self.errors:
            self.add_error("accent_light", _("Choose one for light pages too."))
        for name, grounds in ACCENTS.items():
            self._check_contrast(name, cleaned.get(name, ""), grounds)
        if HEX_COLOUR.fullmatch(light) and not dark and "accent_dark" not in self.errors:
            cleaned["accent_dark"] = nearest_readable(light, DARK_GROUNDS)
        return cleaned

    def _clean_colour(self, name: str) -> str:
        value = self.cleaned_data[name].strip().lower()
        if value and not value.startswith("#"):
            value = f"#{value}"
        return "#" + "".join(digit * 2 for digit in value[1:]) if len(value) == 4 else value

    def clean_accent_light(self) -> str:
        return self._clean_colour("accent_light")

    def clean_accent_dark(self) -> str:
        return self._clean_colour("accent_dark")

    def _check_contrast(self, name: str, value: str, grounds: tuple[str, ...]) -> None:
        # Of what is no colour the model says so itself.
        if not HEX_COLOUR.fullmatch(value) or least_contrast(value, grounds) >= LEAST_CONTRAST:
            return
        self.suggestions[name] = (value, nearest_readable(value, grounds))
        found = f"{least_contrast(value, grounds):.1f}"
        self.add_error(
            name, _("This can hardly be read there: its contrast is %(found)s, and 4.5 is needed.") % {"found": found}
        )

    def list_suggestions(self) -> list[dict[str, str]]:
        """For the template: `field`, what was `asked`, what is `offered`, and the `ground` that both are shown on."""
        return [
            {"field": name, "asked": asked, "offered": offered, "ground": ACCENTS[name][-1]}
            for name, (asked, offered) in self.suggestions.items()
        ]

    def name_lost_files(self) -> None:
        """Say of each file that was fine, but is lost because something else was not: browsers do not send it again."""
        for name in self.pictures:
            if self.cleaned_data.get(name):
                self.add_error(name, _("Choose this file once more: it is fine, but was not saved with the rest."))

    def new_pictures(self) -> dict[str, Raster | None]:
        """Those that were uploaded, and None for those to remove."""
        cleaned = getattr(self, "cleaned_data", {})
        removed: dict[str, Raster | None] = {name: None for name in self.pictures if cleaned.get(f"remove_{name}")}
        return removed | {name: cleaned[name] for name in self.pictures if cleaned.get(name)}


def with_taken_colour(posted: QueryDict) -> QueryDict:
    """What was posted, with the colour in its field whose button “Take it” was pressed."""
    data = posted.copy()
    for name in ACCENTS:
        data[name] = str(posted.get(TAKE + name, posted.get(name, "")))
    return data


@csp_update({"frame-src": [SELF]})
@require_right("administer")
@require_http_methods(["GET", "POST"])
def change_look(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    form = LookForm(with_taken_colour(request.POST) if request.POST else None, request.FILES or None, instance=page)
    if request.method == "POST" and form.is_valid():
        with saving(request, form, page, lambda it: it):
            for name, raster in form.new_pictures().items():
                page.show_picture(name, raster)
            form.save()
        messages.success(request, _("%(name)s was saved.") % {"name": page.name})
        return redirect("look")
    if form.errors:
        form.name_lost_files()
    shown = Page.objects.get(pk=page.pk)
    context = {"title": _("Look"), "page": shown, "form": form, "suggestions": form.list_suggestions()}
    return render(request, "staff/settings/look.html", context, status=422 if form.errors else 200)
