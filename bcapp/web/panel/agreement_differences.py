"""What changed between two versions of an agreement, language by language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bcapp.core.differences import Line, text_difference
from bcapp.db.agreements import Text, Version

QUOTED_LINES = 8
QUOTED_CHARACTERS = 160


@dataclass(frozen=True)
class Part:
    """One thing that changed. language: "" for the version as a whole. text: a sentence, or "" with the lines."""

    language: str
    title: str
    text: str = ""
    lines: Sequence[Line] = ()


def first_version(version: Version) -> list[Part]:
    """Return what the first version says."""
    return [
        Part(language, text.title, lines=text_difference("", text.body)) for language, text in version.texts.items()
    ]


def version_difference(before: Version, after: Version) -> list[Part]:
    """Return what changed; [] when the two say the same."""
    found = []
    if before.main != after.main:
        found.append(Part("", "Main language", f"{before.main} → {after.main}"))
    for language in dict.fromkeys([*after.texts, *before.texts]):
        old, new = before.texts.get(language), after.texts.get(language)
        if new is None:
            found.append(Part(language, "Text", "This language was taken out."))
        else:
            found += text_parts(language, old, new)
    return found


def text_parts(language: str, old: Text | None, new: Text) -> list[Part]:
    """Return how one language's text changed. old: None when the language is new."""
    if old is None:
        return [Part(language, "Text", "This language is new.", text_difference("", new.body))]
    found = []
    if old.title != new.title:
        found.append(Part(language, "Title", f"{old.title} → {new.title}"))
    if lines := text_difference(old.body, new.body):
        found.append(Part(language, "Text", lines=lines))
    if old.content != new.content and new.content is not None:
        found.append(Part(language, "PDF", "Another file was uploaded."))
    if old.template != new.template:
        found.append(Part(language, "Template", _template(old, new)))
    return found


def _template(old: Text, new: Text) -> str:
    before, after = old.template or {}, new.template or {}
    if before.get("uuid") != after.get("uuid"):
        return f"{before.get('name', '')} → {after.get('name', '')}"
    if before.get("placeholders") != after.get("placeholders"):
        return "It was frozen again, with other fields."
    return "Other values are filled in."


def told_parts(parts: Sequence[Part], name_of: Callable[[str], str]) -> str:
    """Return what changed in one paragraph, for who must approve it: the changed lines themselves, the first eight.

    name_of: a language in words.
    """
    return " ".join(_told_part(part, name_of) for part in parts)


def _told_part(part: Part, name_of: Callable[[str], str]) -> str:
    where = f"{part.title} ({name_of(part.language)})" if part.language else part.title
    changed = [line for line in part.lines if line.kind in ("added", "removed") and line.text.strip()]
    quoted = [f"{line.kind} “{_short(line.text.strip())}”" for line in changed[:QUOTED_LINES]]
    if len(changed) > QUOTED_LINES:
        quoted.append(f"and {len(changed) - QUOTED_LINES} more lines")
    said = ", ".join(quoted)
    return f"{where}: {' '.join(filter(None, [part.text, said]))}".rstrip(".: ") + "."


def _short(text: str) -> str:
    return text if len(text) <= QUOTED_CHARACTERS else text[: QUOTED_CHARACTERS - 1] + "…"
