"""What may be said about clock changes: read, and put into words."""

from __future__ import annotations

from tickwright.triggers.base import choice_of
from tickwright.triggers.wallclock.clock import DstGap, DstOverlap

DST_GAP = "trigger.dstGap"
DST_OVERLAP = "trigger.dstOverlap"

_GAP_WORDS = {
    DstGap.AFTER: "missing times run after the gap",
    DstGap.SHIFT: "missing times are shifted",
    DstGap.SKIP: "missing times are skipped",
}
_OVERLAP_WORDS = {
    DstOverlap.FIRST: "repeated times run the first time",
    DstOverlap.LAST: "repeated times run the last time",
    DstOverlap.BOTH: "repeated times run both times",
}


def dst_options(gap: object, overlap: object) -> tuple[DstGap | None, DstOverlap | None]:
    """The two options; None leaves it to the kind of rule."""
    return (
        None if gap is None else choice_of(DstGap, gap, DST_GAP),
        None if overlap is None else choice_of(DstOverlap, overlap, DST_OVERLAP),
    )


def clock_words(gap: DstGap | None, overlap: DstOverlap | None) -> str:
    """The options that are given, to stand behind a zone."""
    words = [_GAP_WORDS[gap]] if gap is not None else []
    if overlap is not None:
        words.append(_OVERLAP_WORDS[overlap])
    return "".join(f"; {word}" for word in words)
