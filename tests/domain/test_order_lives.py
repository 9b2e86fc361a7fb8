"""Lives of orders at random: the machine of support/order_life.py, a few of them. Many more:
tests/system/order_lives.py.
"""

from conftest import Api
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from support.order_life import People, lives

FEW = settings(
    max_examples=6,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_whatever_happens_to_an_order_everything_adds_up(api: Api):
    run_state_machine_as_test(lives(People(api)), settings=FEW)
