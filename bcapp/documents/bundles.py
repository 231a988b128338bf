"""PDFs that come in a ZIP archive or one by one: taken apart within bounds, looked at no further than what they are."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence

from bcapp.core.imports import file_key
from bcapp.errors import RefusedByUs

MOST_FILES = 2_000
MOST_FILE_BYTES = 10 << 20
MOST_BYTES = 60 << 20  # unpacked, all together


def unpack(uploads: Sequence[tuple[str, bytes]]) -> dict[str, bytes]:
    """Return the PDFs by their name, lower case and without folders.

    uploads: (file name, content) of PDFs and ZIP archives. Raises RefusedByUs for what is neither, for a name that
    stands there twice with different contents, and for more than we take.
    """
    found: dict[str, bytes] = {}
    total = 0
    for name, content in uploads:
        for inner, pdf in _parts(name, content):
            key = file_key(inner)
            if found.get(key, pdf) != pdf:
                raise RefusedByUs(f"Two different files are called “{key[:80]}”. Give them different names.")
            total += len(pdf)
            found[key] = pdf
            if len(found) > MOST_FILES:
                raise RefusedByUs(f"There are more than {MOST_FILES:,} PDFs. Import them in parts.")
            if total > MOST_BYTES:
                raise RefusedByUs(f"The PDFs have more than {MOST_BYTES >> 20} MB together. Import them in parts.")
    return found


def _parts(name: str, content: bytes) -> list[tuple[str, bytes]]:
    if not zipfile.is_zipfile(io.BytesIO(content)) or content.startswith(b"%PDF-"):
        return [(name, _pdf(name, content))]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [
                (info.filename, _pdf(info.filename, _read(archive, info)))
                for info in archive.infolist()
                if not info.is_dir() and not _is_hidden(info.filename)
            ]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as exc:
        raise RefusedByUs(f"The archive “{name[:80]}” cannot be read. Pack it again as a plain ZIP file.") from exc


def _is_hidden(name: str) -> bool:
    """Tell what systems put into archives by themselves."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return a member's content; what it announces is not believed."""
    if info.flag_bits & 1:
        raise RefusedByUs("The archive is locked with a password. Pack it again without.")
    with archive.open(info) as member:
        content = member.read(MOST_FILE_BYTES + 1)
    return content


def _pdf(name: str, content: bytes) -> bytes:
    if len(content) > MOST_FILE_BYTES:
        raise RefusedByUs(f"“{name[:80]}” has more than {MOST_FILE_BYTES >> 20} MB.")
    if not content.startswith(b"%PDF-"):
        raise RefusedByUs(f"“{name[:80]}” is not a PDF.")
    return content
