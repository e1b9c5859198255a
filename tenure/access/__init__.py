"""The one gate that every face stands behind: who is asking, and may they.

Default deny: a route that declares no permission stops the server from starting (`check_declared`), and so does a route
about one model that does not say which. What may be done where is answered by `require` from frozen sets alone.
"""

from __future__ import annotations

from tenure.access.declared import Declared, check_declared, require, require_known
from tenure.access.gate import ALL_BUT_SIGN, ANYBODY, OWNER, READER, Gate
from tenure.access.requests import COOKIE, CSRF_FIELD, CSRF_HEADER, SAFE_METHODS, csrf_of_form, session_token
from tenure.access.sessions import SESSION_US, Session, Sessions
from tenure.access.subjects import ALERT, CHANGE, ENDPOINT, LISTED, MODEL, RETRAINING, Subject, models_of, of_model

__all__ = [
    "ALERT",
    "ALL_BUT_SIGN",
    "ANYBODY",
    "CHANGE",
    "COOKIE",
    "CSRF_FIELD",
    "CSRF_HEADER",
    "ENDPOINT",
    "LISTED",
    "MODEL",
    "OWNER",
    "READER",
    "RETRAINING",
    "SAFE_METHODS",
    "SESSION_US",
    "Declared",
    "Gate",
    "Session",
    "Sessions",
    "Subject",
    "check_declared",
    "csrf_of_form",
    "models_of",
    "of_model",
    "require",
    "require_known",
    "session_token",
]
