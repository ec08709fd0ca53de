"""One settings module for every place; what differs comes from the environment."""

from __future__ import annotations

import base64
import os
from datetime import timedelta
from pathlib import Path

from django.conf.locale import LANG_INFO

from outcomes_site import environment, logs
from outcomes_site.database import APP

BASE_DIR = Path(__file__).resolve().parent.parent

# --- where this runs ---------------------------------------------------------------------------

ENVIRONMENT = environment.kind()
IS_LOCAL = ENVIRONMENT == "local"  # manage.py up: loopback only
IS_TEST = ENVIRONMENT == "test"
IS_PRODUCTION = ENVIRONMENT == "production"
DEBUG = False

# Fixed keys for tests alone: the same ciphertexts and hashes on every run are easier to debug.
_test_key = base64.b64encode(b"for tests alone, not for clients").decode() if IS_TEST else None

SECRET_KEY = environment.text(
    "SECRET_KEY",
    why="It signs sessions and links; at least 50 random characters.",
    example="$(openssl rand -base64 48)",
    default=_test_key,
)
MASTER_KEYS = environment.keys(
    "MASTER_KEYS",
    why="They wrap the key of each client; the first one is current, older ones still open.",
    default=f"test:{_test_key}" if _test_key else None,
)
MASTER_KEY_ID = next(iter(MASTER_KEYS))
SEARCH_KEY = environment.key(
    "SEARCH_KEY", why="Names are found by hashes made with it.", default=_test_key
)

# Only those who take or read backups need it; the web and the worker don't.
BACKUP_KEYS = (
    environment.keys("BACKUP_KEYS", why="Backups are sealed with the first; older ones open.")
    if environment.value("BACKUP_KEYS")
    else {}
)
# The list of erased clients, kept beside the database: a restored backup is held to it.
ERASURE_LEDGER = environment.value("ERASURE_LEDGER") or ""
# The audit chain's hashes, kept beside the database: its owner can't rewrite the trail unseen.
AUDIT_SEALS = environment.value("AUDIT_SEALS") or ""

PUBLIC_URL = environment.text(
    "PUBLIC_URL",
    why="The address people type; links in messages begin with it.",
    example="https://outcomes.example.org",
    default=None if IS_PRODUCTION else "http://localhost:8000",
).rstrip("/")
ALLOWED_HOSTS = environment.words(
    "ALLOWED_HOSTS",
    why="The host names this site answers to, separated by commas.",
    example="outcomes.example.org",
    default=None if IS_PRODUCTION else "localhost,127.0.0.1,[::1],testserver",
)
# A container's own health check, and `up`, which promises both names; links use PUBLIC_URL.
for _own in ("localhost", "127.0.0.1", "[::1]") if IS_LOCAL else ("localhost",):
    if _own not in ALLOWED_HOSTS:
        ALLOWED_HOSTS.append(_own)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

# --- the house ---------------------------------------------------------------------------------

INSTALLED_APPS = [
    "outcomes_site",
    "reports_app",
    "measures_app",
    "sessions_app",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "axes",
    "pghistory",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "outcomes_site.logs.RequestLog",
    "outcomes_site.middleware.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "outcomes_site.middleware.RespondentsLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sessions_app.keys.KeyMiddleware",
    "sessions_app.context.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "sessions_app.second_factor.SecondFactorMiddleware",
    "sessions_app.presence.PresenceMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "outcomes_site.urls"
FORM_RENDERER = "outcomes_site.form_writing.Renderer"
WSGI_APPLICATION = "outcomes_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "outcomes_site.context_processors.site",
            ],
        },
    }
]

# --- database, broker, cache -------------------------------------------------------------------

# Commands that need no database (manage.py knows them) run without an address of one.
if environment.flag("WITHOUT_DATABASE", default=False):
    DATABASES = {"default": {"ENGINE": "django.db.backends.dummy"}}
    DATABASE_OWNER = None
else:
    _database = environment.database_url(
        "DATABASE_URL",
        environment.text(
            "DATABASE_URL",
            why="`python3 manage.py COMMAND` finds the running database or starts one by itself; "
            "other ways to run need the address.",
            example=environment.DATABASE_EXAMPLE,
        ),
    )
    _owner_url = environment.value("DATABASE_OWNER_URL")
    # A login of its own for migrations and backups; without one the same login takes the role.
    DATABASE_OWNER = (
        environment.database_url("DATABASE_OWNER_URL", _owner_url) if _owner_url else None
    )
    DATABASES = {
        "default": {
            **_database,
            "OPTIONS": {**_database["OPTIONS"], "options": f"-c role={APP}"},
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    }

_redis_url = environment.value("REDIS_URL")
REDIS_URL = environment.redis_url("REDIS_URL", _redis_url) if _redis_url else ""
# Several installations, or test runs, can share one broker under their own names.
BROKER_PREFIX = environment.text(
    "BROKER_PREFIX",
    why="",
    example="outcomes-a-",
    default=f"test-{os.getpid()}-" if IS_TEST else "outcomes-",
)

CELERY_BROKER_URL = environment.celery_broker(REDIS_URL) if REDIS_URL else "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": BROKER_PREFIX} if REDIS_URL else {}
# A broker that is away must not hold up a saved score: the outbox sweeps later.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": BROKER_PREFIX,
    }
    if REDIS_URL and not IS_TEST
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- people ------------------------------------------------------------------------------------

AUTH_USER_MODEL = "sessions_app.User"
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: who is locked out isn't looked at
    "sessions_app.at_each_request.Accounts",
]

# Sign-up is closed and addresses are the administrator's: of allauth we use the steps after the
# password (sessions_app/urls.py names the pages that are open).
ACCOUNT_ADAPTER = "sessions_app.second_factor.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
MFA_ADAPTER = "sessions_app.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not IS_PRODUCTION  # http on localhost
MFA_TRUST_ENABLED = True
MFA_TRUST_COOKIE_AGE = 24 * 3600  # on one's own device the second factor is asked once a day
MFA_TRUST_COOKIE_HTTPONLY = True
MFA_TRUST_COOKIE_SAMESITE = "Lax"
# The cast of the tests signs in without; the tests of the second factor switch it on.
SECOND_FACTORS = not IS_TEST
# Settings and exports ask who is there when the password is some minutes old; the tests likewise.
ASK_AGAIN = not IS_TEST

# Ten wrong passwords for one name from one address: fifteen minutes' rest. The address alone
# never locks, for a whole clinic may stand behind one.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "sessions_app.lock_out.locked_out"
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "sessions_app.lock_out.hashed_name"
AXES_CLIENT_IP_CALLABLE = "sessions_app.rates.address_of"
AXES_RESET_ON_SUCCESS = False  # done by lock_out.forget, which knows the hashed name
AXES_DISABLE_ACCESS_LOG = True  # the audit trail is the record
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False

# The clinic's own sign-in service, if it has one (sessions_app/single_sign_on.py).
SSO = environment.single_sign_on(plain_http=not IS_PRODUCTION)
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5  # seconds
SOCIALACCOUNT_STORE_TOKENS = False

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
if IS_TEST:
    PASSWORD_HASHERS.insert(0, "django.contrib.auth.hashers.MD5PasswordHasher")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "sessions_app.known_passwords.KnownPasswordValidator"},
]
BREACHED_PASSWORDS_FILE = environment.path_of_file(
    "BREACHED_PASSWORDS_FILE",
    why="SHA-1 hashes of known passwords, ordered, one a line; looked up without network.",
    example="/srv/outcomes/pwned-passwords.txt",
)

SESSION_ENGINE = "sessions_app.at_each_request"
SESSION_COOKIE_AGE = 24 * 3600  # the policies by role end it sooner (sessions_app/presence.py)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"

# --- the web -----------------------------------------------------------------------------------

# Health data travels over TLS; `up` and the tests speak plain HTTP on loopback.
_tls = IS_PRODUCTION and environment.flag("TLS", default=True)
SECURE_SSL_REDIRECT = _tls
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _tls else None
# How many proxies of the clinic's own pass requests on; beyond them nobody's word counts.
TRUSTED_PROXIES = environment.number("TRUSTED_PROXIES", default=int(_tls), low=0, high=5)
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _tls else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _tls
SECURE_HSTS_PRELOAD = _tls
SESSION_COOKIE_SECURE = _tls
CSRF_COOKIE_SECURE = _tls
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Elsewhere they are served from where they lie, and nothing has to be collected first.
STATIC_ROOT = BASE_DIR / "staticfiles" if IS_PRODUCTION else None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_AUTOREFRESH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "measures_app.api.keys.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_VERSIONING_CLASS": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Clinic outcomes",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "measures_app.api.schema.add_errors",
    ],
}

# --- language and time -------------------------------------------------------------------------

USE_TZ = True
TIME_ZONE = "UTC"  # what is stored; what is meant is decided by the clinic's own zone:
CLINIC_TIME_ZONE = environment.text(
    "CLINIC_TIME_ZONE",
    why="It decides months, ages and nights.",
    example="Europe/Madrid",
    default="UTC",
)
USE_I18N = True
LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
# English is written in the sources; each folder with a compiled catalogue is one language more.
LANGUAGES = [
    (code, LANG_INFO.get(code, {"name": code})["name"])
    for code in ("en", *sorted(found.parts[-3] for found in LOCALE_PATHS[0].glob("*/*/django.mo")))
]

CELERY_TIMEZONE = CLINIC_TIME_ZONE  # the timetable's hours are the clinic's

# --- messages and logs -------------------------------------------------------------------------

EMAIL_HOST = environment.text("EMAIL_HOST", why="", example="smtp.example.org", default="")
EMAIL_PORT = environment.number("EMAIL_PORT", default=587, low=1, high=65535)
EMAIL_HOST_USER = environment.text("EMAIL_USER", why="", example="outcomes", default="")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_PASSWORD", why="", example="...", default="")
EMAIL_USE_TLS = environment.flag("EMAIL_TLS", default=True)
EMAIL_TIMEOUT = 20
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if EMAIL_HOST
    else "django.core.mail.backends.console.EmailBackend"
)
DEFAULT_FROM_EMAIL = environment.text(
    "EMAIL_FROM", why="", example="outcomes@example.org", default="outcomes@localhost"
)

TEXT_SENDER = environment.text(
    "TEXT_SENDER",
    why="The function that sends a text message: see sessions_app/texting.py.",
    example="our_clinic.texting.send",
    default="sessions_app.texting.not_set_up",
)

# Hosts inside the clinic's network that webhooks may be sent to; all others must be public.
WEBHOOK_INTERNAL_HOSTS = environment.words(
    "WEBHOOK_INTERNAL_HOSTS", why="", example="records.clinic.example", default=""
)
WEBHOOK_CA_FILE = environment.path_of_file(
    "WEBHOOK_CA_FILE",
    why="Certificates that vouch for those hosts, where the clinic issues its own.",
    example="/srv/outcomes/clinic-ca.pem",
)

# A test that wants the lines asks for them.
LOGGING = logs.configuration("WARNING" if IS_TEST else "INFO")

# Whoever may read /metrics from another machine; without one, this machine alone may.
METRICS_KEY = environment.value("METRICS_KEY") or ""
