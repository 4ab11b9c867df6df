# One image for every process: web, worker or beat by argument; anything else goes to manage.py.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy
RUN python -m venv /opt/venv && pip install --no-cache-dir uv
COPY requirements.txt /build/
RUN uv pip sync --no-cache --python /opt/venv/bin/python /build/requirements.txt
COPY . /app
WORKDIR /app
RUN DATA_DIR=/tmp/build STATIC_ROOT=/app/collected /opt/venv/bin/python manage.py collectstatic --no-input \
    && /opt/venv/bin/python -m compileall -q /app

FROM python:3.11-slim
# FriBiDi: Pillow writes Arabic and Hebrew with it.
RUN apt-get update && apt-get install -y --no-install-recommends libfribidi0 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home statuspage && install -d -m 700 -o statuspage -g statuspage /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=1 \
    PRODUCTION=true DATA_DIR=/data STATIC_ROOT=/app/collected HOST=0.0.0.0 PORT=8000
USER statuspage
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=3 CMD ["deploy/healthcheck"]
ENTRYPOINT ["deploy/entrypoint"]
CMD ["web"]
