"""What is told of this server, of its endpoints and of their versions, in the words of the Open Inference Protocol.

A model of the protocol is an endpoint here, since that is what clients score at; its versions are those that answer.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

from tenure.errors import Unavailable
from tenure.records.people import Permission, Principal
from tenure.serving.arms import Arm, Endpoint
from tenure.serving.columns import Inputs
from tenure.serving.protocols import tensors
from tenure.serving.routing import champion_of
from tenure.serving.scoring import Scoring, arm_of

EXTENSIONS = ["binary_tensor_data", "model_repository"]
PLATFORM = "tenure"
LOADING = "Nothing can be given to load: an endpoint serves the bytes that were approved."
UNLOADING = (
    "A version is taken out of service on the control port, where that is decided and audited: promote another one, or "
    "remove the endpoint. Nothing is unloaded here."
)


def server() -> dict[str, Any]:
    return {"name": "tenure", "version": metadata.version("tenure"), "extensions": EXTENSIONS}


def is_ready(endpoint: Endpoint, version: str) -> bool:
    """Whether the endpoint answers. Raises NotFound for a version that does not answer there."""
    if not endpoint.answering:
        return False
    return (arm_of(endpoint, version) if version else endpoint.champion).scorer.ready


def check_ready(endpoint: Endpoint, version: str) -> None:
    """Raise Unavailable unless the endpoint answers, NotFound for a version that does not answer there."""
    arm = arm_of(endpoint, version) if version else endpoint.champion
    if not arm.scorer.ready:
        raise Unavailable(f"Version {arm.release.version} of {arm.release.model} cannot answer: {arm.scorer.detail}.")


def not_ready(scoring: Scoring) -> int:
    """How many endpoints that have a champion cannot answer."""
    table = scoring.arms.table
    wanted = [name for name, route in table.routes.items() if champion_of(route) is not None]
    return sum(not is_ready(scoring.arms.endpoint(name), "") for name in wanted)


def model(endpoint: Endpoint, version: str, asked_for: Callable[[Endpoint, Arm], Inputs]) -> dict[str, Any]:
    """An endpoint's tensors as they are `asked_for`. Raises Unavailable without a champion: nobody knows them then."""
    arm = arm_of(endpoint, version) if version else endpoint.champion
    return {
        "name": endpoint.name,
        "versions": [str(one.release.version) for one in endpoint.answering],
        "platform": PLATFORM,
        "inputs": [
            {"name": column.name, "datatype": tensors.datatype_of(column), "shape": [-1, 1]}
            for column in asked_for(endpoint, arm).columns
        ],
        "outputs": outputs(arm),
        "properties": {"model": arm.release.model},
    }


def outputs(arm: Arm) -> list[dict[str, Any]]:
    """The outputs as the model's own example had them; none when it came without one."""
    if arm.scorer.answer is None:
        return []
    return [
        {"name": tensor.name, "datatype": tensor.datatype, "shape": [-1, *tensor.shape[1:]]}
        for tensor in tensors.outputs_of([arm.scorer.answer])
    ]


def index(scoring: Scoring, principal: Principal, *, only_ready: bool) -> list[dict[str, str]]:
    """Endpoints and their versions as the repository extension lists them, those that the principal may know of."""
    found = []
    for endpoint in scoring.arms.endpoints():
        if not (principal.may(Permission.READ, endpoint.model) or principal.may(Permission.SCORE, endpoint.model)):
            continue
        if not endpoint.answering and not only_ready:
            found.append({"name": endpoint.name, "version": "", "state": "UNAVAILABLE", "reason": endpoint.reason})
        for arm in endpoint.answering:
            state = "READY" if arm.scorer.ready else "UNAVAILABLE"
            if arm.scorer.ready or not only_ready:
                version = str(arm.release.version)
                found.append({"name": endpoint.name, "version": version, "state": state, "reason": arm.scorer.detail})
    return found
