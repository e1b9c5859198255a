"""Windows that come without their profiles are the same in everything else."""

from __future__ import annotations

import msgspec

from tenure.records.base import Instant
from tenure.store import windows
from tenure.store.ground import Ground

from ..web import samples


def test_a_bare_window_is_the_same_without_its_profile(each_ground: Ground) -> None:
    kept = [msgspec.structs.replace(one, profile=samples.make_profile()) for one in samples.make_year()[:3]]
    for one in kept:
        each_ground.database.write(lambda tx, one=one: windows.put(tx, one, Instant(1)))
    with each_ground.database.reading() as tx:
        whole = windows.search(tx, kept[0].endpoint)
        bare = windows.search(tx, kept[0].endpoint, bare=True)
    assert whole == kept[::-1]
    assert bare == [msgspec.structs.replace(one, profile=None) for one in whole]
    assert {type(one) for one in bare} == {type(kept[0])}
