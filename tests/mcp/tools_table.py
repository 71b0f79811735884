"""The table of tools in docs/mcp.md, made of the tools themselves: ``python -m tests.mcp.tools_table`` writes it."""

from __future__ import annotations

from tests.docs.blocks import ROOT

from detent_mcp.catalogue import all_tools
from detent_mcp.settings import TOOLSETS
from detent_mcp.tool import Tool

PAGE = ROOT / "docs" / "mcp.md"
BEGIN, END = "<!-- tools: begin -->\n", "<!-- tools: end -->\n"
_EFFECTS = {"reads": "reads", "writes": "changes", "destroys": "changes, may lose something"}


def table() -> str:
    """The tools by toolset."""
    parts = []
    for toolset in TOOLSETS:
        tools = [tool for tool in all_tools() if tool.toolset == toolset and not tool.stands_in]
        if tools:
            rows = "\n".join(_row(tool) for tool in tools)
            parts.append(f"### {toolset}\n\n| Tool | For | Arguments | |\n|---|---|---|---|\n{rows}\n")
    return "\n" + "\n".join(parts) + "\n"


def _row(tool: Tool) -> str:
    names = " ".join(f"`{each.name}`" for each in tool.own)
    about = tool.description.replace("|", "&#124;")
    return f"| `{tool.name}` | {about} | {names} | {_EFFECTS[tool.effect]} |"


def page_with_table() -> str:
    """The page as it is to be."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with_table(), encoding="utf-8")
