"""The program of a render or read process: jobs in on standard input, results out, bounded, with nothing to steal.

It is run by its path, isolated (`python -I`), with an empty environment and imports nothing of the app. A frame is
four bytes of length of a JSON head, the head, and the blobs whose lengths the head gives. Source: none, our own.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import resource
import struct
import sys
import unicodedata
from typing import Any, BinaryIO

MEMORY_BYTES = 256 << 20  # beyond what the started process has mapped already
MAX_TEXT = 20_000_000  # characters of one PDF's text
MISSING_GLYPH = re.compile(r'the text `"(.*?)"` could not be displayed', re.DOTALL)


class Refused(Exception):
    """The input is not acceptable; the first word is a code, the rest is for a person."""


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Return head and blobs; raise EOFError when the other side is gone."""
    (size,) = struct.unpack(">I", read_exactly(stream, 4))
    head: dict[str, Any] = json.loads(read_exactly(stream, size))
    return head, [read_exactly(stream, n) for n in head["blobs"]]


def write_frame(stream: BinaryIO, head: dict[str, Any], blobs: list[bytes]) -> None:
    text = json.dumps({**head, "blobs": [len(b) for b in blobs]}).encode()
    stream.write(b"".join((struct.pack(">I", len(text)), text, *blobs)))
    stream.flush()


# Setting -------------------------------------------------------------------------------------------------------


def render(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Set one template with its data; the PDF is PDF/A-2b, so a character without a glyph is an error, not a gap.

    Such characters are replaced by □ and reported, then it is set once more.
    """
    import typst

    data = json.loads(blobs[0])
    missing: set[str] = set()
    for _ in range(4):
        try:
            pdf = _compile(typst, head, data)
            return {"missing": "".join(sorted(missing))}, [pdf]
        except typst.TypstError as exc:
            new = {c for found in MISSING_GLYPH.findall(_messages(exc)) for c in _unescape(found)}
            new = {c for c in new if ord(c) > 0x7F and c != "□"} - missing
            if not new:
                raise Refused(f"typst {exc.message[:500]}") from exc
            missing |= new
            data = _replace(data, str.maketrans({c: "" if unicodedata.category(c) == "Cf" else "□" for c in missing}))
            data["missing"] = True
    raise Refused("typst too many characters that cannot be printed")


def pictures(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Set one template and return its first pages as PNG, and how many pages there are."""
    import typst

    try:
        made = _compiler(typst, head, json.loads(blobs[0])).compile(format="png", ppi=head["ppi"])
    except typst.TypstError as exc:
        raise Refused(f"typst {exc.message[:500]}") from exc
    pages = made if isinstance(made, list) else [made]
    return {"pages": len(pages)}, pages[: head["most"]]


_fonts: Any = None


def _compile(typst: Any, head: dict[str, Any], data: dict[str, Any]) -> bytes:
    compiler = _compiler(typst, head, data)
    pdf: bytes = compiler.compile(format="pdf", timestamp=head["timestamp"], pdf_standards=["a-2b"], pdf_tags=False)
    return pdf


def _compiler(typst: Any, head: dict[str, Any], data: dict[str, Any]) -> Any:
    global _fonts
    if _fonts is None:
        _fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=head["fonts"])
    return typst.Compiler(
        os.path.join(head["root"], head["template"] + ".typ"),
        root=head["root"],  # holds our templates and nothing else
        font_paths=_fonts,
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data)},
        package_path=os.path.join(head["root"], "none"),
        package_cache_path=os.path.join(head["root"], "none"),
    )


def _messages(exc: Any) -> str:
    return f"{exc.message}\n{exc.diagnostic}"


def _unescape(text: str) -> str:
    return re.sub(r"\\u\{([0-9a-fA-F]{1,6})\}", lambda m: chr(int(m[1], 16)), text)


def _replace(data: Any, table: dict[int, str]) -> Any:
    match data:
        case str():
            return data.translate(table)
        case list():
            return [_replace(x, table) for x in data]
        case dict():
            return {k: _replace(v, table) for k, v in data.items()}
    return data


# Reading -------------------------------------------------------------------------------------------------------


def _reader(content: bytes) -> Any:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        raise Refused("encrypted The PDF is protected by a password. Save it without one and upload it again.")
    return reader


def texts(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Return per page its text, its size in points and the digests of its images."""
    reader = _reader(blobs[0])
    if len(reader.pages) > head["max_pages"]:
        raise Refused(f"pages The PDF has {len(reader.pages)} pages; {head['max_pages']} are allowed.")
    pages, left = [], MAX_TEXT
    for page in reader.pages:
        text = unicodedata.normalize("NFC", page.extract_text())
        left -= len(text)
        if left < 0:
            raise Refused("text The PDF holds too much text.")
        box = page.mediabox
        pages.append(
            {
                "text": text,
                "width": float(box.width),
                "height": float(box.height),
                "rotation": int(page.rotation) % 360,
                "images": _images(page) if head.get("images") else [],
            }
        )
    return {"pages": pages}, []


def _images(page: Any) -> list[str]:
    """Return digests of the encoded image streams that a page names."""
    found = []
    objects = page.get("/Resources", {}).get_object().get("/XObject", {})
    for name in objects.get_object() if objects else {}:
        stream = objects.get_object()[name].get_object()
        if stream.get("/Subtype") == "/Image":
            found.append(hashlib.sha256(stream._data).hexdigest())
    return sorted(found)


ACTIONS = {
    "/JavaScript",
    "/Launch",
    "/SubmitForm",
    "/ImportData",
    "/GoToE",
    "/GoToR",
    "/Rendition",
    "/RichMediaExecute",
}
KEYS = {
    "/JS": "runs a program (JavaScript)",
    "/XFA": "is an XFA form",
    "/EmbeddedFile": "carries another file",
    "/EmbeddedFiles": "carries another file",
    "/RichMedia": "plays media",
    "/AA": "starts actions by itself",
}


def inspect(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Refuse what may do more than be read; then return what `texts` returns."""
    reader = _reader(blobs[0])
    result, _ = texts(head, blobs)
    if not result["pages"]:
        raise Refused("pages The PDF has no pages.")
    for reference in _references(reader):
        _look_into(reader.get_object(reference), 0)
    _look_into(reader.trailer, 0)
    return result, []


def _references(reader: Any) -> list[Any]:
    """Return a reference to every object of the file, whether anything uses it or not."""
    from pypdf.generic import IndirectObject

    plain = [(number, generation) for generation, table in reader.xref.items() for number in table if number]
    packed = [(number, 0) for number in reader.xref_objStm]
    return [IndirectObject(number, generation, reader) for number, generation in sorted({*plain, *packed})]


def _look_into(thing: Any, depth: int) -> None:
    """Walk one object (others have their own turn) and refuse what is active or signed."""
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

    if depth > 40:
        raise Refused("deep The PDF is nested too deeply to be checked.")
    if isinstance(thing, IndirectObject):
        return
    if isinstance(thing, ArrayObject):
        for entry in thing:
            _look_into(entry, depth + 1)
    elif isinstance(thing, DictionaryObject):
        if "/S" in thing and str(thing["/S"]) in ACTIONS:
            raise Refused(f"active The PDF holds an action ({str(thing['/S'])[1:]}). Print it to a new PDF first.")
        if "/ByteRange" in thing or ("/V" in thing and "/FT" in thing and str(thing["/FT"]) == "/Sig"):
            raise Refused("signed The PDF is signed already. Adding a signature page would break that signature.")
        for key, why in KEYS.items():
            if key in thing and not (key == "/AA" and not thing["/AA"]):
                raise Refused(f"active The PDF {why}. Print it to a new PDF first.")
        for value in thing.values():
            _look_into(value, depth + 1)


def append(head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Return the first PDF with the second's pages behind it; the pages themselves stay as they are."""
    from pypdf import PdfWriter

    original, extra = _reader(blobs[0]), _reader(blobs[1])
    writer = PdfWriter()
    writer.append(original, import_outline=False)
    writer.append(extra, import_outline=False)
    writer.metadata = {"/Title": head["title"], "/Producer": "Countersign"}
    writer._ID = None  # random otherwise: the same input gives the same bytes
    out = io.BytesIO()
    writer.write(out)
    return {}, [out.getvalue()]


JOBS = {"render": render, "pictures": pictures, "texts": texts, "inspect": inspect, "append": append}


# The process ---------------------------------------------------------------------------------------------------


def _mapped_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def limit_process() -> None:
    """Bind this process for good: memory, no files to write, no children."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        limit = _mapped_bytes() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def limit_job(seconds: int) -> None:
    """Give the next job its seconds of processor time; the process is killed by the kernel after them."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds + 1, resource.RLIM_INFINITY))


def main(kind: str) -> None:
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    if kind == "render":
        import typst

        typst.Fonts(include_system_fonts=False)  # started threads and mapped fonts count before the limit
    else:
        import pypdf  # noqa: F401
    sys.setrecursionlimit(2_000)
    limit_process()
    while True:
        try:
            head, blobs = read_frame(stdin)
        except EOFError:
            return
        limit_job(head["seconds"])
        try:
            result, out = JOBS[head["job"]](head, blobs)
            answer = {"ok": True, **result}
        except Refused as exc:
            answer, out = {"ok": False, "why": "refused", "text": str(exc)}, []
        except MemoryError:
            answer, out = {"ok": False, "why": "memory", "text": ""}, []
        except Exception as exc:  # noqa: BLE001 - a hostile PDF may raise anything; the parent says what it means
            answer, out = {"ok": False, "why": "error", "text": f"{type(exc).__name__}: {exc}"[:500]}, []
        write_frame(stdout, answer, out)


if __name__ == "__main__":
    main(sys.argv[1])
