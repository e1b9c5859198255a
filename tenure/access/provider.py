"""Signing in with an OpenID Connect provider: authorization code with PKCE, state and nonce; the ID token is verified.

What a sign-in needs to know again when the browser comes back travels in a cookie that the server's key vouches for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from tenure.errors import NotSignedIn, Unavailable
from tenure.records.base import SECOND_US, Instant

TIMEOUT_S = 10.0
LEEWAY_S = 60
PENDING_US = 10 * 60 * SECOND_US
KEYS_KEPT_S, KEYS_ASKED_AGAIN_S = 3600.0, 60.0
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a key of the provider's: never `none`, and never one that is made with our own secret."""


class Pending(msgspec.Struct, frozen=True):
    """A sign-in that was begun: what must come back, and where the person goes on to."""

    state: str
    nonce: str
    verifier: str
    going_to: str
    expires_at: int


class Told(NamedTuple):
    """What the provider says of a person. `subject` is theirs for good; the rest may change."""

    subject: str
    claims: dict[str, Any]


class Provider:
    """One provider. It is asked for its addresses and keys when they are first needed."""

    def __init__(self, issuer: str, client_id: str, secret: str, back: str) -> None:
        self.issuer = issuer.rstrip("/")
        self._given_issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._back = back
        self._asking = threading.Lock()
        self._addresses: dict[str, str] = {}
        self._keys: Any = None
        self._keys_at = -KEYS_KEPT_S

    def begin(self, going_to: str, now: Instant) -> tuple[str, Pending]:
        """Where to send the browser, and what to know again when it comes back."""
        pending = Pending(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            going_to=going_to,
            expires_at=now + PENDING_US,
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._back,
            "scope": "openid profile email",
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address = self._address("authorization_endpoint")
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", pending

    def finish(self, code: str, state: str, pending: Pending, now: Instant) -> Told:
        """Who came back, by a code that is exchanged once. Raises NotSignedIn, Unavailable."""
        if now >= pending.expires_at or not hmac.compare_digest(state.encode(), pending.state.encode()):
            raise NotSignedIn("This sign-in was not begun here, or took longer than ten minutes. Begin again.")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": pending.verifier,
        }
        basic = (self._client_id, self._secret) if self._secret else None
        if basic is None:
            form["client_id"] = self._client_id
        answer = self._ask("POST", self._address("token_endpoint"), data=form, auth=basic)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotSignedIn("The provider sent no ID token. Check the client's settings there.")
        return self._verified(token, pending.nonce, now)

    def _verified(self, token: str, nonce: str, now: Instant) -> Told:
        from joserfc import jwt
        from joserfc.errors import JoseError

        rules = jwt.JWTClaimsRegistry(
            now=now // SECOND_US,
            leeway=LEEWAY_S,
            iss={"essential": True, "values": [self._given_issuer, self.issuer]},
            aud={"essential": True, "value": self._client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._decoded(token).claims
            rules.validate(claims)
        except (JoseError, ValueError) as problem:
            raise NotSignedIn(f"The provider's ID token is not good: {problem}.") from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise NotSignedIn("The provider's ID token was made for another client.")
        return Told(str(claims["sub"]), claims)

    def _decoded(self, token: str) -> Any:
        """The token by the keys at hand, else by those of now: providers change their keys."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            return jwt.decode(token, self._key_set(KEYS_KEPT_S), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            return jwt.decode(token, self._key_set(KEYS_ASKED_AGAIN_S), algorithms=ALGORITHMS)

    def _key_set(self, at_most_s: float) -> Any:
        from joserfc.jwk import KeySet

        with self._asking:
            if self._keys is None or time.monotonic() - self._keys_at >= at_most_s:
                self._keys = KeySet.import_key_set(self._ask("GET", self._address("jwks_uri")))  # type: ignore[arg-type]
                self._keys_at = time.monotonic()
            return self._keys

    def _address(self, name: str) -> str:
        """One of the provider's addresses, as it publishes them itself."""
        if not self._addresses:
            found = self._ask("GET", f"{self.issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self.issuer:
                raise Unavailable(f"The provider at {self.issuer} calls itself {found.get('issuer')!r}.")
            self._addresses = {key: value for key, value in found.items() if isinstance(value, str)}
        address = self._addresses.get(name, "")
        if urlsplit(address).scheme != "https" and urlsplit(self.issuer).scheme == "https":
            raise Unavailable(f"The provider's {name} must begin with https://. Got {address!r}.")
        return address

    def _ask(self, method: str, address: str, **more: Any) -> dict[str, Any]:
        import httpx

        try:
            answer = httpx.request(method, address, timeout=TIMEOUT_S, follow_redirects=False, **more)
            found = answer.json()
        except (httpx.HTTPError, ValueError):
            raise Unavailable(f"The provider at {self.issuer} cannot be asked just now. Try again.") from None
        if answer.status_code != 200 or not isinstance(found, dict):
            told = found.get("error", "") if isinstance(found, dict) else ""
            raise NotSignedIn(f"The provider refused the sign-in ({answer.status_code} {told}). Begin again.")
        return found


def sealed(pending: Pending, secret: bytes) -> str:
    """A pending sign-in as the value of a cookie, vouched for by the server's key."""
    body = base64.urlsafe_b64encode(msgspec.json.encode(pending)).decode()
    return f"{body}.{_mac(body, secret)}"


def unsealed(value: str, secret: bytes) -> Pending | None:
    """What a cookie of ours holds; None for anything else."""
    body, _, mac = value.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(body, secret).encode()):
        return None
    return msgspec.json.decode(base64.urlsafe_b64decode(body), type=Pending)


def _mac(body: str, secret: bytes) -> str:
    return hmac.new(secret, b"tenure sso " + body.encode(), hashlib.sha256).hexdigest()
