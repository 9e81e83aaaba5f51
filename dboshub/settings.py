"""Settings of the whole project. Every read of the environment goes through env.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from django.utils.functional import SimpleLazyObject

from dboshub import env
from dboshub.standalone.data_directory import data_directory
from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.database_urls import sqlite_url

PACKAGE_DIR = Path(__file__).resolve().parent
BASE_DIR = PACKAGE_DIR.parent
# Created by the first file that is written there.
DBOSHUB_DATA_DIR = data_directory()

# `dboshub dashboard` prepares what these settings describe, and nothing in a project of yours.
IS_STANDALONE = True
DEBUG = env.flag("DBOSHUB_DEBUG")
SECRET_KEY_FILE = DBOSHUB_DATA_DIR / "secret_key"
# The file is made when the key is first used, so that commands that only look leave no trace.
SECRET_KEY = env.secret_key("DBOSHUB_SECRET_KEY") or cast(
    str, SimpleLazyObject(lambda: env.kept_secret_key(SECRET_KEY_FILE))
)
ALLOWED_HOSTS = env.hosts("DBOSHUB_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.origins("DBOSHUB_TRUSTED_ORIGINS")
DBOSHUB_HTTPS = env.flag("DBOSHUB_HTTPS")
DBOSHUB_BEHIND_PROXY = env.flag("DBOSHUB_BEHIND_PROXY")

# The system database holds the workflows. Django's own and the hub's tables lie beside them,
# unless DBOSHUB_DATABASE_URL puts them elsewhere so that a foreign database stays untouched.
DBOS_SYSTEM_DATABASE_URL = env.database_url(
    "DBOS_SYSTEM_DATABASE_URL", sqlite_url(DBOSHUB_DATA_DIR / "dboshub.sqlite3")
)
DBOS_SYSTEM_SCHEMA = env.schema("DBOS_SYSTEM_SCHEMA", "dbos")
DBOSHUB_DATABASE_URL = env.database_url("DBOSHUB_DATABASE_URL")
DBOSHUB_LISTEN_DSN = env.database_url("DBOSHUB_LISTEN_DSN")
DBOS_SYSTEM_DATABASE_ALIAS = "system" if DBOSHUB_DATABASE_URL else "default"
# Pages only show: every action is refused, and sessions on a system database of its own only read.
DBOSHUB_READ_ONLY = env.flag("DBOSHUB_READ_ONLY")
DBOSHUB_BEHIND_POOLER = env.flag("DBOSHUB_BEHIND_POOLER")

# Whether this process takes part in counting what charts show, and in working on bulk jobs.
DBOSHUB_ROLLUPS = env.flag("DBOSHUB_ROLLUPS", True)
DBOSHUB_BULK = env.flag("DBOSHUB_BULK", True)

_pool = env.number("DBOSHUB_DATABASE_POOL", 8, most=500)
_worker_pool = env.number("DBOSHUB_WORKER_POOL", 32, least=1, most=500)
_sync = env.choice("DBOSHUB_SQLITE_SYNC", "FULL", ("FULL", "NORMAL", "EXTRA"))
_log_level = env.choice(
    "DBOSHUB_LOG_LEVEL", "INFO", ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
)


def _database(url: str, access: Access = Access.OWN) -> dict[str, Any]:
    return env.django_database(
        url,
        pool_size=_pool,
        worker_pool_size=_worker_pool,
        sqlite_sync=_sync,
        access=access,
        behind_pooler=DBOSHUB_BEHIND_POOLER,
    )


DATABASES = {"default": _database(DBOSHUB_DATABASE_URL or DBOS_SYSTEM_DATABASE_URL)}
if DBOSHUB_DATABASE_URL:
    DATABASES["system"] = _database(
        DBOS_SYSTEM_DATABASE_URL, Access.READ_ONLY if DBOSHUB_READ_ONLY else Access.SHARED
    )
DATABASE_ROUTERS = ["dboshub.routers.SystemTables"] if DBOSHUB_DATABASE_URL else []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "dboshub",
    "dboshub.schedules",
    "dboshub.queues",
    "dboshub.workflows",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    *(["dboshub.standalone.middleware.ForwardedAddress"] if DBOSHUB_BEHIND_PROXY else []),
    "django.middleware.security.SecurityMiddleware",
    "dboshub.standalone.middleware.PageHeaders",
    "dboshub.standalone.middleware.AsgiWhiteNoise",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dboshub.standalone.middleware.KnownSessions",
    # For what is not ours: the admin site.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

ROOT_URLCONF = "dboshub.standalone.urls"
ASGI_APPLICATION = "dboshub.standalone.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE_DIR / "templates" / "standalone"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# A wheel brings its static files hashed and compressed; in a checkout, collectstatic makes them.
COLLECTED = PACKAGE_DIR / "standalone" / "collected"
IS_COLLECTED = (COLLECTED / "staticfiles.json").is_file()
_static_storage = "PackagedStaticFiles" if IS_COLLECTED else "HashedStaticFiles"

STATIC_URL = "static/"
STATIC_ROOT = COLLECTED if IS_COLLECTED else DBOSHUB_DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": f"dboshub.web.static_files.{_static_storage}"},
}
# The admin site's files belong to the Django that is installed: they are served from there.
WHITENOISE_USE_FINDERS = DEBUG or IS_COLLECTED
WHITENOISE_AUTOREFRESH = DEBUG

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dboshub:home"
LOGOUT_REDIRECT_URL = "login"
DBOSHUB_LOGIN_ATTEMPTS = env.number("DBOSHUB_LOGIN_ATTEMPTS", 5, least=1)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

SESSION_COOKIE_NAME = "dboshub_session"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_SECURE = DBOSHUB_HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "dboshub_csrf"
CSRF_COOKIE_SECURE = DBOSHUB_HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "dboshub.web.error_pages.csrf_failure"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if DBOSHUB_HTTPS else 0
# A client can write any X-Forwarded-* header: they count only behind a proxy that overwrites them.
USE_X_FORWARDED_HOST = DBOSHUB_BEHIND_PROXY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if DBOSHUB_BEHIND_PROXY else None

# The largest form is one JSON value; nothing is uploaded as a file.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1_024 * 1_024
FILE_UPLOAD_HANDLERS: list[str] = []

DEFAULT_EXCEPTION_REPORTER_FILTER = "dboshub.standalone.debug_pages.MaskedReporterFilter"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LINES = "dboshub.workflows.engine.observability.log_lines.LineFormatter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": LINES, "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "filters": {"one_line": {"()": "dboshub.web.refused_requests.OneLine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": _log_level},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"filters": ["one_line"]},
        "daphne": {"level": "WARNING"},
        # It says each attempt to connect; who needs the connection says that it is missing.
        "psycopg.pool": {"level": "ERROR"},
    },
}
