"""The MCP server of detent: an assistant operates every part of it.

`detent mcp` serves it over standard input and output (`stdio`), a detent server serves it at ``/mcp`` (`http`).
"""
