"""Bodies as they are sent: JSON, text, forms, multipart with files, bytes."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from app.components.errors import NodeError

_LONGEST: Final = 32 * 1024 * 1024
_MEDIA_TYPE: Final = re.compile(
    r"[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+(; ?[0-9A-Za-z_-]+=[^\r\n\";]+)*"
)
_BYTES: Final = "application/octet-stream"

Written = tuple[bytes | None, str | None]


def write_body(body: Any, form: str) -> Written:
    """Return the bytes to send and their content type; (None, None) without a body.

    :param form: ``auto``, ``json``, ``text``, ``form``, ``multipart`` or ``binary``.
    :raises NodeError: ``body_not_json``, ``body_not_form``, ``body_not_base64``,
        ``file_not_valid``, ``body_too_large``; quotes nothing of the body.
    """
    if body is None or (body == "" and form != "text"):
        return None, None
    if form == "form":
        written: Written = (
            urlencode(list(_pairs(body))).encode(), "application/x-www-form-urlencoded",
        )
    elif form == "multipart":
        written = _write_multipart(body)
    elif form == "binary":
        written = _write_bytes(body)
    else:
        written = _write_text(body, form)
    if written[0] is not None and len(written[0]) > _LONGEST:
        raise NodeError(
            "body_too_large", f"The body is longer than {_LONGEST // 1024**2} MiB. Send less."
        )
    return written


def _write_text(body: Any, form: str) -> Written:
    if isinstance(body, str) and form != "json":
        return body.encode(), "text/plain; charset=utf-8"
    if isinstance(body, str):
        try:
            json.loads(body)
        except (ValueError, RecursionError) as error:
            line = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
            raise NodeError(
                "body_not_json",
                f"The body isn't JSON{line}. Correct it, or set the body format to text.",
            ) from None
        return body.encode(), "application/json"
    kind = "text/plain; charset=utf-8" if form == "text" else "application/json"
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), kind


def _fields(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and values of a form; a list repeats its name, null leaves it out."""
    if isinstance(body, str):
        # Typed into the inspector, an object is text.
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            body = None
    if not isinstance(body, Mapping):
        raise NodeError(
            "body_not_form", "A form's body has to be an object of names and values."
        )
    for name, value in body.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                yield name, one


def _pairs(body: Any) -> Iterator[tuple[str, str]]:
    for name, value in _fields(body):
        if isinstance(value, dict | list):
            raise NodeError(
                "body_not_form",
                "A form takes texts, numbers and lists of them. Files and objects go into "
                "multipart or JSON.",
            )
        yield name, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _write_multipart(body: Any) -> Written:
    boundary = f"tacit-{secrets.token_hex(16)}"
    parts = bytearray()
    for name, value in _fields(body):
        head = f'form-data; name="{_quoted(name)}"'
        if isinstance(value, dict):
            data, kind, filename = read_file(value)
            head += f'; filename="{_quoted(filename or "file")}"'
        elif isinstance(value, list):
            raise NodeError("body_not_form", "A multipart body takes no lists in lists.")
        else:
            data, kind = _text(value).encode(), ""
        parts += f"--{boundary}\r\nContent-Disposition: {head}\r\n".encode()
        parts += f"Content-Type: {kind}\r\n".encode() if kind else b""
        parts += b"\r\n" + data + b"\r\n"
    parts += f"--{boundary}--\r\n".encode()
    return bytes(parts), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    """Write a name as browsers do, so that it can't end its line or its quotes."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _write_bytes(body: Any) -> Written:
    if isinstance(body, Mapping):
        data, kind, _ = read_file(body)
        return data, kind
    if not isinstance(body, str):
        raise NodeError("body_not_base64", "The body has to be base64, or a file.")
    return _decoded(body), _BYTES


def read_file(file: Mapping[str, Any]) -> tuple[bytes, str, str]:
    """Return a file's bytes, media type and name: ``{filename, content_type, text | base64}``.

    :raises NodeError: ``file_not_valid``, ``body_not_base64``.
    """
    text, encoded = file.get("text"), file.get("base64")
    kind, name = file.get("content_type") or "", file.get("filename") or ""
    known = isinstance(kind, str) and isinstance(name, str)
    if not known or isinstance(text, str) is isinstance(encoded, str):
        raise NodeError(
            "file_not_valid",
            "A file is an object with text or base64, and may have filename and content_type.",
        )
    if kind and not _MEDIA_TYPE.fullmatch(kind):
        raise NodeError("file_not_valid", "A file's content_type is one such as image/png.")
    if isinstance(text, str):
        return text.encode(), kind or "text/plain; charset=utf-8", name
    return _decoded(str(encoded)), kind or _BYTES, name


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NodeError(
            "body_not_base64", "The body isn't base64. Encode it, or choose another body format."
        ) from None
