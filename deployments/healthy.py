"""Whether all is well: `python -m deployments.healthy ADDRESS…` ends with 0 if every address answers, else with 1.

The health check of the container image and of compose.yaml. It asks twice a minute and uses the standard library alone.
"""

from __future__ import annotations

import sys
from urllib.request import ProxyHandler, build_opener

_PATIENCE_SECONDS = 5.0


def main() -> int:
    """Ask every address; say which one is not well."""
    here = build_opener(ProxyHandler({}))
    for address in sys.argv[1:]:
        try:
            here.open(address, timeout=_PATIENCE_SECONDS).close()
        except OSError as error:  # an answer of 400 or more is one of these, too
            print(f"{address}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
