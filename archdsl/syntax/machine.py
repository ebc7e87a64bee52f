"""The LALR(1) machine: reads tokens by the grammar's tables, and calls the builder for a rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archdsl.syntax.tables import Rule, Tables
from archdsl.syntax.tokens import Token

END = "$END"


class NotAcceptedError(Exception):
    """The machine, or the lexer before it, can do nothing with what stands here."""

    def __init__(self, token: Token) -> None:
        super().__init__(token)
        self.token = token


class Machine:
    """One reading of a text: the states that it is in, and what has been made so far."""

    def __init__(self, tables: Tables, builder: Any) -> None:
        self.tables = tables
        self.states = [tables.start]
        self._values: list[Any] = []
        self._methods = [getattr(builder, r.method) if r.method else None for r in tables.rules]

    def read(self, tokens: Iterable[Token]) -> Any:
        """What the builder makes of a whole text. Raises NotAcceptedError."""
        states, values = self.states, self._values
        table = self.tables.states
        for token in tokens:
            kind = token.type
            while True:
                step = table[states[-1]].get(kind)
                if step is None:
                    raise NotAcceptedError(token)
                if step >= 0:
                    break
                self._reduce(-1 - step)
            states.append(step)
            values.append(token)
        while states[-1] != self.tables.end:
            step = table[states[-1]].get(END)
            if step is None:
                raise NotAcceptedError(Token(END, "", 0, 0))
            self._reduce(-1 - step)
        return values[-1]

    def _reduce(self, number: int) -> None:
        """Put what a complete rule stands for in the place of its symbols."""
        rule = self.tables.rules[number]
        states, values = self.states, self._values
        children: list[Any] = []
        if rule.size:
            children = values[-rule.size :]
            del values[-rule.size :], states[-rule.size :]
        if rule.taken is not None:
            children = _taken(rule, children)
        method = self._methods[number]
        if rule.lone and len(children) == 1:
            values.append(children[0])
        else:
            values.append(children if method is None else method(children))
        states.append(self.tables.states[states[-1]][rule.origin])

    def accepts(self) -> set[str]:
        """The terminals with which the text could go on here."""
        return {
            symbol for symbol in self.tables.states[self.states[-1]] if self._goes_on_with(symbol)
        }

    def _goes_on_with(self, symbol: str) -> bool:
        """Whether a terminal can be read, after the rules that it completes."""
        if not symbol.isupper():
            return False
        states = self.states.copy()
        table, rules = self.tables.states, self.tables.rules
        while True:
            step = table[states[-1]].get(symbol)
            if step is None or step >= 0:
                return step is not None
            rule = rules[-1 - step]
            if rule.size:
                del states[-rule.size :]
            states.append(table[states[-1]][rule.origin])
            if symbol == END and states[-1] == self.tables.end:
                return True


def _taken(rule: Rule, symbols: list[Any]) -> list[Any]:
    """What the builder is given: the lists of parts opened, None for what is absent."""
    children: list[Any] = []
    assert rule.taken is not None
    for place, is_list, absent in rule.taken:
        if absent:
            children += [None] * absent
        if not is_list:
            children.append(symbols[place])
        elif children:
            children += symbols[place]
        else:
            children = symbols[place]  # grown by each round of a repetition, and never copied
    if rule.absent:
        children += [None] * rule.absent
    return children
