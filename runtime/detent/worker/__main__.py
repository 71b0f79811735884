"""A worker process: ``python -m detent.worker``, started and watched by a `Supervisor`."""

from __future__ import annotations

import sys
from typing import NoReturn

from .process import arguments_of, born, prepare, serve


def main() -> NoReturn:
    """Run until the parent says so, or is gone."""
    options = arguments_of(sys.argv[1:])
    life = born(options)
    serve(prepare(options.project, options.socket, options.env), options, life)


if __name__ == "__main__":
    main()
