"""Settings. Each value comes from the environment, by the readers of statuspage/environment.py.

Everything works with nothing set. What each variable means: docs/settings.md; what must not be combined:
statuspage/checks.py. A bad value stops the start with its name.
"""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from celery.schedules import schedule
from csp.constants import NONE, SELF
from kombu import Queue

from delivery.queues import DEFAULT, all_queues
from statuspage.environment import Environment, kept_secret
from statuspage.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# Directories and keys

PRODUCTION = env.switch("PRODUCTION", default=False)
DEBUG = env.switch("DEBUG", default=False)
DATA_DIR = env.directory("DATA_DIR", BASE_DIR / "var")
SECRET_KEY = env.text("SECRET_KEY") or ("" if PRODUCTION else kept_secret(DATA_DIR / "secret_key"))
# Retired keys: links in mails that were signed with them, and hashes of suppressed addresses, stay good.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
# Encrypts the credentials of accounts; the first key encrypts, all of them decrypt. Derived from SECRET_KEY when empty.
CREDENTIALS_KEYS = env.words("CREDENTIALS_KEY")
PUBLIC_URL = env.web_address("PUBLIC_URL")
SUB_PATH = urlsplit(PUBLIC_URL).path
FORCE_SCRIPT_NAME = SUB_PATH or None  # core/sub_path.py
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
if not PRODUCTION and not ALLOWED_HOSTS:
    ALLOWED_HOSTS = ["localhost", ".localhost", "127.0.0.1", "[::1]"]
if PUBLIC_URL:
    ALLOWED_HOSTS.append(urlsplit(PUBLIC_URL).hostname or "")

# The application

INSTALLED_APPS = [
    "staff.apps.StaffAdminConfig",  # Django's admin, with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",
    "statuspage",
    "pages",
    "components",
    "incidents",
    "subscribers",
    "delivery",
    "canary",
    "intake",
    "public",
    "staff",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "core.languages.use_language_of_address",
    "statuspage.assets.StaticFiles",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "statuspage.urls"
WSGI_APPLICATION = "statuspage.wsgi.application"
ASGI_APPLICATION = "statuspage.asgi.application"
APPEND_SLASH = True  # only the staff's addresses end in a slash: it turns /staff into /staff/ and touches no other
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["django.templatetags.i18n", "core.language_tags"],
        },
    }
]
LANGUAGE_CODE = "en"
# Translations of an operator's own, in front of ours; sentences that neither has are read in English.
LOCALE_PATHS = [env.directory("LOCALE_DIR", DATA_DIR / "locale", writable=False), BASE_DIR / "locale"]
# What public pages are served in: all that is translated, or those of them that are wanted.
LANGUAGES = env.languages("LANGUAGES", LANGUAGE_CODE, LOCALE_PATHS)
FORMAT_MODULE_PATH = ["statuspage.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

# Databases and caches

DATABASES = {
    "default": env.database(
        "DATABASE_URL", DATA_DIR / "statuspage.sqlite3", pool_size=env.number("DATABASE_POOL_SIZE", 10, least=1)
    )
}
# In each process's own memory: readers must not depend on another service.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Static files: served by the application itself, under hashed names once collected

STATIC_URL = f"{SUB_PATH}/static/"
# Its own variable for images and read-only installations, which collect when they are built.
STATIC_ROOT = env.directory("STATIC_ROOT", DATA_DIR / "static", writable=False)
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "statuspage.storage.HashedStaticFiles"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# Tasks: the database is the queue, a Celery message only wakes a worker. It may be lost or doubled.

CELERY_BROKER_URL = env.broker("REDIS_URL", DATA_DIR / "redis.sock")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Without the first three, a half-open connection stalls a worker for minutes and loses the next message. With the
    # health check it is dropped after twice that interval and a second, so that a task is late by 21 s at most.
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "retry_on_timeout": True,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "visibility_timeout": 600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "global_keyprefix": "sp:",
}
CELERY_BROKER_CONNECTION_TIMEOUT = 3
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 5
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 90  # far below the visibility timeout, else a task runs twice at once
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
# Cancelling a task in the middle of a send makes it unknown whether the message went out.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = DEFAULT
CELERY_TASK_QUEUES = [Queue(name) for name in all_queues()]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = ("delivery.queues.route_task",)
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SYNC_EVERY = 1  # beat stores each tick on disk, and the health check reads that
# How long a worker may hold deliveries without renewing its claim. Longer than a task may run, so a worker that lives keeps them.
DELIVERY_LEASE_SECONDS = env.number("DELIVERY_LEASE_SECONDS", 120, least=1)
# After so many days the deliveries of a notice become the counts on its receipt; 0 keeps them for ever.
DELIVERY_RETENTION_DAYS = env.number("DELIVERY_RETENTION_DAYS", 90, most=36_500)
# Lets monitoring read /metrics and receipts; without it only signed-in staff may.
METRICS_TOKEN = env.text("METRICS_TOKEN")
CELERY_BEAT_SCHEDULE = {
    # A task of beat that no worker takes expires before the next one is sent: they must not pile up.
    "sweep": {"task": "delivery.tasks.sweep", "schedule": schedule(5), "options": {"expires": 5}},
    "maintenance": {
        "task": "incidents.tasks.advance_maintenance",
        "schedule": schedule(15),
        "options": {"expires": 15},
    },
    "bounces": {"task": "delivery.tasks.read_bounces", "schedule": schedule(60), "options": {"expires": 60}},
    "tidy": {"task": "delivery.tasks.tidy", "schedule": schedule(30), "options": {"expires": 30}},
    # Each receipt once a day; an installation that is not up all night does it when it is.
    "check_receipts": {
        "task": "delivery.tasks.check_receipts",
        "schedule": schedule(3600),
        "options": {"expires": 3600},
    },
    "prune": {"task": "subscribers.tasks.prune", "schedule": schedule(3600), "options": {"expires": 3600}},
    "prune_mail_files": {
        "task": "delivery.tasks.prune_mail_files",
        "schedule": schedule(3600),
        "options": {"expires": 3600},
    },
    "prune_sign_ins": {"task": "staff.tasks.prune", "schedule": schedule(3600), "options": {"expires": 3600}},
}

# Mail

SMTP = env.mail("EMAIL_URL")
# Where mail goes, one .eml file per message, until an SMTP server is configured; None when it is.
MAIL_DIR = None if SMTP else DATA_DIR / "mail"
MAIL_FILES_DAYS = env.number("MAIL_FILES_DAYS", 30, most=36_500)
EMAIL_HOST = SMTP.get("EMAIL_HOST", "")
EMAIL_PORT = SMTP.get("EMAIL_PORT", 25)
EMAIL_HOST_USER = SMTP.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = SMTP.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = SMTP.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = SMTP.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = env.number("EMAIL_TIMEOUT_SECONDS", 30, least=1)
EMAIL_CONNECTIONS = env.number("EMAIL_CONNECTIONS", 8, least=1, most=100)
EMAIL_RATE = env.number("EMAIL_RATE", 0)
EMAIL_DOMAIN_RATES = env.rates("EMAIL_DOMAIN_RATES")
# Where mails come back to, to be read; None when nobody reads them.
BOUNCE_MAILBOX = env.mailbox("BOUNCE_IMAP_URL")
# What a mail provider signs in with, as user:password, to report them to /bounces/PROVIDER; nobody may when it is empty.
BOUNCE_WEBHOOK_SECRET = env.text("BOUNCE_WEBHOOK_SECRET")
BOUNCE_WEBHOOK_KEYS = env.keys("BOUNCE_WEBHOOK_KEYS")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Status <status@localhost>")

# Confirmation mails an hour at most, of all pages together: anybody can ask for one to any address.
CONFIRMATIONS_PER_HOUR = env.number("CONFIRMATIONS_PER_HOUR", 2000, least=1)
# Of these, what one network address may ask for: enough for an office in an outage, too little to use up the rest.
CONFIRMATIONS_PER_VISITOR = env.number("CONFIRMATIONS_PER_VISITOR", 20, least=1)

# The canary: heartbeats on the way of every notice, and who hears when they do not arrive (docs/canary.md)

CANARY_MAIL_TO = env.text("CANARY_MAIL_TO")
CANARY_MAIL_SECRET = env.text("CANARY_MAIL_SECRET")
CANARY_IMAP_URL = env.text("CANARY_IMAP_URL")
CANARY_WEBHOOK_URL = env.endpoint("CANARY_WEBHOOK_URL")
CANARY_PERIOD_SECONDS = env.number("CANARY_PERIOD_SECONDS", 30, least=1, most=3600)
CANARY_DEADLINE_SECONDS = env.number("CANARY_DEADLINE_SECONDS", 25, least=1, most=3600)
CANARY_PROBES = env.number("CANARY_PROBES", 4, least=1, most=9)
# Where public documents are read from outside, and how long after a change they may be old.
CANARY_READ_URLS = [env.endpoint_of("CANARY_READ_URLS", each) for each in env.words("CANARY_READ_URLS")]
CANARY_READ_SECONDS = env.number("CANARY_READ_SECONDS", 30, least=1, most=3600)
CANARY_WATCH_SECONDS = env.number("CANARY_WATCH_SECONDS", 5, least=1, most=60)
ALARM_EMAILS = env.words("ALARM_EMAILS")
ALARM_EMAIL_URL = env.mail_url("ALARM_EMAIL_URL") or env.mail_url("EMAIL_URL")
ALARM_SLACK_URL = env.endpoint("ALARM_SLACK_URL")
ALARM_PAGERDUTY_KEY = env.text("ALARM_PAGERDUTY_KEY")
# Accounts in Europe have another.
ALARM_PAGERDUTY_URL = env.endpoint("ALARM_PAGERDUTY_URL") or "https://events.pagerduty.com/v2/enqueue"
ALARM_WEBHOOK_URL = env.endpoint("ALARM_WEBHOOK_URL")
ALARM_WEBHOOK_SECRET = env.text("ALARM_WEBHOOK_SECRET")
ALARM_DEADMAN_URL = env.endpoint("ALARM_DEADMAN_URL")
# Whether `manage.py up` runs a watch.
WATCHED = any(
    (
        CANARY_MAIL_TO,
        CANARY_WEBHOOK_URL,
        CANARY_READ_URLS,
        ALARM_EMAILS,
        ALARM_SLACK_URL,
        ALARM_PAGERDUTY_KEY,
        ALARM_WEBHOOK_URL,
        ALARM_DEADMAN_URL,
    )
)
WATCH_NOTE = DATA_DIR / "watch"  # the watch touches it at each check, and the health check reads its time
if CANARY_MAIL_TO or CANARY_WEBHOOK_URL:
    CELERY_BEAT_SCHEDULE["heartbeat"] = {
        "task": "canary.tasks.beat",
        "schedule": schedule(CANARY_PERIOD_SECONDS),
        "options": {"expires": CANARY_PERIOD_SECONDS},
    }

# Staff sign-in. Locked by user name and address together, or by an address that tries many names: nobody
# elsewhere can lock the on-call out, and who is signed in stays so.

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = f"{SUB_PATH}/admin/login/"
LOGIN_REDIRECT_URL = f"{SUB_PATH}/staff/"
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_LOCKOUT_PARAMETERS = "staff.sign_in.lockout_parameters"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "core.visitor.client_address"
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
# Who is attacked, and from where, is what a log of refused sign-ins is for. Passwords are never in it.
AXES_SENSITIVE_PARAMETERS: list[str] = []

# Safety of every answer

TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0, most=10)
USE_X_FORWARDED_HOST = False
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = PRODUCTION and env.switch("SSL_REDIRECT", default=True)
# Asked from inside, where there is no TLS.
SECURE_REDIRECT_EXEMPT = [rf"^{SUB_PATH[1:]}/?(livez|readyz|healthz|metrics)$"]
# Under a sub-path the host, and what stands below it, is somebody else's to promise for.
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", 0 if SUB_PATH else 31_536_000) if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION and env.switch("HSTS_INCLUDE_SUBDOMAINS", default=not SUB_PATH)
SECURE_HSTS_PRELOAD = PRODUCTION and env.switch("HSTS_PRELOAD", default=False)
# The preload list is a promise about the whole domain, which is not this application's to give.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{SUB_PATH}/"
if SUB_PATH:  # what else stands on the host may have cookies of Django's own names
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "statuspage_session", "statuspage_csrf"
# The other kind is a cookie for the whole host.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_AGE = 7 * 24 * 3600
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Logs

LOG_FORMAT = env.one_of("LOG_FORMAT", ("console", "json"), "json" if PRODUCTION else "console")
LOGGING = logging_config(LOG_FORMAT, env.one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"))

# The web server that `manage.py up` and the container image start

HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000, least=1, most=65535)
WEB_PROCESSES = env.number("WEB_PROCESSES", min(4, os.cpu_count() or 1), least=1, most=64)
