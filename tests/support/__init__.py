"""What tests and programs share: servers, accounts, files and what a response has to be like."""

from pathlib import Path

import pytest

#: A failing assert shows its values here too. Run before any of them is imported.
pytest.register_assert_rewrite(
    *(f"{__name__}.{file.stem}" for file in Path(__file__).parent.glob("[a-z]*.py"))
)
