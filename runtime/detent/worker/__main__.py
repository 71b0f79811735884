"""A worker process: ``python -m detent.worker``, started and watched by a `Supervisor`."""

from __future__ import annotations

import sys
from typing import NoReturn

from .life import Life
from .process import arguments_of, prepare, serve


def main() -> NoReturn:
    """Run until the parent says so, or is gone."""
    options = arguments_of(sys.argv[1:])
    life = Life()
    serve(prepare(options.project), options, life)


if __name__ == "__main__":
    main()
