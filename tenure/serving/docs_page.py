"""An endpoint's docs page: one file of HTML, no outside resource, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from html import escape

import msgspec

from tenure.serving import openapi_v2
from tenure.serving.openapi import ERRORS, Described, body_of

STYLE = """
:root { color-scheme: light dark; --ink:#1c2430; --soft:#5b6675; --line:#dfe4ea; --paper:#fff; --field:#f5f7f9;
  --mark:#0b6e5f; --mark-soft:#e2f2ee; }
@media (prefers-color-scheme: dark) { :root { --ink:#e7ebf0; --soft:#9aa7b6; --line:#2c3541; --paper:#12171d;
  --field:#1a2129; --mark:#5fd0b8; --mark-soft:#153029; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--paper); color:var(--ink);
  font:16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width:54rem; margin:0 auto; padding:2.5rem 1.25rem 4rem; }
h1 { font-size:1.9rem; line-height:1.2; margin:0 0 .25rem; letter-spacing:-.01em; }
h2 { font-size:1.15rem; margin:2.4rem 0 .6rem; }
p { margin:.4rem 0 1rem; max-width:44rem; }
.soft { color:var(--soft); }
.call { display:flex; gap:.6rem; align-items:center; flex-wrap:wrap; margin:1.2rem 0 0; padding:.7rem .9rem;
  border:1px solid var(--line); border-radius:.5rem; background:var(--field); }
.verb { background:var(--mark); color:var(--paper); font-weight:650; font-size:.8rem; padding:.15rem .5rem;
  border-radius:.3rem; letter-spacing:.03em; }
code, pre { font:.875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.call code { overflow-wrap:anywhere; }
figure { position:relative; margin:.4rem 0 1rem; }
pre { margin:0; padding:1rem; overflow-x:auto; background:var(--field); border:1px solid var(--line);
  border-radius:.5rem; }
button { position:absolute; top:.5rem; right:.5rem; font:inherit; font-size:.8rem; padding:.2rem .65rem; cursor:pointer;
  color:var(--mark); background:var(--paper); border:1px solid var(--line); border-radius:.35rem; }
button:hover, button:focus-visible { border-color:var(--mark); background:var(--mark-soft); }
.wide { overflow-x:auto; }
table { width:100%; border-collapse:collapse; }
th, td { text-align:left; padding:.45rem .75rem .45rem 0; border-bottom:1px solid var(--line); vertical-align:top; }
th { font-size:.8rem; color:var(--soft); font-weight:600; }
a { color:var(--mark); }
"""
SCRIPT = """
for (const button of document.querySelectorAll("button")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
"""


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


POLICY = (
    f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
]
KINDS = {
    "double": "number",
    "float": "number, 32 bits",
    "long": "whole number",
    "integer": "whole number, 32 bits",
    "string": "text",
    "boolean": "true or false",
    "datetime": "date, ISO 8601",
}
ERROR_EXAMPLE = {
    "error": {
        "code": "invalid_input",
        "message": "Column 'distance' must hold numbers. Got text in row 0.",
        "where": "dataframe_records[0].distance",
    },
    "error_code": "INVALID_PARAMETER_VALUE",
    "message": "Column 'distance' must hold numbers. Got text in row 0.",
}


def page(described: Described) -> bytes:
    """The page as UTF-8."""
    title = escape(described.endpoint)
    content = "".join(
        (
            _head(described),
            _section("Try it", _try_it(described), _code(curl(described))),
            _section("From Python", "", _code(python(described))),
            _section("By the Open Inference Protocol", V2_TEXT, _code(curl_v2(described))),
            _section("The answer", ANSWER_TEXT, _code(_json({"predictions": [described.answer]}, indent=2))),
            _section("Columns", _columns_text(described), _columns(described)),
            _section("Beside the rows", "", BESIDE),
            _section("When something is wrong", ERROR_TEXT, _code(_json(ERROR_EXAMPLE, indent=2)) + _errors()),
        )
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · Tenure</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main>{content}</main><script>{SCRIPT}</script></body></html>"
    ).encode()


ANSWER_TEXT = (
    "One prediction per row, in the order of the rows. The header <code>Tenure-Prediction-Id</code> names the request: "
    "row <em>k</em> is <code>&lt;id&gt;:k</code>, and outcomes are told by it. <code>Tenure-Model-Version</code> is "
    "the version that answered."
)
V2_TEXT = (
    "Version 2 of it, as KServe and Triton speak it, with tensors in JSON or in bytes after it, and over gRPC where "
    "the operator opened a port for it."
)
ERROR_TEXT = (
    "Every error has one shape, says what must be, what was got and where, and never repeats your data. "
    "Answers 429 and 503 carry <code>Retry-After</code>: nothing was answered, so trying again is safe."
)
BESIDE = (
    '<div class="wide"><table><thead><tr><th>Field</th><th>Meaning</th></tr></thead><tbody>'
    "<tr><td><code>event_time</code></td><td>When it happened: ISO 8601 or microseconds since 1970, one for all rows "
    "or a list. Left out, it is now.</td></tr>"
    "<tr><td><code>reference</code></td><td>Your own name of each row, a list of texts. Outcomes may be told by it "
    "instead of by the prediction id.</td></tr>"
    "<tr><td><code>params</code></td><td>Parameters of the model's own signature, as in MLflow.</td></tr>"
    "<tr><td><code>Tenure-Routing-Key</code></td><td>A header: the same key is answered by the same version while a "
    "challenger takes a share of the traffic.</td></tr>"
    "<tr><td><code>Tenure-Idempotent</code></td><td>A header, <code>true</code>: a row with the same reference and "
    "event time is the same prediction, however often it is sent.</td></tr></tbody></table></div>"
)


def curl(described: Described) -> str:
    """A shell command that works when it is pasted: single quotes, and those inside the JSON as unicode escapes."""
    body = _json(body_of(described)).replace("'", "\\u0027")
    return _curl(described.url, body)


def _curl(url: str, body: str) -> str:
    return f"curl -s {url} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"


def curl_v2(described: Described) -> str:
    """The same row as tensors."""
    body = _json(openapi_v2.example(described.row, described.columns)).replace("'", "\\u0027")
    url = described.url.removesuffix(f"/endpoints/{described.endpoint}/invocations")
    return _curl(f"{url}/v2/models/{described.endpoint}/infer", body)


def python(described: Described) -> str:
    """A script that works when it is pasted; standard library only."""
    rows = _json([described.row], indent=2)
    quoted = repr(rows) if "\\" in rows or '"""' in rows else f'"""{rows}"""'
    return f"""import json
from urllib.request import Request, urlopen

rows = json.loads({quoted})
request = Request("{described.url}",
                  json.dumps({{"dataframe_records": rows}}).encode(),
                  {{"Content-Type": "application/json"}})
with urlopen(request) as answer:
    print(json.load(answer)["predictions"], answer.headers["Tenure-Prediction-Id"])"""


def _head(described: Described) -> str:
    return (
        f"<h1>{escape(described.endpoint)}</h1>"
        f'<p class="soft">Answered by version {described.version} of <strong>{escape(described.model)}</strong> · '
        f'<a href="openapi.json">OpenAPI document</a></p>'
        f'<div class="call"><span class="verb">POST</span><code>{escape(described.url)}</code></div>'
    )


def _section(title: str, text: str, content: str) -> str:
    return f"<h2>{title}</h2>{f'<p>{text}</p>' if text else ''}{content}"


def _try_it(described: Described) -> str:
    if described.tried:
        return "Paste it as it is: this row came with the model, and the model has answered it."
    return "The model came without an example, so these values are made up by type. Put real ones in their place."


def _columns_text(described: Described) -> str:
    if not described.columns:
        return "This version has no signature: it takes any columns of plain values, the same in every row."
    return f"Up to {described.max_rows:,} rows per request. A category that the model has never seen is allowed."


def _columns(described: Described) -> str:
    if not described.columns:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(column.name)}</code></td><td>{escape(KINDS.get(column.type, column.type))}</td>"
        f"<td>{'yes' if column.required else 'may be null or left out'}</td>"
        f"<td><code>{escape(_json(described.row.get(column.name)))}</code></td></tr>"
        for column in described.columns
    )
    head = "<thead><tr><th>Column</th><th>Holds</th><th>Required</th><th>Example</th></tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{rows}</tbody></table></div>'


def _errors() -> str:
    rows = "".join(f"<tr><td>{status}</td><td>{escape(told)}</td></tr>" for status, told in ERRORS.items())
    head = "<thead><tr><th>Status</th><th>Meaning</th></tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{rows}</tbody></table></div>'


def _code(text: str) -> str:
    return f'<figure><pre>{escape(text)}</pre><button type="button">Copy</button></figure>'


def _json(value: object, indent: int = 0) -> str:
    encoded = msgspec.json.encode(value)
    return (msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()
