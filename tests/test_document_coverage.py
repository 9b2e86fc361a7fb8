"""Runs last: what the document describes has been seen, all of it."""

import pytest
from conftest import Api
from documented import documented

from marketplace.contract.errors import PROBLEMS


@pytest.fixture
def seen(api: Api, request: pytest.FixtureRequest):
    config = request.config
    if config.args != config.getini("testpaths") or config.option.keyword or config.option.lf:
        pytest.skip("only a part of the suite was run")
    return documented(api.config)


def test_every_operation_of_the_document_was_answered(seen):
    described = {
        call["operationId"]
        for calls in seen.document["paths"].values()
        for method, call in calls.items()
        if method != "parameters"
    }
    assert described - seen.called == set()


def test_every_code_of_a_problem_came_back_once(seen):
    assert set(PROBLEMS) - seen.codes == set()
