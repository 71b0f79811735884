"""What words of a question mean in the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

__all__ = ["joined_too", "synonyms", "terms_of"]

#: Words of a question that are looked for, and characters of it that are read.
MOST_TERMS, MOST_CHARS = 16, 2_000
_LONGEST = 40

_WORD = re.compile(r"[^\W_]+")
_JOINED = re.compile(r"(?<!\w)[^\W_]++(?:-[^\W_]++)+")
_STOP = frozenset(
    """a about above am an and any are as at be been but by can could detent did do does doing for from get gets
    give had has have having here how however i if in into is isn it its just like make makes may me might my need needs
    no not of on one only or other our out own please s same should show so some such t than that the their them then
    there these they this those through to too up us use used using very want was way we were what when where which
    while who why will with without work works would you your""".split()  # noqa: SIM905  # one word beside the other
)

#: What is said in two words, and is one on the pages.
_SPOKEN = {
    "log in": "login",
    "sign in": "login",
    "set up": "setup",
    "time out": "timeout",
    "timed out": "timeout",
    "roll back": "rollback",
    "back off": "backoff",
    "fan out": "fanout",
}

#: Words that askers and pages use for the same. Each word of a line stands for all others of it.
_SAME = """
abort cancel cancellation kill stop terminate
alert alarm notify notification slack email
approval approve human hitl waitpoint token
assistant claude codex cursor mcp copilot
audio speech tts voice
backoff retry retries reattempt
all batch bulk many every
batch fan fanout parallel map
bucket blob s3 object objects
chunk split
config configuration settings pyproject toml
crash crashed killed died oom segfault
cron schedule schedules scheduled recurring periodic daily nightly hourly
curl http rest api
dashboard ui
db database postgres postgresql sqlite
debounce coalesce
dedupe duplicate duplicates deduplicate idempotency idempotent twice once
delay later postpone future
deploy deployment release promote rollback version
dev develop local locally
dict payload input argument arguments parameters
docker container compose kubernetes systemd selfhost hosting
enqueue trigger start launch submit
env environment variable variables dotenv
error errors exception failure fail failed failing traceback
event listener hook hooks callback
exactly guarantee guarantees durable durability
file files
frontend browser javascript react
gpu machine machines cpu
install installation setup begin init quickstart
job task tasks function workflow
key keys token tokens auth authentication permission scope
limit limits concurrency throttle throttling quota
log logs logger logging print stdout
login signin account
memory ram oom
metric metrics prometheus monitoring grafana
migrate migration move upgrade
organisation organization org team people
output result results return
pause paused hold suspend
priority urgent order
progress metadata status
purge retention delete cleanup remove
queue queues
rate ratelimit throttle
redis rabbitmq broker
replay rerun again fork
repeat repeated again twice
resume unpause continue
secret secrets redact redaction password
sleep wait waits
stream streaming sse realtime subscribe live
subtask child children nested
tag tags label labels
test tests testing pytest unittest mock
thread threads sync blocking
timeout timeouts duration deadline hang hanging stuck
trace span spans telemetry opentelemetry otel
type schema pydantic validation validate
webhook webhooks callback
worker workers process processes
"""


@cache
def _groups() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in _SAME.strip().splitlines():
        words = line.split()
        for word in words:
            groups.setdefault(word, set()).update(words)
    return {word: frozenset(words - {word}) for word, words in groups.items()}


def synonyms(word: str) -> frozenset[str]:
    """Other words for `word`; none when it is not known."""
    return _groups().get(word, frozenset())


def terms_of(question: str) -> list[str]:
    """The words to look for, each once, in lower case. Those that say nothing are left out, unless there are no
    others."""
    text = question[:MOST_CHARS].lower()
    text = " ".join([text, *(word for spoken, word in _SPOKEN.items() if spoken in text)])
    words = [*_WORD.findall(text), *(word.replace("-", "") for word in _JOINED.findall(text))]
    return list(dict.fromkeys(_telling(words) or (word[:_LONGEST] for word in words)))[:MOST_TERMS]


def joined_too(text: str) -> str:
    """The text, and each word with hyphens once more without them: ``time-out`` is found by ``timeout`` as well."""
    return f"{text}\n{' '.join(word.replace('-', '') for word in _JOINED.findall(text))}"


def _telling(words: Iterable[str]) -> list[str]:
    return [word for word in words if word not in _STOP and (1 < len(word) <= _LONGEST or word.isdigit())]
