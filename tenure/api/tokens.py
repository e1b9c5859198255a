"""Routes about tokens. Everybody sees and revokes their own; who administers, anybody's, and makes them for services.

They declare PUBLIC, since one's own account needs no role: nobody who is not signed in gets anything here.
"""

from __future__ import annotations

from litestar import get, post
from litestar.response import Response

from tenure import access
from tenure.deploy import routing
from tenure.manage import tokens
from tenure.records.people import Permission, Principal
from tenure.records.tokens import IssuedToken, NewToken, Token
from tenure.store.ground import Ground


@get("/api/v1/tokens", permission=Permission.PUBLIC, sync_to_thread=True)
def list_tokens(ground: Ground, principal: Principal, of: str | None = None) -> list[Token]:
    """Tokens, newest first, with those that are over: one's own, or for who administers those of all."""
    access.require_known(principal)
    return ground.database.read(lambda tx: tokens.search(tx, by=principal, principal=of))


@post("/api/v1/tokens", permission=Permission.PUBLIC, sync_to_thread=True)
def create_token(data: NewToken, ground: Ground, principal: Principal) -> Response[IssuedToken]:
    """Make a token for oneself, or for a service. The secret is in this answer and never shown again."""
    access.require_known(principal)
    issued = ground.database.write(lambda tx: tokens.create(tx, data, by=principal, now=ground.clock()))
    routing.publish(ground)
    return Response(issued, headers={"cache-control": "no-store"})


@post("/api/v1/tokens/{token_id:str}/revoke", permission=Permission.PUBLIC, sync_to_thread=True, status_code=200)
def revoke_token(token_id: str, ground: Ground, principal: Principal) -> Token:
    """Take a token's power away, everywhere, within a second."""
    access.require_known(principal)
    revoked = ground.database.write(lambda tx: tokens.revoke(tx, token_id, by=principal, now=ground.clock()))
    routing.publish(ground)
    return revoked


handlers = [list_tokens, create_token, revoke_token]
