"""The least that any server in Python must do: raw ASGI under uvicorn, msgspec, SQLite, no checks.

It decodes a metric, inserts it in a committed transaction, answers; a run it stores with one transaction a request.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from typing import Any

import msgspec
import uvicorn


class Metric(msgspec.Struct):
    key: str
    value: float
    timestamp: int
    run_id: str = ""
    step: int = 0


class Text(msgspec.Struct):
    key: str
    value: str


class Batch(msgspec.Struct):
    run_id: str
    metrics: list[Metric] = []
    params: list[Text] = []


class NewRun(msgspec.Struct):
    experiment_id: str
    start_time: int
    tags: list[Text] = []


def _row(run_id: str, one: Metric) -> tuple[Any, ...]:
    return run_id, one.key, one.value, one.timestamp, one.step


def floor(port: int, folder: str) -> None:
    metric, batch, new_run = (msgspec.json.Decoder(kind) for kind in (Metric, Batch, NewRun))
    database = sqlite3.connect(f"{folder}/floor.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE runs (run_id TEXT PRIMARY KEY, experiment_id TEXT, start_time INTEGER)")
    database.execute("CREATE TABLE metrics (run_id TEXT, key TEXT, value REAL, timestamp INTEGER, step INTEGER)")
    database.execute("CREATE TABLE texts (run_id TEXT, kind TEXT, key TEXT, value TEXT)")
    headers = [(b"content-type", b"application/json")]

    def log_metric(body: bytes) -> bytes:
        one = metric.decode(body)
        database.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?)", _row(one.run_id, one))
        return b"{}"

    def create(body: bytes) -> bytes:
        sent, run_id = new_run.decode(body), os.urandom(16).hex()
        database.execute("BEGIN")
        database.execute("INSERT INTO runs VALUES (?, ?, ?)", (run_id, sent.experiment_id, sent.start_time))
        tags = [(run_id, "tag", tag.key, tag.value) for tag in sent.tags]
        database.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", tags)
        database.execute("COMMIT")
        return msgspec.json.encode({"run": {"info": {"run_id": run_id}}})

    def log_batch(body: bytes) -> bytes:
        sent = batch.decode(body)
        database.execute("BEGIN")
        points = [_row(sent.run_id, one) for one in sent.metrics]
        database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?)", points)
        params = [(sent.run_id, "param", param.key, param.value) for param in sent.params]
        database.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", params)
        database.execute("COMMIT")
        return b"{}"

    handlers = {"log-metric": log_metric, "create": create, "log-batch": log_batch}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        handler = handlers.get(scope["path"].rsplit("/", 1)[-1])
        answer = handler(body) if handler else b"OK"
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": answer})

    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="error", access_log=False, lifespan="off")


if __name__ == "__main__":
    floor(int(sys.argv[1]), sys.argv[2])
