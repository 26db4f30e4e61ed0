"""`booper openapi`: the description of the API, for machines or as a page."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import Parameter

from booper.api.app import document
from booper.api.reference import written


def openapi(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Print the API of this Booper: the page of /api/reference, or the document behind it.

    Parameters
    ----------
    json
        OpenAPI 3.1 as JSON, as /api/openapi.json has it.
    """
    found = document()
    print(msgspec.json.format(msgspec.json.encode(found)).decode() if json else written(found))
