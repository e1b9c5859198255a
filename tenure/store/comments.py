"""Comments on change requests as stored: added, never changed."""

from __future__ import annotations

import sqlalchemy as sa

from tenure.records.changes import Comment
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.comments.c


def add(tx: Transaction, comment: Comment) -> None:
    """Store a comment."""
    tx.execute(
        sa.insert(tables.comments).values(
            comment_id=comment.comment_id,
            change_id=comment.change_id,
            person_id=comment.person,
            text=comment.text,
            at=comment.at,
        )
    )


def of_change(tx: Transaction, change_id: str) -> list[Comment]:
    """A change's comments, oldest first."""
    query = sa.select(tables.comments).where(_column.change_id == change_id)
    return [
        Comment(comment_id=row.comment_id, change_id=row.change_id, person=row.person_id, text=row.text, at=row.at)
        for row in tx.execute(query.order_by(_column.at, _column.comment_id))
    ]
