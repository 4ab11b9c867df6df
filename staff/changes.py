"""Saving only what staff changed in a form: it may have been open for an hour, and others worked meanwhile."""

from typing import Any, ClassVar

from django.forms import BaseForm, ModelForm
from django.http import Http404
from django.utils.translation import gettext


class ShownValuesMixin(BaseForm):
    """Sends along what each field held when the form was shown, so that "changed" means: changed by this person.

    A program that posts without these values is compared with what is stored.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            shown = self.add_initial_prefix(name)
            field.show_hidden_initial = not self.is_bound or any(key.startswith(shown) for key in self.data)


class ChangesForm(ShownValuesMixin, ModelForm):  # type: ignore[type-arg]
    """Of a row: saves what was changed in it, whatever others changed meanwhile."""

    derived: ClassVar[tuple[str, ...]] = ()
    """Fields of the model that `save` works out from what was typed."""

    def take_the_rest_as_stored(self) -> None:
        """Give every field that was not changed here its present value. Call it under the page's lock."""
        own = {*self.changed_data, *self.derived}
        kept = [field.name for field in self.instance._meta.concrete_fields if field.name not in own]
        try:
            self.instance.refresh_from_db(fields=kept)  # among them the key, so it asks whether the row is there
        except type(self.instance).DoesNotExist as error:
            raise Http404("It was deleted while the form was open.") from error


class RowForm(ChangesForm):
    """One row of a list that is edited in place."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.visible_fields():
            # Its label is the head of the column, which a screen reader does not find.
            field.field.widget.attrs["aria-label"] = gettext("%(label)s of %(name)s") % {
                "label": field.label,
                "name": self.instance,
            }
