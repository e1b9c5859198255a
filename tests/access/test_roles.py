"""What roles permit, and how a token narrows it."""

from __future__ import annotations

import pytest

from tenure.manage import roles
from tenure.records.people import Permission, Principal, RoleHeld
from tenure.records.tokens import Token

P = Permission


def held(*names: str) -> list[RoleHeld]:
    """`engineer@late` is a role for one model."""
    return [
        RoleHeld(role=role, since_at=1, model=model or None)
        for role, _, model in (name.partition("@") for name in names)
    ]


def person(*names: str, solo: bool = False) -> Principal:
    return roles.principal_of("ada", "person", held(*names), solo=solo)


@pytest.mark.parametrize(
    ("names", "permissions"),
    [
        ((), set()),
        (("reader",), {P.READ}),
        (("scorer",), {P.READ, P.SCORE, P.OUTCOME}),
        (("data-scientist",), {P.READ, P.TRACK}),
        (("engineer",), {P.READ, P.TRACK, P.SCORE, P.OUTCOME, P.MANAGE}),
        (("auditor",), {P.READ, P.AUDIT}),
        (("steward",), {P.READ, P.PROTECT}),
        (("admin",), {P.READ, P.ADMINISTER, P.AUDIT}),
        (("validator",), {P.READ, P.SIGN}),
        (("validator", "scorer"), {P.READ, P.SIGN, P.SCORE, P.OUTCOME}),
    ],
)
def test_roles_permit_what_the_page_says(names: tuple[str, ...], permissions: set[Permission]):
    assert person(*names).permissions == permissions | {P.PUBLIC}


def test_in_solo_mode_a_person_without_a_working_role_may_work():
    assert person("validator", solo=True).permissions == roles.IN_SOLO
    assert person("reader", solo=True).permissions == {P.PUBLIC, P.READ}
    assert P.TRACK not in person("reader@late", solo=True).permissions


def test_a_role_for_one_model_holds_there_alone():
    ada = person("reader", "engineer@late")
    assert ada.may(P.MANAGE, "late")
    assert not ada.may(P.MANAGE, "fraud")
    assert not ada.may(P.MANAGE)
    assert ada.may_somewhere(P.MANAGE)
    assert ada.models(P.MANAGE) == {"late"}
    assert ada.models(P.READ) is None


def test_a_service_never_signs():
    ci = roles.principal_of("ci", "service", held("validator", "validator@late"))
    assert not ci.may_somewhere(P.SIGN)
    assert ci.may(P.READ)


def token(*permissions: Permission, models: tuple[str, ...] = ()) -> Token:
    return Token(
        token_id="t",
        principal="ada",
        label="x",
        permissions=list(permissions),
        models=list(models),
        created_by="ada",
        created_at=1,
        expires_at=2,
    )


def test_a_token_gives_no_more_than_its_principal_has_and_never_signing():
    shown = roles.restricted(person("validator", "reader", "engineer@late"), token(P.READ, P.MANAGE, P.SIGN, P.AUDIT))
    assert shown.permissions == {P.PUBLIC, P.READ}
    assert shown.on == {"late": {P.PUBLIC, P.READ, P.MANAGE}}
    assert shown.token == "t"


def test_a_token_for_some_models_gives_nothing_elsewhere():
    shown = roles.restricted(person("engineer", "auditor@fraud"), token(P.READ, P.SCORE, models=("late",)))
    assert shown.permissions == {P.PUBLIC}
    assert shown.on == {"late": {P.PUBLIC, P.READ, P.SCORE}}
