"""An uploaded file on its way to the canvas."""

import base64
import binascii
import logging
from typing import Any

from ..drawing.ink import encode_ink
from ..drawing.uploads import UploadError, read_upload
from .pictures import Source, data_url

log = logging.getLogger(__name__)


def uploaded(contents: str, name: str, side: int) -> tuple[dict[str, Any] | None, str]:
    """The picture store's content for a data URL from the browser, and what is wrong with it in one sentence."""
    try:
        content = base64.b64decode(contents.partition(",")[2], validate=True)
        picture = read_upload(content, name)
    except (UploadError, binascii.Error) as error:
        log.warning("Upload refused: %s", error)
        return None, str(error)
    return {
        "picture": data_url(picture, side),
        "note": f"{name}, to be drawn upon.",
        **Source(encode_ink(picture)).data,
    }, ""
