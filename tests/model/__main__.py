"""`python -m tests.model` prints the report."""

import sys

from tests.model.report import main

sys.exit(main())
