"""Answers that are charts: SVG for a picture, a Vega-Lite specification for the browser's own drawing."""

from __future__ import annotations

from litestar import Response

from tenure.errors import InvalidInput
from tenure.store.ground import Ground
from tenure.web.chart_data import WIDTHS, ChartData, Look, Theme
from tenure.web.pictures import Form, pictures_of

MEDIA: dict[Form, str] = {"svg": "image/svg+xml", "spec": "application/json"}
HEADERS = {
    # An SVG that is opened by itself is a document: it may style itself and do nothing else.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def drawn(ground: Ground, name: str, data: ChartData, *, form: Form, theme: Theme, width: int) -> Response[str]:
    """A chart at one of `WIDTHS`. Raises InvalidInput for another width, Unavailable when it cannot be drawn."""
    if width not in WIDTHS:
        raise InvalidInput(f"The width of a chart must be one of {', '.join(map(str, WIDTHS))}. Got {width}.")
    text, _ = pictures_of(ground).chart(name, data, Look(theme=theme, width=width), form)
    return Response(text, media_type=MEDIA[form], headers=HEADERS)


__all__ = ["Form", "Theme", "drawn"]
