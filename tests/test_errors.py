"""Errors keep their meaning on the way from a worker to the flow, and every reason is described."""

from __future__ import annotations

import pickle

import pytest

from vfscreen.errors import REASONS, Failed, ItemError, ReasonCode, Rejected, Stage, State, StorageFull


@pytest.mark.parametrize(
    "error",
    [
        Rejected(Stage.LOCATE, ReasonCode.SPINE_NOT_FOUND),
        Failed(Stage.DECODE, ReasonCode.DECODE_FAILED, "frame 3"),
        ItemError(State.FAILED, Stage.READ, ReasonCode.TIMED_OUT, "600 s"),
    ],
)
def test_an_item_error_survives_pickling(error: ItemError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.state, again.stage, again.reason, again.message) == (
        error.state,
        error.stage,
        error.reason,
        error.message,
    )
    assert str(again) == str(error)


def test_a_site_error_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(StorageFull("free some space")))
    assert isinstance(again, StorageFull)
    assert str(again) == "free some space"


def test_every_reason_is_described() -> None:
    assert set(REASONS) == set(ReasonCode)
    assert all(text.endswith(".") for text in REASONS.values())
