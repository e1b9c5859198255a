"""The files of a version on its page: what they are, and what nobody has looked into yet."""

from __future__ import annotations

from tenure.manage import contents
from tenure.store.ground import Ground

from ..manage.test_contents import EVIL, version_with
from .conftest import Client


def test_the_page_says_what_is_dangerous_and_that_a_scan_permits_nothing(ground: Ground) -> None:
    info = version_with(ground, {"model.pkl": EVIL})
    path = f"/models/{info.name}/versions/{info.version}"
    assert "Nobody has looked into these files yet" in Client(ground).get(path).text
    contents.look_into(ground, info.name, info.version)
    page = Client(ground).get(path).text
    assert "posix.system" in page
    assert "evidence, never a permission" in page


def test_data_alone_is_said_to_be(ground: Ground) -> None:
    info = version_with(ground, {"model.ubj": b"{L\x00"})
    contents.look_into(ground, info.name, info.version)
    assert "These files hold data alone" in Client(ground).get(f"/models/{info.name}/versions/{info.version}").text
