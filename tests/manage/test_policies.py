import msgspec
import pytest

from tenure.manage import gates, policies
from tenure.records.base import Instant
from tenure.records.facts import ApprovalFact, ArtifactFact, BaselineFact, CardFact, Facts, FeatureFact

NOW = Instant(1_750_000_000_000_000)


def make_feature(name: str = "wind", **told: object) -> FeatureFact:
    standing = {
        "type": "double",
        "declared": True,
        "available": "at_scoring",
        "kind": None,
        "semantic": None,
        "source": None,
        "forbidden": False,
        "forbidden_because": "",
    }
    return msgspec.convert({"name": name, **standing, **told}, FeatureFact)


def make_facts(**told: object) -> Facts:
    good = Facts(
        model="late",
        version=1,
        jurisdictions=["US"],
        purpose="warn",
        authors=["ada"],
        model_file_digest="sha256:f",
        features=[make_feature()],
        card=CardFact(revision=1, digest="sha256:c", missing=[]),
        baseline=BaselineFact(
            digest="sha256:p", rows=10, columns_missing=[], has_scores=True, judged_rows=5, roc_auc=0.7
        ),
        artifact=ArtifactFact(digest="sha256:a", file_count=2, intact=True, problems=[]),
    )
    return msgspec.structs.replace(good, **told)


def failed(facts: Facts, gate: str = "approve") -> dict[str, str]:
    return {rule.rule: rule.explanation for rule in gates.judge(gate, facts, NOW).rules if not rule.passed}


def test_the_published_policy_is_what_it_was():
    """A published version is immutable: a change of a rule needs another version, and a new line here."""
    assert (policies.VERSION, policies.digest()) == (
        "tenure-baseline@1",
        "sha256:18c3950c995c3e182c892491b13a9d1154f2227cb8441a1c6741a07ba315fd7e",
    )


def test_complete_facts_pass():
    evaluation = gates.judge("approve", make_facts(), NOW)
    assert evaluation.passed
    assert [rule.explanation for rule in evaluation.rules] == [""] * 5


@pytest.mark.parametrize("fact", ["features", "card", "baseline", "artifact"])
def test_a_missing_fact_fails_with_an_explanation(fact: str):
    explanations = failed(make_facts(**{fact: None}))
    assert explanations
    assert all(text.endswith((".", "`.")) for text in explanations.values())


def test_a_feature_that_is_known_too_late_fails_by_name():
    facts = make_facts(features=[make_feature(), make_feature("dep_delay", available="after_departure")])
    assert failed(facts) == {
        "known-at-scoring": "known-at-scoring: Feature 'dep_delay' is known only 'after_departure'; "
        "train without it, or declare `available: at_scoring` if it is known by then."
    }


def test_a_feature_that_nobody_declared_fails():
    undeclared = make_feature("dd", declared=False, available=None, forbidden=None)
    explanations = failed(make_facts(features=[undeclared]))
    assert set(explanations) == {"known-at-scoring", "not-forbidden"}
    assert "does not declare 'dd'" in explanations["known-at-scoring"]


def test_a_forbidden_feature_fails_with_its_reason():
    facts = make_facts(features=[make_feature("age", forbidden=True, forbidden_because="policy P-12")])
    assert "Feature 'age' is forbidden in US: policy P-12" in failed(facts)["not-forbidden"]


def test_a_model_without_input_columns_fails():
    assert "Log it with a signature" in failed(make_facts(features=[]))["known-at-scoring"]


def test_bytes_that_nobody_read_fail():
    unread = ArtifactFact(digest="sha256:a", file_count=2, intact=None, problems=[])
    assert set(failed(make_facts(artifact=unread))) == {"bytes-pinned"}


def test_bytes_that_changed_fail_and_are_named():
    changed = ArtifactFact(digest="sha256:a", file_count=2, intact=False, problems=["model.pkl is not there"])
    assert "model.pkl is not there" in failed(make_facts(artifact=changed))["bytes-pinned"]


@pytest.mark.parametrize(
    ("approval", "rules"),
    [
        (("approved", True, True), set()),
        (("in_review", True, True), {"approved"}),
        (("approved", False, True), {"artifact-as-approved"}),
        (("approved", True, False), {"baseline-as-approved"}),
        (("suspended", False, False), {"approved"}),
    ],
)
def test_only_what_was_approved_is_released(approval: tuple[str, bool, bool], rules: set[str]):
    state, artifact, baseline = approval
    fact = ApprovalFact(required=True, state=state, artifact_unchanged=artifact, baseline_unchanged=baseline)
    assert set(failed(make_facts(approval=fact), "deploy")) == rules


def test_a_release_without_approval_facts_fails():
    assert set(failed(make_facts(), "deploy")) == {"approved", "artifact-as-approved", "baseline-as-approved"}


def test_the_same_facts_have_the_same_digest():
    first, second = (gates.judge("approve", make_facts(), Instant(at)) for at in (1, 2))
    assert first.facts_digest == second.facts_digest
