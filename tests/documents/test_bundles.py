"""PDFs out of archives: taken apart within bounds."""

from __future__ import annotations

import io
import zipfile

import pytest

from bcapp.documents.bundles import unpack
from bcapp.errors import RefusedByUs

PDF = b"%PDF-1.7\n..."


def packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_archives_and_single_files() -> None:
    content = packed(**{"2024/Ann.pdf": PDF, "__MACOSX/._Ann.pdf": b"x", ".DS_Store": b"x", "2024/": b""})
    assert unpack([("all.zip", content), ("C:\\signed\\Bo.PDF", PDF + b"2")]) == {"ann.pdf": PDF, "bo.pdf": PDF + b"2"}


@pytest.mark.parametrize(
    ("uploads", "says"),
    [([("a.pdf", b"MZ")], "“a.pdf” is not a PDF"), ([("a.zip", packed(x=b"MZ"))], "“x” is not a PDF"),
     ([("a.pdf", PDF), ("b.zip", packed(**{"A.pdf": PDF + b"2"}))], "Two different files are called “a.pdf”"),
     ([("a.zip", packed(bomb=PDF + b"\x00" * (11 << 20)))], "more than 10 MB"),
     ([("a.zip", packed(**{f"{n}.pdf": PDF + b"\x00" * (9 << 20) for n in range(8)}))], "more than 60 MB together"),
     ([("a.zip", packed(**{f"{n}.pdf": PDF for n in range(2001)}))], "more than 2,000 PDFs"),
     ([("a.zip", packed(a=PDF)[:-30] + b"\x00" * 30)], "is not a PDF|cannot be read")],
)  # fmt: skip
def test_what_is_refused(uploads: list[tuple[str, bytes]], says: str) -> None:
    with pytest.raises(RefusedByUs, match=says):
        unpack(uploads)
