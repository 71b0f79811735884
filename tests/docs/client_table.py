"""The table of assistants in docs/assistants.md: ``python -m tests.docs.client_table`` writes it."""

from __future__ import annotations

from pathlib import Path

from detent_cli.assistants.clients import clients

PAGE = Path(__file__).parents[2] / "docs" / "assistants.md"
BEGIN, END = "<!-- clients: begin -->\n", "<!-- clients: end -->\n"


def table() -> str:
    """The rows: where an entry stands on Linux."""
    rows = ["| Id | Assistant | `user` | `project` | `local` |", "|---|---|---|---|---|"]
    for client in clients():
        cells = []
        for scope in ("user", "project", "local"):
            patterns = client.paths.get(scope, {}).get("any", [])
            shown = [pattern for pattern in patterns if "{own}" not in pattern]
            cells.append(f"`{_plain(shown[0])}`" if shown else "")
        rows.append(f"| `{client.id}` | {client.name} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _plain(pattern: str) -> str:
    for sign, path in {
        "{home}": "~",
        "{config}": "~/.config",
        "{code}": "~/.config/Code/User",
        "{project}/": "",
    }.items():
        pattern = pattern.replace(sign, path)
    return pattern


def page_with_table(text: str) -> str:
    """The page with the table as it is now."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
