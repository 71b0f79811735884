"""A worker process: ``python -m detent.worker``, started and watched by a `Supervisor`."""

from __future__ import annotations

import sys
from typing import NoReturn

from .fork_loop import fork_server_beside
from .process import arguments_of, born, prepare, serve


def main() -> NoReturn:
    """Run until the parent says so, or is gone."""
    options = arguments_of(sys.argv[1:])
    life = born(options)
    prepared = prepare(options.project)
    # Now, while there are no threads: then it need not start an interpreter and import the tasks when it is wanted.
    server = fork_server_beside(prepared, options, life) if options.parent is None else None
    serve(prepared, options, life, server)


if __name__ == "__main__":
    main()
