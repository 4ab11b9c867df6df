"""The cache of public documents, as tests need it."""


def start_empty() -> None:
    """As a new process starts: no page and no document is known."""
    from public.serving.render_cache import editions  # needs the applications, which may not be loaded yet

    editions.__init__()  # type: ignore[misc]
