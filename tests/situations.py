"""Fleets as they are after some time, for tests that go on from there."""

from __future__ import annotations

from shared.errors import Refused, Unavailable
from shared.model import Source
from tests.builders import DAY, HOUR, a_spec
from tests.fakes import World

AWAY = Source("build-bot", "fabrikam")
SILENT = Unavailable("Silence.", reason="remote.silent", answered=False)
FORBIDDEN = Refused("No.", reason="secret.refused")

TILL_DUE = 20 * DAY  # a PAT of 30 days with a margin of 10 days is certainly due after these
OVERLAP = 2 * DAY


def a_settled_world() -> World:
    """One PAT, issued by a first run; it is an hour old."""
    world = World()
    world.run()
    world.clock.advance(HOUR)
    return world


def a_rotated_world() -> tuple[World, str, str]:
    """One PAT, due and rotated an hour ago: its predecessor is in overlap."""
    world = a_settled_world()
    old = world.current()
    world.clock.advance(TILL_DUE)
    world.run()
    world.clock.advance(HOUR)
    return world, old, world.current()


def a_moved_world() -> tuple[World, str]:
    """One PAT that moved to another organisation an hour ago; its predecessor lives on at home."""
    world = a_settled_world()
    old = world.current()
    world.want(a_spec(organization=AWAY.organization))
    world.run()
    world.clock.advance(HOUR)
    return world, old
