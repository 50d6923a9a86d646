"""`python -m emulator`."""

from .options import parse
from .server import run

run(parse())
