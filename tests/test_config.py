from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from detent.config import Config, QueueSettings, WorkerSettings, ensure_state_dir, find_root, load_config
from detent.errors import ConfigError

EVERYTHING = """
project = "podcasts"
dirs = ["jobs", "more/one.py"]
ignore_patterns = ["drafts"]
max_duration = "5m"
retention = "30d"
machine = "gpu-l4"
concurrency_limit = 50
host = "0.0.0.0"
port = 0
log_level = "debug"

[retries.default]
max_attempts = 5
factor = 1.5
min_timeout = "500ms"
max_timeout = 30
randomize = false

[queues.llm]
concurrency_limit = 5
concurrency_limit_per_key = 1

[queues."openai calls"]

[worker]
threads = 16
async_limit = 200
processes = 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "podcasts-api"
    root.mkdir()
    (root / ".git").mkdir()
    return root


def load(root: Path, settings: str = "", **env: str) -> Config:
    (root / "detent.toml").write_text(settings, encoding="utf-8")
    return load_config(root, env)


def refusal(root: Path, settings: str = "", **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(root, settings, **env)
    return str(caught.value)


def test_a_project_without_settings_gets_the_usual_ones(project: Path) -> None:
    (project / "tasks").mkdir()

    config = load_config(project, {})

    assert (config.root, config.file, config.project) == (project, None, "podcasts-api")
    assert config.dirs == (project / "tasks",)
    assert config.max_duration is None
    assert config.retention is None
    assert (config.retries.max_attempts, config.retries.factor) == (3, 2.0)
    assert (config.retries.min_timeout, config.retries.max_timeout, config.retries.randomize) == (
        1.0,
        60.0,
        True,
    )
    assert (config.host, config.port, config.log_level) == ("127.0.0.1", 8377, "info")
    assert config.worker == WorkerSettings()
    assert config.database_path == project / ".detent" / "detent.db"
    assert config.object_store_url == (project / ".detent" / "objects").as_uri()
    assert (config.api_url, config.secret_key, config.broker_url, config.sqlite_sync) == (None,) * 4


def test_without_a_folder_named_tasks_there_are_no_dirs(project: Path) -> None:
    assert load_config(project, {}).dirs == ()


def test_every_setting_is_read(project: Path) -> None:
    config = load(project, EVERYTHING)

    assert (config.project, config.file) == ("podcasts", project / "detent.toml")
    assert config.dirs == (project / "jobs", project / "more" / "one.py")
    assert config.ignore_patterns == ("drafts",)
    assert config.max_duration == 300.0
    assert config.retention == 30 * 86_400
    assert config.machine == "gpu-l4"
    assert (config.concurrency_limit, config.host, config.port) == (50, "0.0.0.0", 0)
    assert config.log_level == "debug"
    assert (config.retries.max_attempts, config.retries.factor) == (5, 1.5)
    assert (config.retries.min_timeout, config.retries.max_timeout, config.retries.randomize) == (
        0.5,
        30.0,
        False,
    )
    assert config.queues == {"llm": QueueSettings(5, 1), "openai calls": QueueSettings()}
    assert config.worker == WorkerSettings(threads=16, async_limit=200, processes=2)


def test_settings_in_pyproject_are_the_same(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[project]\nname = "x"\n\n[tool.detent]\nproject = "podcasts"\n'
        "[tool.detent.queues.llm]\nconcurrency_limit = 5\n"
    )

    config = load_config(project, {})

    assert (config.project, config.file) == ("podcasts", project / "pyproject.toml")
    assert config.queues == {"llm": QueueSettings(5)}


def test_a_file_that_starts_with_a_byte_order_mark_is_read(project: Path) -> None:
    (project / "detent.toml").write_bytes(b'\xef\xbb\xbfproject = "podcasts"\r\n')

    assert load_config(project, {}).project == "podcasts"


def test_a_config_cannot_be_changed(project: Path) -> None:
    with pytest.raises(FrozenInstanceError):
        load_config(project, {}).port = 1  # type: ignore[misc]


class TestRoot:
    def test_settings_win_over_everything_nearer(self, project: Path) -> None:
        (project / "detent.toml").touch()
        inner = project / "services" / "api"
        (inner / ".detent").mkdir(parents=True)
        (inner / "pyproject.toml").write_text("[project]\n")

        assert find_root(inner) == project

    def test_the_nearest_settings_win(self, project: Path) -> None:
        (project / "detent.toml").touch()
        inner = project / "services"
        inner.mkdir()
        (inner / "pyproject.toml").write_text("[tool.detent]\n")

        assert find_root(inner) == inner

    def test_a_state_folder_wins_over_a_nearer_pyproject(self, project: Path) -> None:
        (project / ".detent").mkdir()
        inner = project / "services"
        inner.mkdir()
        (inner / "pyproject.toml").touch()

        assert find_root(inner) == project

    def test_a_state_folder_in_the_home_folder_makes_no_project_of_it(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(project.parent))
        (project.parent / ".detent").mkdir()

        assert find_root(project) == project

    def test_a_folder_in_a_repository_belongs_to_the_repository(self, project: Path) -> None:
        inner = project / "a" / "b"
        inner.mkdir(parents=True)

        assert find_root(inner) == project

    def test_the_environment_names_the_project_exactly(self, project: Path) -> None:
        (project / "detent.toml").touch()
        inner = project / "services"
        inner.mkdir()

        assert load_config(None, {"DETENT_PROJECT_DIR": str(inner)}).root == inner

    def test_a_named_project_that_is_no_folder_is_refused(self, project: Path) -> None:
        with pytest.raises(ConfigError, match=r"DETENT_PROJECT_DIR is .*nowhere.*expected a folder"):
            load_config(None, {"DETENT_PROJECT_DIR": str(project / "nowhere")})


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ('projct = "x"', ["detent.toml", "'projct'", "'project'"]),
            ("[worker]\nthread = 3", ["[worker]", "detent.toml", "'thread'", "'threads'"]),
            (
                "[retries.default]\nmaxAttempts = 3",
                ["detent.toml: retries.default", "'maxAttempts'", "max_attempts"],
            ),
            ("[retries]\ndefaults = {}", ["[retries]", "'defaults'", "'default'"]),
            ("[queues.llm]\nlimit = 3", ["[queues.llm]", "'limit'", "concurrency_limit"]),
        ],
    )
    def test_an_unknown_key_is_answered_with_near_names(self, project: Path, settings: str, words: list[str]) -> None:
        said = refusal(project, settings)
        assert all(word in said for word in words), said

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ("project = 3", ["project is 3 (a whole number)", "expected text"]),
            ('project = " "', ["project is ' ' (text)", "not empty"]),
            ('dirs = "tasks"', ["dirs is 'tasks' (text)", 'expected a list of texts, such as ["tasks"]']),
            ('max_duration = "5 minutes"', ["max_duration: '5 minutes' is not a length of time"]),
            ("retention = 0", ["retention is 0 (a whole number)", "60 s or more"]),
            ("max_duration = 0.5", ["max_duration is 0.5 (a number)", "1 s or more"]),
            ("max_duration = true", ["max_duration: got True (bool)"]),
            ("max_duration = inf", ["max_duration: inf is out of range"]),
            ('port = "80"', ["port is '80' (text)", "a whole number from 0 to 65535"]),
            ("port = 70000", ["port is 70000"]),
            ('log_level = "loud"', ["log_level is 'loud'", "debug, info, warn, error"]),
            ("worker = 3", ["worker is 3", "expected a table: [worker]"]),
            ("[worker]\nthreads = 0", ["worker.threads is 0", "of 1 or more"]),
            ("[queues]\nllm = 5", ["queues.llm is 5", "[queues.llm]"]),
            ("[retries]\ndefault = 3", ["retries.default is 3", "[retries.default]"]),
            ("[retries.default]\nrandomize = 1", ["retries.default.randomize: got 1"]),
            ("[retries.default]\nfactor = 0.5", ["retries.default.factor: got 0.5", "1 or more"]),
            (
                "[retries.default]\nmin_timeout = '2m'",
                ["retries.default.min_timeout: '2m' is longer than max_timeout"],
            ),
            ("project = \nport = 1", ["detent.toml is not valid TOML", "line 1"]),
        ],
    )
    def test_a_wrong_value_is_shown_with_what_was_expected(
        self, project: Path, settings: str, words: list[str]
    ) -> None:
        said = refusal(project, settings)
        assert "detent.toml" in said
        assert all(word in said for word in words), said

    def test_settings_in_two_files_are_refused(self, project: Path) -> None:
        (project / "pyproject.toml").write_text("[tool.detent]\n")
        assert "keep one of them" in refusal(project)

    @pytest.mark.parametrize(
        ("content", "place"),
        [
            (b"[tool.poetry\n", "line 1, column 13"),
            (b"[tool]\nx = [1,\n", "line 2, column 8"),
            (b'[tool]\nx = "\xff"\n', "line 2, column 6"),
        ],
    )
    def test_a_broken_pyproject_of_the_project_is_refused_with_its_place(
        self, project: Path, content: bytes, place: str
    ) -> None:
        (project / "pyproject.toml").write_bytes(content)

        with pytest.raises(ConfigError, match=f"pyproject.toml is not valid TOML: .*at {place}"):
            load_config(project, {})
        with pytest.raises(ConfigError, match=r"pyproject\.toml is not valid TOML"):
            load_config(None, {"DETENT_PROJECT_DIR": str(project)})

    def test_a_broken_pyproject_on_the_way_to_the_project_is_passed_over(self, project: Path) -> None:
        (project / "detent.toml").touch()
        inner = project / "services"
        inner.mkdir()
        (inner / "pyproject.toml").write_text("[broken")

        assert load_config(inner, {}).root == project

    def test_a_tool_entry_that_is_no_table_is_refused(self, project: Path) -> None:
        (project / "pyproject.toml").write_text("[tool]\ndetent = 3\n")
        with pytest.raises(ConfigError, match=r"pyproject.toml: tool.detent is 3; expected a table"):
            load_config(project, {})


class TestEnvironment:
    def test_it_names_server_key_and_stores(self, project: Path) -> None:
        config = load(
            project,
            DETENT_API_URL="https://detent.example/",
            DETENT_SECRET_KEY="dt_dev_x",
            DETENT_DATABASE_URL="postgresql://u:p@db/x",
            DETENT_BROKER_URL="redis://r",
            DETENT_OBJECT_STORE_URL="s3://bucket/prefix",
            DETENT_SQLITE_SYNC="full",
            DETENT_PUBLIC_URL="https://hooks.example/detent/",
        )

        assert (config.api_url, config.secret_key) == ("https://detent.example", "dt_dev_x")
        assert (config.database_url, config.database_path) == ("postgresql://u:p@db/x", None)
        assert (config.broker_url, config.object_store_url) == ("redis://r", "s3://bucket/prefix")
        assert config.sqlite_sync == "FULL"
        assert config.public_url == "https://hooks.example/detent"

    def test_the_public_address_of_the_environment_goes_before_that_of_the_file(self, project: Path) -> None:
        (project / "detent.toml").write_text('public_url = "https://a.example/"')
        assert load_config(project, {}).public_url == "https://a.example"
        assert load_config(project, {"DETENT_PUBLIC_URL": "https://b.example"}).public_url == "https://b.example"
        (project / "detent.toml").write_text('public_url = "a.example"')
        with pytest.raises(ConfigError, match=r"public_url in .*detent.toml is 'a.example'; expected http"):
            load_config(project, {})

    def test_secrets_are_not_in_the_printed_form(self, project: Path) -> None:
        config = load(project, DETENT_SECRET_KEY="hush", DETENT_DATABASE_URL="postgresql://u:hush@db/x")
        assert "hush" not in repr(config)

    def test_an_empty_variable_counts_as_not_set(self, project: Path) -> None:
        assert load(project, DETENT_API_URL="", DETENT_SQLITE_SYNC="").api_url is None

    def test_files_are_relative_to_the_project(self, project: Path) -> None:
        config = load(project, DETENT_DATABASE_URL="sqlite:///data/x.db", DETENT_OBJECT_STORE_URL="../objects")

        assert config.database_path == project / "data" / "x.db"
        assert config.object_store_url == (project.parent / "objects").as_uri()

    def test_an_absolute_file_stays_where_it_is(self, project: Path, tmp_path: Path) -> None:
        config = load(project, DETENT_DATABASE_URL=f"sqlite:///{tmp_path}/x.db")
        assert config.database_path == tmp_path / "x.db"

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("DETENT_API_URL", "localhost:8377", "expected http://HOST:PORT"),
            ("DETENT_PUBLIC_URL", "hooks.example", "expected http://HOST:PORT"),
            ("DETENT_PUBLIC_URL", "https://hooks.example/?a=1", "without a query"),
            ("DETENT_DATABASE_URL", "mysql://u:hush@h/x", "its scheme is 'mysql'"),
            ("DETENT_DATABASE_URL", "hush.db", "it has no scheme"),
            ("DETENT_DATABASE_URL", "sqlite:///", "without a file"),
            ("DETENT_SQLITE_SYNC", "sometimes", "expected one of OFF, NORMAL, FULL"),
            ("DETENT_LEASE_MS", "5s", "expected milliseconds, 1000 or more"),
            ("DETENT_LEASE_MS", "999", "expected milliseconds, 1000 or more"),
        ],
    )
    def test_a_value_that_cannot_be_used_is_refused_without_showing_secrets(
        self, project: Path, name: str, value: str, words: str
    ) -> None:
        said = refusal(project, **{name: value})
        assert name in said
        assert words in said
        assert "hush" not in said


def test_the_state_folder_is_private_and_ignores_itself(project: Path) -> None:
    config = load_config(project, {})

    assert ensure_state_dir(config) == ensure_state_dir(config) == project / ".detent"
    assert stat.S_IMODE(config.state_dir.stat().st_mode) == 0o700
    assert (config.state_dir / ".gitignore").read_text() == "*\n"


def test_a_state_folder_that_cannot_be_made_says_what_to_do(project: Path) -> None:
    (project / ".detent").write_text("in the way")

    with pytest.raises(ConfigError, match=r"\.detent cannot be made.*DETENT_PROJECT_DIR"):
        ensure_state_dir(load_config(project, {}))


def test_importing_the_configuration_loads_nothing_heavy() -> None:
    code = "import sys, detent.config; print({'pydantic', 'typer', 'httpx', 'dramatiq'} & sys.modules.keys())"
    env = {**os.environ, "PYTHONWARNINGS": "error"}
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
