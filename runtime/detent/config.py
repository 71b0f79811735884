"""What a project says about itself: `detent.toml`, or `[tool.detent]` in `pyproject.toml`; the environment.

    project = "podcasts"
    dirs = ["tasks"]
    max_duration = "5m"

    [retries.default]
    max_attempts = 5

    [queues.llm]
    concurrency_limit = 5

Importing this module is cheap: every command does it first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from detent.deploy_settings import DeploySettings, read_deploy_settings
from detent.errors import ConfigError
from detent.model.rate_limit import Rate, read_rates
from detent.model.retry import RetryPolicy
from detent.model.slug import slug_in
from detent.settings import Table

__all__ = [
    "Config",
    "DeploySettings",
    "QueueSettings",
    "Settings",
    "WorkerSettings",
    "ensure_state_dir",
    "find_root",
    "load_config",
    "own_secrets",
    "read_settings",
]

STATE_DIR = ".detent"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8377
DEFAULT_IGNORE = ("test_*.py", "*_test.py", "conftest.py")
#: How long links to large values are good where nothing is set, and at most, in seconds.
LINK_S, LONGEST_LINK_S = 3600.0, 7 * 24 * 3600.0
#: Shorter leases would be lost whenever a machine is busy for a moment, in milliseconds.
LEAST_LEASE_MS = 1_000
LOG_LEVELS = ("debug", "info", "warn", "error")
SQLITE_SYNC = ("OFF", "NORMAL", "FULL")
DATABASES = ("sqlite", "postgresql", "postgres")
BROKERS = ("redis", "rediss", "unix", "amqp", "amqps")

_IS_HTTP = re.compile(r"https?://[^/?#\s]+(/[^?#\s]*)?")
_IS_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Most runs of a queue at once, and of one concurrency key in it. None: what the code says."""

    concurrency_limit: int | None = None
    concurrency_limit_per_key: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Size of a worker: sync runs (`threads`) and async runs at once in each of its `processes`. `stop_grace`: seconds
    that a run which is cancelled, or has used its time, may take to stop. `machines`, `queues`: of the runs that
    `detent worker` takes; empty for the usual ones. `keep_warm`: seconds that workers of an old version stay
    when its runs only wait."""

    threads: int = 8
    async_limit: int = 1000
    processes: int = 1
    stop_grace: float = 5.0
    machines: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    keep_warm: float = 600.0


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one project, checked.

    `root` is the project's folder, `file` where the settings were read (None without one), `dirs` the files and
    folders with tasks. `max_duration`, `retention` and `object_link_ttl` are in seconds. None means that nothing was
    set; `api_url` is None when no server is named, `project_slug` and `environment` when none of those on the server
    is, `public_url` when the server's own address is meant, `broker_url` when the embedded broker is; the other
    URLs are always there. `allow_insecure`: servers on other hosts need no password.
    """

    root: Path
    file: Path | None = None
    project: str = ""
    dirs: tuple[Path, ...] = ()
    ignore_patterns: tuple[str, ...] = DEFAULT_IGNORE
    max_duration: float | None = None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    machine: str | None = None
    queues: Mapping[str, QueueSettings] = field(default_factory=dict)
    concurrency_limit: int | None = None
    retention: float | None = None
    object_link_ttl: float = LINK_S
    worker: WorkerSettings = WorkerSettings()
    deploy: DeploySettings = field(default_factory=DeploySettings)
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    log_level: str = "info"
    redact: tuple[str, ...] = ()
    rate_limit: Mapping[str, Rate] | None = None
    public_url: str | None = None
    api_url: str | None = None
    project_slug: str | None = None
    environment: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    encryption_keys: tuple[str, ...] = field(default=(), repr=False)
    database_url: str = field(default="", repr=False)
    broker_url: str | None = field(default=None, repr=False)
    allow_insecure: bool = False
    object_store_url: str = field(default="", repr=False)
    sqlite_sync: str | None = None
    lease_ms: int | None = None
    allow_private_webhooks: bool = False
    smtp_url: str | None = field(default=None, repr=False)
    smtp_from: str | None = None

    @property
    def slug(self) -> str | None:
        """The name that the project gives itself, as servers have it; None where it says none."""
        return None if self.file is None else slug_in(self.project)

    @property
    def state_dir(self) -> Path:
        """The project's folder `.detent`: store, objects, lock. `ensure_state_dir` makes it."""
        return self.root / STATE_DIR

    @property
    def database_path(self) -> Path | None:
        """The file of the embedded store, or None when the store is a server."""
        scheme, _, rest = self.database_url.partition("://")
        return self.root / rest.removeprefix("/") if scheme == "sqlite" else None


class Settings(NamedTuple):
    """A project's own table of settings, unchecked, and the file it stands in."""

    file: Path
    table: Mapping[str, Any]


def load_config(start: Path | None = None, env: Mapping[str, str] | None = None) -> Config:
    """Find the project that `start` belongs to, and read its settings.

    Parameters:
      start: a folder in the project. When None: the project is the folder that `DETENT_PROJECT_DIR` names,
        else the one that the current folder belongs to.
      env: the environment; `os.environ` when None. Empty variables count as not set.

    Raises:
      ConfigError: a file is not TOML, or a setting is unknown or of the wrong type.
    """
    variables = {name: value for name, value in (os.environ if env is None else env).items() if value}
    root = _root(start, variables.get("DETENT_PROJECT_DIR"))
    settings = read_settings(root)
    table = Table(settings.table if settings else {}, str(settings.file if settings else root))
    config = Config(
        root=root,
        file=settings.file if settings else None,
        project=table.text("project") or root.name or "project",
        dirs=_dirs(table, root),
        ignore_patterns=table.texts("ignore_patterns", DEFAULT_IGNORE),
        max_duration=table.seconds("max_duration", least=1.0),
        retries=_retries(table.table("retries")),
        machine=table.text("machine"),
        queues=_queues(table.table("queues")),
        concurrency_limit=table.count("concurrency_limit"),
        retention=table.seconds("retention", least=60.0),
        object_link_ttl=_object_link_ttl(table),
        worker=_worker(table.table("worker")),
        deploy=read_deploy_settings(table.table("deploy"), settings.file if settings else None),
        host=table.text("host") or DEFAULT_HOST,
        port=table.count("port", DEFAULT_PORT, least=0, most=65535),
        log_level=table.choice("log_level", LOG_LEVELS) or "info",
        redact=table.texts("redact", ()),
        rate_limit=_rate_limit(table, variables),
        public_url=_public_url(table, variables),
        api_url=_api_url(variables),
        project_slug=variables.get("DETENT_PROJECT"),
        environment=variables.get("DETENT_ENVIRONMENT"),
        secret_key=variables.get("DETENT_SECRET_KEY"),
        encryption_keys=_encryption_keys(variables),
        database_url=_database_url(variables, root),
        broker_url=_broker_url(variables),
        allow_insecure=_allow_insecure(table, variables),
        object_store_url=_object_store_url(variables, root),
        sqlite_sync=_sqlite_sync(variables),
        lease_ms=_lease_ms(variables),
        allow_private_webhooks=table.flag("allow_private_webhooks", default=False),
        smtp_url=variables.get("DETENT_SMTP_URL"),
        smtp_from=variables.get("DETENT_SMTP_FROM"),
    )
    table.refuse_the_rest()
    return config


def ensure_state_dir(config: Config) -> Path:
    """Make the project's state folder, readable by its owner alone and ignored by git. Returns it.

    Raises:
      ConfigError: the folder cannot be made.
    """
    folder = config.state_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the state folder {folder} cannot be made: {error.strerror}; "
            "make the project folder writable, or name another one in DETENT_PROJECT_DIR"
        ) from error
    return folder


def own_secrets(config: Config) -> list[str]:
    """The values of detent's own settings that nobody may read in a log or in an answer."""
    from detent.objects.address import secrets_of

    values = [config.secret_key, *config.encryption_keys, *secrets_of(config.object_store_url)]
    for url in (config.database_url, config.broker_url):
        if url and "@" in url:
            values.append(urlsplit(url).password)
    return [value for value in values if value]


def find_root(start: Path) -> Path:
    """The project's folder, from `start` upwards: the nearest one with settings; else with a state folder;
    else with a `pyproject.toml` or a repository; else `start` itself."""
    start = start.resolve()
    upwards = (start, *start.parents)
    for folder in upwards:
        # Most of the files on the way up belong to other projects: only those that name detent are parsed.
        if _settings_of(folder, only_with=b"detent") is not None:
            return folder
    # The home folder may hold a state folder that is no project's: what is started there by chance makes one.
    home = Path.home().resolve()
    for folder in upwards:
        if (folder / STATE_DIR).is_dir() and (folder == start or folder != home):
            return folder
    for folder in upwards:
        if (folder / "pyproject.toml").is_file() or (folder / ".git").exists():
            return folder
    return start


def read_settings(folder: Path) -> Settings | None:
    """The settings that stand in `folder` itself, or None when there are none.

    Raises:
      ConfigError: a file is not TOML, or both files hold settings.
    """
    return _settings_of(folder)


def _settings_of(folder: Path, only_with: bytes = b"") -> Settings | None:
    """The settings in `folder`; its `pyproject.toml` is passed over when it does not hold `only_with`."""
    own, shared = folder / "detent.toml", folder / "pyproject.toml"
    from_own = _parse(own)
    tool = _parse(shared, only_with)
    from_shared = None
    if tool is not None and isinstance(tool.get("tool"), dict):
        from_shared = tool["tool"].get("detent")
    if from_own is not None and from_shared is not None:
        raise ConfigError(f"both {own} and [tool.detent] in {shared} hold settings; keep one of them")
    if from_own is not None:
        return Settings(own, from_own)
    if from_shared is None:
        return None
    if not isinstance(from_shared, dict):
        raise ConfigError(f"{shared}: tool.detent is {from_shared!r}; expected a table: [tool.detent]")
    return Settings(shared, from_shared)


def _root(start: Path | None, named: str | None) -> Path:
    if start is not None:
        return find_root(start)
    if named is None:
        return find_root(Path.cwd())
    root = Path(named).expanduser().resolve()
    if not root.is_dir():
        raise ConfigError(f"DETENT_PROJECT_DIR is {named!r}; expected a folder that exists")
    return root


def _parse(file: Path, only_with: bytes = b"") -> dict[str, Any] | None:
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
        return None
    if only_with not in content:
        return None
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        place = _place_after(error.object[: error.start].decode("utf-8-sig"))
        raise ConfigError(f"{file} is not valid TOML: it is not UTF-8 (at {place})") from error
    except tomllib.TOMLDecodeError as error:
        end = _place_after(content.decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n"))
        what = str(error).replace("(at end of document)", f"(at {end}, the end of the file)")
        raise ConfigError(f"{file} is not valid TOML: {what}") from error


def _place_after(text: str) -> str:
    return f"line {text.count(chr(10)) + 1}, column {len(text) - text.rfind(chr(10))}"


def _dirs(table: Table, root: Path) -> tuple[Path, ...]:
    named = table.texts("dirs", None)
    if named is None:
        named = ("tasks",) if (root / "tasks").is_dir() else ()
    return tuple(Path(os.path.normpath(root / Path(name).expanduser())) for name in named)


def _retries(table: Table) -> RetryPolicy:
    retries = table.retry("default")
    larger = table.text("out_of_memory")
    if larger is not None:
        retries = replace(retries, out_of_memory=larger)
    table.refuse_the_rest()
    return retries


def _queues(table: Table) -> dict[str, QueueSettings]:
    queues = {}
    for name in table.names():
        queue = table.table(name)
        queues[name] = QueueSettings(
            concurrency_limit=queue.count("concurrency_limit", least=0),
            concurrency_limit_per_key=queue.count("concurrency_limit_per_key"),
        )
        queue.refuse_the_rest()
    return queues


def _worker(table: Table) -> WorkerSettings:
    usual = WorkerSettings()
    grace = table.seconds("stop_grace", least=0.0)
    warm = table.seconds("keep_warm", least=0.0)
    concurrency = table.count("concurrency")
    worker = WorkerSettings(
        threads=table.count("threads", concurrency or usual.threads),
        async_limit=table.count("async_limit", concurrency or usual.async_limit),
        processes=table.count("processes", usual.processes),
        stop_grace=usual.stop_grace if grace is None else grace,
        machines=table.texts("machines", ()),
        queues=table.texts("queues", ()),
        keep_warm=usual.keep_warm if warm is None else warm,
    )
    table.refuse_the_rest()
    return worker


def _api_url(env: Mapping[str, str]) -> str | None:
    url = env.get("DETENT_API_URL")
    if url is not None and not url.startswith(("http://", "https://")):
        raise ConfigError(f"DETENT_API_URL is {url!r}; expected http://HOST:PORT or https://HOST")
    return url.rstrip("/") if url else None


def _rate_limit(table: Table, env: Mapping[str, str]) -> Mapping[str, Rate] | None:
    set_here = table.text("rate_limit")
    named = env.get("DETENT_RATE_LIMIT")
    if named is not None:
        return read_rates(named, "DETENT_RATE_LIMIT")
    return None if set_here is None else read_rates(set_here, f"rate_limit in {table.file}")


def _encryption_keys(env: Mapping[str, str]) -> tuple[str, ...]:
    named = env.get("DETENT_ENCRYPTION_KEY", "").split(",")
    return tuple(key.strip() for key in named if key.strip())


def _public_url(table: Table, env: Mapping[str, str]) -> str | None:
    set_here = table.text("public_url")
    named, place = env.get("DETENT_PUBLIC_URL"), "DETENT_PUBLIC_URL"
    if named is None:
        named, place = set_here, f"public_url in {table.file}"
    if named is not None and not _IS_HTTP.fullmatch(named):
        raise ConfigError(f"{place} is {named!r}; expected http://HOST:PORT or https://HOST, without a query")
    return named.rstrip("/") if named else None


def _database_url(env: Mapping[str, str], root: Path) -> str:
    url = env.get("DETENT_DATABASE_URL") or f"sqlite:///{root / STATE_DIR / 'detent.db'}"
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in DATABASES:
        # The URL may hold a password, so only its scheme is shown.
        shown = f"its scheme is {scheme!r}" if separator else "it has no scheme"
        raise ConfigError(
            f"DETENT_DATABASE_URL cannot be used, {shown}; "
            "expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    if scheme == "sqlite" and not rest.removeprefix("/"):
        raise ConfigError(f"DETENT_DATABASE_URL is {url!r}, without a file; expected sqlite:///FILE")
    return url


def _broker_url(env: Mapping[str, str]) -> str | None:
    url = env.get("DETENT_BROKER_URL")
    if url is None or url == "embedded":
        return None
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in BROKERS:
        # The URL may hold a password, so only its scheme is shown.
        shown = f"its scheme is {scheme!r}" if separator else "it has no scheme"
        raise ConfigError(
            f"DETENT_BROKER_URL cannot be used, {shown}; expected redis://, rediss://, unix://, amqp:// or amqps://, "
            "or nothing for the embedded broker"
        )
    return url


def _allow_insecure(table: Table, env: Mapping[str, str]) -> bool:
    set_here = table.flag("allow_insecure", default=False)
    named = env.get("DETENT_ALLOW_INSECURE")
    if named is None:
        return set_here
    if named not in ("0", "1"):
        raise ConfigError(f"DETENT_ALLOW_INSECURE is {named!r}; expected 1 or 0")
    return named == "1"


def _object_store_url(env: Mapping[str, str], root: Path) -> str:
    named = env.get("DETENT_OBJECT_STORE_URL")
    if named is not None and _IS_URL.match(named):
        from detent.objects.address import read_address

        read_address(named)
        return named
    folder = root / named if named is not None else root / STATE_DIR / "objects"
    return Path(os.path.normpath(folder)).as_uri()


def _object_link_ttl(table: Table) -> float:
    seconds = table.seconds("object_link_ttl", least=1.0)
    if seconds is None:
        return LINK_S
    if seconds > LONGEST_LINK_S:
        raise ConfigError(f"{table.file}: object_link_ttl is {seconds:,.0f} s; the most is 7 days, as S3 has it")
    return seconds


def _sqlite_sync(env: Mapping[str, str]) -> str | None:
    value = env.get("DETENT_SQLITE_SYNC")
    if value is None:
        return None
    if value.upper() not in SQLITE_SYNC:
        raise ConfigError(f"DETENT_SQLITE_SYNC is {value!r}; expected one of {', '.join(SQLITE_SYNC)}")
    return value.upper()


def _lease_ms(env: Mapping[str, str]) -> int | None:
    value = env.get("DETENT_LEASE_MS")
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or int(value) < LEAST_LEASE_MS:
        raise ConfigError(f"DETENT_LEASE_MS is {value!r}; expected milliseconds, {LEAST_LEASE_MS} or more")
    return int(value)
