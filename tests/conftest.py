"""What every test may ask for: golden files, and how many examples hypothesis tries."""

import difflib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Each worker computes on one thread, or the workers of a small machine stand in each other's way.
# Set before torch is imported, which reads it once.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests leave max_examples to the profile; a costly one takes a fraction of
# settings.default.max_examples, so that `make soundness` deepens them all.
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # whole networks are slow to draw
settings.register_profile(
    "ci", max_examples=200, derandomize=True, deadline=None, suppress_health_check=_SLOW
)
settings.register_profile(
    "thorough",
    max_examples=int(os.environ.get("ARCHDSL_EXAMPLES", "20000")),
    deadline=None,
    print_blob=True,
    suppress_health_check=_SLOW,
)
settings.load_profile("thorough" if "ARCHDSL_EXAMPLES" in os.environ else "ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files of the tests run"
    )


TESTS = Path(__file__).parent

collect_ignore = ["golden"]  # goldens may be Python files; they are compared, not collected


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``golden(text, suffix=".py")`` compares a text with the file that bears this test's name.

    For tests/syntax/test_printer.py::test_round_trip[unet] that is
    tests/golden/syntax/printer/round_trip-unet.py. A test may hold several, one a suffix.
    With ``--update-golden`` the text is written instead.
    """
    place = _golden_place(request.node)
    asked: set[str] = set()

    def compare(text: str, suffix: str = ".txt") -> None:
        path = place.with_name(place.name + suffix)
        name = path.relative_to(TESTS.parent).as_posix()
        assert suffix not in asked, f"two texts of one test would share {name}"
        asked.add(suffix)
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        elif not path.is_file():
            pytest.fail(f"{name} is missing; `make golden` writes it", pytrace=False)
        else:
            expected = path.read_bytes().decode("utf-8")
            if text != expected:
                pytest.fail(_difference(name, expected, text), pytrace=False)

    return compare


def _golden_place(test: pytest.Item) -> Path:
    """Where a test's golden files stand, without their suffix."""
    module = test.path.relative_to(TESTS).with_name(test.path.stem.removeprefix("test_"))
    names = [name.removeprefix("test_") for name in test.nodeid.split("::")[1:]]
    return TESTS / "golden" / module / re.sub(r"[^\w.=+-]+", "-", "-".join(names)).strip("-")


def _difference(name: str, expected: str, actual: str) -> str:
    lines = difflib.unified_diff(
        expected.splitlines(), actual.splitlines(), name, "now", lineterm=""
    )
    shown = "\n".join(lines) or f"{name} differs in its line ends alone"
    return f"{shown}\n\nIf the new text is right: make golden, and read the difference."
