"""``python -m muster`` is the command `muster`."""

import sys

from muster._cli import main

sys.exit(main())
