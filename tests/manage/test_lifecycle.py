from tenure.manage import lifecycle


def test_a_registered_version_is_reviewed_and_approved():
    assert lifecycle.may_open("approve", "registered")
    assert lifecycle.when_opened("approve", "registered") == "in_review"
    assert lifecycle.when_ended("approve", "approved", "in_review") == "approved"


def test_what_was_taken_back_is_registered_again():
    assert lifecycle.when_ended("approve", "withdrawn", "in_review") == "registered"
    assert lifecycle.when_ended("approve", "invalidated", "in_review") == "registered"


def test_an_approved_version_is_suspended_and_comes_back():
    assert lifecycle.when_ended("suspend", "approved", "approved") == "suspended"
    assert lifecycle.may_open("approve", "suspended")
    assert lifecycle.when_ended("approve", "approved", "suspended") == "approved"
    assert lifecycle.when_ended("approve", "rejected", "suspended") == "suspended"


def test_retired_is_the_end():
    assert not any(lifecycle.may_open(kind, "retired") for kind in lifecycle.MAY_OPEN)


def test_a_promotion_is_not_opened():
    assert not lifecycle.may_open("promote", "approved")
