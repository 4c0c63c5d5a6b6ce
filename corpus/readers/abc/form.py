"""The order in which the sections of an ABC tune are played: repeats, endings, parts.

The notes of a tune stay as written, each section once. As in note_seq, the order is kept
beside them, as `section_annotations` and `section_groups`, and
`note_seq.sequences_lib.expand_section_groups` plays it. note_seq knows repeats of one
section; endings (`|1 … :|2 …`) and the order of parts (`P:ABA`) are ours, made of the same two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from corpus.readers.abc.tokens import MAX_PASSES, Bar

_MAX_GROUPS = 512
_ORDER_SIGN = re.compile(r"([A-Za-z]|\(|\))(\d{0,2})")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the music that the order depends on: a bar line, or the label of a part."""

    tick: int
    bar: Bar | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Sections played one after the other, so many times."""

    sections: tuple[int, ...]
    times: int


@dataclass
class Form:
    """The sections of a tune and the order in which they are played.

    Attributes:
      starts: tick at which each section starts; a section's id is its index.
      groups: what is played, in order; empty where the tune is played as written.
      problems: what of the order could not be made out.
    """

    starts: list[int] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    problems: set[str] = field(default_factory=set)


class FormBuilder:
    """Reads the marks of a tune in order. The last section is always the one not yet played."""

    def __init__(self) -> None:
        self._form = Form()
        self._expected = 0  # times that an open `|:` asks for
        self._head: int | None = None  # the section that is played before each ending
        self._endings: list[tuple[tuple[int, ...], int]] = []
        self._closed_at: int | None = None  # where the last ending closed, if it did
        self._goes_back = False
        self._parts: list[tuple[str, int]] = []

    def build(self, marks: list[Mark], end: int, order: str) -> Form:
        """The form of a tune.

        Args:
          marks: bar lines and labels in order of time.
          end: tick at which the music ends.
          order: the order of the parts from the tune's header, empty where it gives none.
        """
        for mark in marks:
            self._mark(mark)
        self._finish(end)
        if order:
            self._follow(order)
        if not self._form.groups:
            self._form.starts.clear()
        return self._form

    def _mark(self, mark: Mark) -> None:
        bar, tick = mark.bar, mark.tick
        if (
            self._endings
            and self._closed_at is not None
            and not (bar and bar.endings and self._closed_at == tick)
        ):
            self._end_block()
        if bar is None:
            self._part(tick, mark.label)
        elif self._endings:
            self._bar_in_ending(tick, bar)
        elif bar.endings and not bar.backward:
            if bar.forward:
                self._bar(tick, bar)
            self._start_ending(tick, bar.endings)
        else:
            self._bar(tick, bar)

    def _cut(self, tick: int) -> bool:
        """Starts a section at a tick; returns whether there was none yet."""
        starts = self._form.starts
        if not starts and tick > 0:
            starts.append(0)
        if starts and starts[-1] == tick:
            return False
        starts.append(tick)
        return True

    def _play(self, section: int, times: int) -> None:
        self._form.groups.append(Group((section,), times))

    def _close(self, tick: int, times: int) -> None:
        """Plays what stands before a tick, if no other sign there has done so."""
        groups, starts = self._form.groups, self._form.starts
        if self._cut(tick):
            if len(starts) > 1:
                self._play(len(starts) - 2, times)
        elif times > 1 and groups and groups[-1] == Group((len(starts) - 2,), 1):
            groups[-1] = Group(groups[-1].sections, times)

    def _bar(self, tick: int, bar: Bar) -> None:
        if not (bar.backward or bar.forward):
            if not self._expected and tick > 0:
                self._close(tick, 1)
            return
        if self._expected and bar.backward != self._expected:
            self._form.problems.add("odd_repeat")
        if bar.backward and tick == 0:
            self._form.problems.add("odd_repeat")
        self._close(tick, bar.backward or 1)
        self._expected = bar.forward

    def _start_ending(self, tick: int, passes: tuple[int, ...]) -> None:
        starts = self._form.starts
        created = self._cut(tick)
        self._head = len(starts) - 2 if created and len(starts) > 1 else None
        self._add_ending(passes)

    def _add_ending(self, passes: tuple[int, ...]) -> None:
        self._endings.append((passes, len(self._form.starts) - 1))
        self._closed_at, self._expected = None, 0

    def _bar_in_ending(self, tick: int, bar: Bar) -> None:
        self._cut(tick)
        if bar.endings:
            taken = {number for passes, _ in self._endings for number in passes}
            if not taken.isdisjoint(bar.endings):
                self._end_block()
            self._add_ending(bar.endings)
            return
        self._closed_at, self._goes_back = tick, bar.backward > 0
        if bar.forward:
            self._end_block()
            self._expected = bar.forward

    def _end_block(self) -> None:
        """Plays the section before the endings with each of them in turn."""
        last = max((n for passes, _ in self._endings for n in passes), default=1)
        if self._goes_back and len(self._endings) == 1:
            last += 1  # `|1 … :|` and no second ending: what comes next is the second
        head = () if self._head is None else (self._head,)
        for number in range(1, min(last, MAX_PASSES) + 1):
            ending = next(((s,) for passes, s in self._endings if number in passes), ())
            self._play_again(head + ending)
        self._head, self._endings, self._closed_at, self._goes_back = None, [], None, False

    def _play_again(self, sections: tuple[int, ...]) -> None:
        groups = self._form.groups
        if groups and groups[-1].sections == sections:
            groups[-1] = Group(sections, groups[-1].times + 1)
        elif sections:
            groups.append(Group(sections, 1))

    def _part(self, tick: int, label: str) -> None:
        if self._endings:
            self._cut(tick)
            self._end_block()
        opened_here = bool(self._form.starts) and self._form.starts[-1] == tick
        self._close(tick, 1)
        if self._expected and not opened_here:
            self._form.problems.add("odd_repeat")
            self._expected = 0
        self._parts.append((label, len(self._form.groups)))

    def _finish(self, end: int) -> None:
        starts, groups = self._form.starts, self._form.groups
        if self._expected:
            self._form.problems.add("odd_repeat")
        runs_out = bool(self._endings) and self._closed_at is None
        if self._endings:
            self._end_block()
        if starts and starts[-1] >= end:
            self._drop_last()
        elif not runs_out and starts and (groups or self._parts):
            self._play(len(starts) - 1, 1)

    def _drop_last(self) -> None:
        """Takes back a section that begins where the music ends."""
        gone = len(self._form.starts) - 1
        self._form.starts.pop()
        kept = ((tuple(s for s in g.sections if s != gone), g.times) for g in self._form.groups)
        self._form.groups = [Group(sections, times) for sections, times in kept if sections]

    def _follow(self, order: str) -> None:
        """Puts the parts in the order that the header asks for."""
        if not self._parts and len(order) == 1:
            return  # a label that stands too early: the whole tune is that part
        groups = self._form.groups
        bounds = [*(index for _, index in self._parts), len(groups)]
        parts: dict[str, list[Group]] = {}
        for (label, start), stop in zip(self._parts, bounds[1:], strict=True):
            parts.setdefault(label, []).extend(groups[start:stop])
        labels = list(_labels(order))
        if not labels or not all(label in parts for label in labels):
            self._form.problems.add("bad_part_order")
            return
        played = groups[: bounds[0]] + [group for label in labels for group in parts[label]]
        if len(played) > _MAX_GROUPS:
            self._form.problems.add("bad_part_order")
            return
        self._form.groups = played


def _labels(order: str) -> Iterator[str]:
    """The parts that `A2(BC)3` plays, one by one; at most some hundreds."""
    stack: list[list[str]] = [[]]
    for sign, digits in _ORDER_SIGN.findall(order):
        times = int(digits or 1)
        if sign == "(":
            stack.append([])
        elif sign != ")":
            stack[-1] += [sign] * times
        elif len(stack) > 1:
            inner = stack.pop()
            stack[-1] += inner * times
        if len(stack[-1]) > _MAX_GROUPS:
            break
    return iter([label for level in stack for label in level][: _MAX_GROUPS + 1])
