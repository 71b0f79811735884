"""The MCP server of detent: filled by the release that brings it."""
