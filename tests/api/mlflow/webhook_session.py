"""What a team does with MLflow's client and webhooks: run as a program with the address of a server."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "between the two of us"
Got = list[tuple[dict[str, str], str]]


@contextlib.contextmanager
def receiver(answers: list[int]) -> Iterator[tuple[str, Got]]:
    """Takes messages on this machine; answers as told, then 200."""
    got: Got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers.items()), self.rfile.read(int(self.headers["content-length"])).decode()))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got
    server.shutdown()


def session(url: str) -> None:
    import mlflow

    client = mlflow.MlflowClient(url, url)
    with receiver([]) as (address, got):
        events = ["registered_model.created", "model_version_tag.set", "model_version_alias.created"]
        made = client.create_webhook("chat", address, [*events, "prompt.created"], description="d", secret=SECRET)
        assert (made.name, made.description, made.secret, str(made.status)) == ("chat", "d", None, "ACTIVE")
        assert [str(event) for event in made.events] == [*events, "prompt.created"]
        assert client.get_webhook(made.webhook_id).url == address
        assert made.webhook_id in [one.webhook_id for one in client.list_webhooks()]
        changed = client.update_webhook(made.webhook_id, name="talk", events=events, status="DISABLED")
        assert (changed.name, str(changed.status), len(changed.events)) == ("talk", "DISABLED", 3)
        client.create_registered_model("webhook-unheard")
        client.update_webhook(made.webhook_id, status="ACTIVE")
        tried = client.test_webhook(made.webhook_id, "model_version_tag.set")
        assert (tried.success, tried.response_status, tried.error_message) == (True, 200, None)
        client.create_registered_model("webhook-heard", tags={"a": "b"}, description="told")
        run = client.create_run("0")
        client.create_model_version("webhook-heard", run.info.artifact_uri, run.info.run_id)
        client.set_model_version_tag("webhook-heard", "1", "k", "v")
        client.set_registered_model_alias("webhook-heard", "nightly", "1")
        wait_until(lambda: len(got) == 4)
        for headers, body in got:
            check_signature(headers, body)
        told = [json.loads(body) for _, body in got]
        assert {one["entity"]: one["data"] for one in told[1:]} == {
            "registered_model": {"name": "webhook-heard", "tags": {"a": "b"}, "description": "told"},
            "model_version_tag": {"name": "webhook-heard", "version": "1", "key": "k", "value": "v"},
            "model_version_alias": {"name": "webhook-heard", "version": "1", "alias": "nightly"},
        }
        log = f"{url}/api/v1/webhooks/{made.webhook_id}/deliveries"
        wait_until(lambda: {one["state"] for one in json.load(urllib.request.urlopen(log))} == {"sent"})
        client.delete_webhook(made.webhook_id)
        assert made.webhook_id not in [one.webhook_id for one in client.list_webhooks()]
        refused(client.get_webhook, made.webhook_id)


def check_signature(headers: dict[str, str], body: str) -> None:
    """As MLflow signs it: by its own function, where its optional packages let it be imported."""
    moment = headers["X-MLflow-Timestamp"]
    assert abs(time.time() - int(moment)) < 60
    try:
        from mlflow.webhooks.delivery import _generate_hmac_signature as signature
    except ImportError:
        import base64
        import hashlib
        import hmac

        def signature(secret: str, delivery_id: str, timestamp: str, payload: str) -> str:
            signed = f"{delivery_id}.{timestamp}.{payload}".encode()
            return "v1," + base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()

    assert headers["X-MLflow-Signature"] == signature(SECRET, headers["X-MLflow-Delivery-Id"], moment, body)


def refused(call: Any, *given: Any) -> None:
    from mlflow.exceptions import MlflowException

    try:
        call(*given)
    except MlflowException as refusal:
        code = refusal.error_code
    else:
        code = "none"
    assert code == "RESOURCE_DOES_NOT_EXIST"


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not happen in 20 s"
        time.sleep(0.02)


if __name__ == "__main__":
    session(sys.argv[1])
    print("all done")
