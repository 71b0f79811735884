"""Messages of alerts in words, for channels that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.duration import format_duration

__all__ = ["facts", "mail_text", "slack_body", "title"]

#: Characters of a title; Slack takes no longer header.
_TITLE_CHARS = 150
#: Characters of one fact.
_FACT_CHARS = 1_000

_NEWS = {
    "first_seen": "seen for the first time",
    "regression": "came back after it had been resolved",
    "unignored": "came back after it had been ignored",
}


def title(body: Mapping[str, Any]) -> str:
    """One line that says what happened."""
    data = body["data"]
    match body["type"]:
        case "run.failed":
            error = data.get("error", {})
            many = len(data.get("matters", [])) > 1
            said = "different errors" if many else f"{error.get('type')}: {error.get('message')}"
            text = f"{_times(data['count'], 'failure')}: {said}"
        case "run.completed":
            text = f"{_times(data['count'], 'run')} completed: {', '.join(data.get('tasks', {}))}"
        case "deployment.finished":
            deployment = data.get("deployment", {})
            text = f"Deployment {deployment.get('version') or ''} {deployment.get('status') or 'finished'}"
        case "queue.too_long":
            text = f"Queue {data.get('queue')} is too long: more than {data.get('threshold'):,} runs wait"
        case "worker.none":
            text = f"No worker is connected, {_times(data.get('queued', 0), 'run')} waiting"
        case _:
            text = "A test of this alert"
    line = " ".join(f"[{body['env']}] {text}".split())
    return line if len(line) <= _TITLE_CHARS else f"{line[: _TITLE_CHARS - 1]}…"


def facts(body: Mapping[str, Any]) -> dict[str, str]:
    """What else there is to say, by name."""
    data = body["data"]
    run, error = data.get("run") or {}, data.get("error") or {}
    found = {
        "What is new": "; ".join(_NEWS[name] for name in data.get("news", []) if name in _NEWS),
        "Errors": ", ".join(data["matters"]) if len(data.get("matters", [])) > 1 else "",
        "Error": error.get("id", "") if len(data.get("matters", [])) <= 1 else "",
        "Tasks": ", ".join(f"{task} ({count:,})" for task, count in data.get("tasks", {}).items()),
        "Runs": ", ".join(data.get("runs", [])),
        "Status": run.get("status", ""),
        "First": str(data["first_at"]),
        "Last": str(data["last_at"]) if data["last_at"] != data["first_at"] else "",
        "Lasts for": format_duration(data["lasted_ms"]) if "lasted_ms" in data else "",
        "Reason": str((data.get("deployment") or {}).get("error") or ""),
        "Alert": f"{body['alert']['name']} ({body['alert']['id']})",
    }
    return {name: fact[:_FACT_CHARS] for name, fact in found.items() if fact}


def slack_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """What an incoming webhook of Slack takes. All texts are plain, so that no error message mentions anybody."""
    fields = [{"type": "plain_text", "text": f"{name}: {fact}", "emoji": False} for name, fact in facts(body).items()]
    return {
        "text": _escaped(title(body)),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title(body), "emoji": False}},
            *({"type": "section", "text": field} for field in fields),
        ],
    }


def mail_text(body: Mapping[str, Any]) -> str:
    """The text of an e-mail."""
    lines = [title(body), "", *(f"{name}: {fact}" for name, fact in facts(body).items())]
    return "\n".join(lines) + "\n"


def _times(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
