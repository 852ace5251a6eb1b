"""The service with a failpoint armed: ``python armed_service.py POINT`` runs ``retinagate up`` and dies at that point."""

import sys

from casebook import failpoints
from gateway.cli import main

failpoints.arm(sys.argv[1])
main(["up"])
