"""The catalogues of sentences in locale/: made from templates and code, and checked by `make lint`.

`python -m catalogue update` (`make messages`) writes locale/en, whose sentences are the source, brings the other
languages up to it and compiles them. `python -m catalogue check` changes nothing and fails when that was forgotten, or
when a template says something that is not marked for translation. Only Babel is needed, no gettext of the system.
"""
