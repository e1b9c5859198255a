"""A batch of messages is scored by the running gateway, over one connection that stays open.

Over HTTP and not in this process, so that a stream cannot come to other answers than an application: the same form of
the version, the same admission, the same journal, the same kill switch, and new releases without a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from tenure.errors import InvalidInput, ModelFailed, NotAdmitted, TenureError
from tenure.records.streams import Answered, Message, Settled
from tenure.sdk.client import Client

OF_THE_ROWS = (InvalidInput, NotAdmitted, ModelFailed)
"""What is wrong with a row itself: the same request will never be answered. Anything else is tried again, or ends."""

Refuse = Callable[[Message, TenureError], None]


class Scorer:
    """Scores messages at one endpoint. `requests` counts what was asked."""

    def __init__(self, client: Client, endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint
        self.requests = 0

    def score(self, messages: Sequence[Message], refuse: Refuse) -> Settled:
        """Answers of messages that may share a request; those that cannot be scored are handed to `refuse`.

        A request that is refused is halved until the message it is about stands alone. Raises Unavailable while nothing
        answers, and what says that this caller or endpoint is not the right one.
        """
        try:
            return Settled(answers=self._answers(messages))
        except OF_THE_ROWS as problem:
            if len(messages) == 1:
                refuse(messages[0], problem)
                return Settled()
        middle = len(messages) // 2
        halves = [self.score(half, refuse) for half in (messages[:middle], messages[middle:])]
        return Settled(answers=list(chain.from_iterable(half.answers for half in halves)))

    def _answers(self, messages: Sequence[Message]) -> list[Answered]:
        said = messages[0].said
        self.requests += 1
        answer = self._client.score(
            self._endpoint,
            [dict(one.said.row) for one in messages],
            event_time=[one.event_at for one in messages],
            reference=[one.key for one in messages],
            jurisdiction=said.jurisdiction,
            purpose=said.purpose,
            channel=said.channel,
            routing_key=said.routing_key,
            idempotent=True,
        )
        return [
            Answered(
                key=one.key,
                endpoint=self._endpoint,
                prediction=prediction,
                prediction_id=identifier,
                model_version=answer.version,
                event_at=one.event_at,
            )
            for one, prediction, identifier in zip(messages, answer.predictions, answer.prediction_ids, strict=True)
        ]
