"""Right person, right text: whether a document that the service calls signed may have an outcome (promise 6).

What the service's fact sheet leaves open, and how both readings are met here:
- Whether an input made from a signature tag carries the tag's external id, or its placeholder's uuid only. An id must
  be one that we placed for this signer; an input without id but with a placeholder is taken for a placed field of its
  type, at most as many as were placed. One with neither was put where no field is.
- Whether a forwarded signer stays in the list (`forwarded`, a second entry for the new address), or the entry itself
  signs on. Either is accepted where forwarding is allowed, and neither where it is not.
- The sender is listed too, with `needs_to_sign` false; such an entry counts only when it claims to have signed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bcapp.core.model import PlacedField, SignatureRequest, Signer
from bcapp.core.provider import ProviderDocument, ProviderInput, ProviderSigner
from bcapp.core.states import SignerRole

SIGNED = frozenset({"si", "sd"})
MAX_FORWARDS = 5
KINDS = {"s": "signature", "i": "set of initials", "n": "name", "d": "date", "t": "text", "c": "checkbox"}
# An input of a type on the left fills a placed field of one on the right.
FILLS = {"s": "s", "i": "s", "n": "st", "d": "d", "t": "t", "c": "c"}


def check_completion(
    request: SignatureRequest,
    document: ProviderDocument,
    missing_pages: Sequence[int],
    expected_uuid: str,
) -> tuple[bool, tuple[str, ...]]:
    """Return whether the outcome may follow, and a sentence for a person per thing that is wrong.

    missing_pages: from documents.inspect.contains_pages, from 0; () for a document made from the service's template.
    expected_uuid: the document's uuid as committed before the send. Give a document that is not `processing`.
    """
    wrong: list[str] = []
    if not expected_uuid or document.uuid.lower() != expected_uuid.lower():
        wrong.append("The signed document is not the one that we sent: its number at the service is another.")
    if document.external_id != request.external_id:
        wrong.append("The signed document does not carry this request's mark.")
    if document.status not in SIGNED:
        wrong.append(f"The service does not call the document signed by all (its state is “{document.status}”).")
    wrong += _people(request, document)
    wrong += [f"Page {n + 1} of the document that we sent is not in the signed PDF." for n in sorted(missing_pages)]
    return not wrong, tuple(wrong)


def _people(request: SignatureRequest, document: ProviderDocument) -> list[str]:
    """Match each signer asked with an entry of the service, then judge what each typed and who is left over."""
    wrong: list[str] = []
    left = [s for s in document.signers if s.needs_to_sign or s.signed]
    for signer in sorted(request.signers, key=lambda s: s.position):
        if signer.role is SignerRole.COPY:
            continue
        mended = _entry_for(replace(signer, email=signer.mended_from), left) if signer.mended_from else None
        if mended is not None and mended.forwarded and not mended.signed:
            left.remove(mended)  # staff passed it on from an address that could not be reached
        entry = _entry_for(signer, left)
        if entry is None and mended is not None and mended.signed and mended.forwarded_to.lower() == signer.email:
            left.remove(mended)  # the service keeps one entry, which signs under the new address
            wrong += _inputs(signer, mended.inputs, request.fields)
            continue
        if entry is None:
            wrong.append(f"{_name(signer)} is not among the signers at the service.")
            continue
        left.remove(entry)
        final, chain, why = _follow(signer, entry, left)
        for passed in chain:
            left.remove(passed)
        if why:
            wrong.append(why)
            continue
        if final.declined:
            wrong.append(f"{_name(signer)} declined.")
        elif not final.signed:
            wrong.append(f"{_name(signer)} has not signed.")
        for one in {id(e): e for e in (entry, *chain)}.values():
            wrong += _inputs(signer, one.inputs, request.fields)
    for extra in left:
        if extra.signed:
            wrong.append("Somebody signed without having been asked.")
        else:
            wrong.append("Somebody is listed as a signer, but was not asked.")
    return wrong


def _entry_for(signer: Signer, entries: Sequence[ProviderSigner]) -> ProviderSigner | None:
    """Return the entry under the address asked; the turn tells apart one person who signs twice."""
    mine = [e for e in entries if e.email.lower() == signer.email.lower()]
    required = [e for e in mine if e.needs_to_sign] or mine
    return next((e for e in required if e.order == signer.turn), required[0] if required else None)


def _follow(
    signer: Signer, entry: ProviderSigner, others: Sequence[ProviderSigner]
) -> tuple[ProviderSigner, list[ProviderSigner], str]:
    """Return who signed in the end, the entries passed on the way, and a sentence when forwarding was not allowed."""
    final, chain, rest = entry, list[ProviderSigner](), list(others)
    for _ in range(MAX_FORWARDS):
        if not final.forwarded:
            return final, chain, ""
        if signer.role is SignerRole.APPROVE:
            return final, chain, f"{_name(signer)} passed it on; an approval may not be passed on."
        if not signer.may_forward:
            return final, chain, f"{_name(signer)} passed it on, which the rule does not allow."
        after = next((e for e in rest if final.forwarded_to and e.email.lower() == final.forwarded_to.lower()), None)
        if after is None:
            return final, chain, ""
        rest.remove(after)
        chain.append(after)
        final = after
    return final, chain, f"{_name(signer)} passed it on too many times to be followed."


def _inputs(signer: Signer, inputs: Sequence[ProviderInput], fields: Sequence[PlacedField]) -> list[str]:
    """Return a sentence for each input that lies outside the fields placed for this signer."""
    wrong: list[str] = []
    free = Counter((f.external_id, f.type) for f in fields if f.signer == signer.position)
    named = [i for i in inputs if i.external_id]
    unnamed = [i for i in inputs if not i.external_id]
    for one in (*named, *unnamed):
        if not one.external_id and not one.placeholder:
            wrong.append(f"{_name(signer)} put a {_kind(one)} on page {one.page + 1} where no field was placed.")
            continue
        taken = next(
            (
                key
                for key, count in free.items()
                if count > 0 and key[1] in FILLS.get(one.type, "") and one.external_id in ("", key[0])
            ),
            None,
        )
        if taken is not None:
            free[taken] -= 1
        elif one.external_id:
            wrong.append(f"{_name(signer)} filled in the field “{one.external_id}”, which was not placed for them.")
        else:
            wrong.append(f"{_name(signer)} put in more than was asked: a {_kind(one)} on page {one.page + 1}.")
    return wrong


def _kind(one: ProviderInput) -> str:
    return KINDS.get(one.type, "mark")


def _name(signer: Signer) -> str:
    """Return the signer by place: the verdict is kept when names and addresses are erased."""
    return f"Signer {signer.position + 1}"
