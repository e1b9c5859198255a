"""An OpenID Connect provider for tests, on Authlib: `python provider.py PORT`. PKCE is required and checked.

Who signs in is the JSON of their claims in the query's `who`; what is wrong with the ID token, if anything, in `wrong`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "tenure", "provider-secret"
issuer = f"http://127.0.0.1:{sys.argv[1]}"
key, stranger = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))
codes: dict[str, Any] = {}


class Client:
    """The one client there is."""

    client_id = CLIENT

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, uri: str) -> bool:
        return uri.endswith("/sso/callback")

    def check_client_secret(self, secret: str) -> bool:
        return secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, kind: str) -> bool:
        return kind == "code"

    def check_grant_type(self, kind: str) -> bool:
        return kind == "authorization_code"


class Code:
    """What a code stands for, as Authlib asks for it."""

    def __init__(self, asked: Any, who: str) -> None:
        self.redirect_uri, self.who = asked.args["redirect_uri"], who
        self.nonce, self.wrong = asked.args.get("nonce"), asked.args.get("wrong", "")
        self.code_challenge = asked.args.get("code_challenge")
        self.code_challenge_method = asked.args.get("code_challenge_method")

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return "openid"


class Codes(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]

    def save_authorization_code(self, code: str, asked: Any) -> None:
        codes[code] = Code(request, asked.user)

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        codes.pop(next(code for code, one in codes.items() if one is authorization_code))

    def authenticate_user(self, authorization_code: Code) -> Code:
        return authorization_code


def id_token(code: Code) -> str:
    now = int(time.time())
    claims = {"iss": issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": code.nonce, **json.loads(code.who)}
    header, signing = {"alg": "RS256", "kid": "one"}, key
    if code.wrong == "key":
        signing = stranger
    elif code.wrong == "algorithm":
        return jwt.encode({"alg": "none"}, claims, key, algorithms=["none"])
    elif code.wrong:
        other = {"iss": "http://evil.example", "aud": "other", "nonce": "other", "exp": now - 120}
        claims[code.wrong] = other[code.wrong]
    return jwt.encode(header, claims, signing)


def make_token(grant_type: str, client: Client, user: Code, **_: Any) -> dict[str, Any]:
    return {"token_type": "Bearer", "access_token": "x", "expires_in": 60, "id_token": id_token(user)}


app = Flask(__name__)
server = AuthorizationServer(
    app, query_client=lambda name: Client() if name == CLIENT else None, save_token=lambda *_: None
)
server.register_grant(Codes, [CodeChallenge(required=True)])
server.register_token_generator("default", make_token)


@app.get("/.well-known/openid-configuration")
def configuration() -> Response:
    paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
    return jsonify({"issuer": issuer, **{name: f"{issuer}/{path}" for name, path in paths.items()}})


@app.get("/jwks")
def jwks() -> Response:
    return jsonify({"keys": [key.as_dict(private=False)]})


@app.get("/authorize")
def authorize() -> Any:
    grant = server.get_consent_grant(end_user=request.args["who"])
    return server.create_authorization_response(grant_user=request.args["who"], grant=grant)


@app.post("/token")
def token() -> Any:
    return server.create_token_response()


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
