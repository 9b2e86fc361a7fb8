"""Runs last: what the document describes has been seen, all of it."""

import os
from pathlib import Path

import pytest
from conftest import Api
from support.documented import Documented, add_kept, documented

from marketplace.contract.errors import PROBLEMS

pytestmark = pytest.mark.alone
#: What the database refuses already (tests/database), and calls will come to: options and variants, blocked products,
#: orders. A code goes from here with the first call that returns it.
NOT_YET: set[str] = set()


@pytest.fixture
def seen(api: Api, request: pytest.FixtureRequest) -> Documented:
    """What this process has seen and, where several share the suite, the others."""
    config, folder = request.config, os.environ.get("SUITE_FOLDER")
    asked = config.option.keyword or config.option.lf or (config.option.markexpr and not folder)
    if config.args != config.getini("testpaths") or asked or "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("only a part of the suite was run")
    known = documented(api.config)
    if folder:
        add_kept(known, Path(folder))
    return known


def test_every_operation_of_the_document_was_answered(seen):
    described = {
        call["operationId"]
        for calls in seen.document["paths"].values()
        for method, call in calls.items()
        if method != "parameters"
    }
    assert described - seen.called == set()


def test_every_code_of_a_problem_came_back_once(seen):
    assert set(PROBLEMS) - seen.codes == NOT_YET
