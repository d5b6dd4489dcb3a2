"""One repository of a registry: what its addresses are, and what errors call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.registry.authority import Scope
from bundle.registry.connection import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from yarl import URL

    from bundle.registry.connection import Registry


@dataclass(frozen=True, slots=True)
class Repository:
    """``name`` at ``registry``, to read from or, with ``push``, to write to.

    ``also`` are repositories whose blobs may be mounted into this one.
    """

    registry: Registry
    name: str
    push: bool = False
    also: tuple[str, ...] = ()

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What the login has to allow."""
        mine = Scope(self.name, "pull,push" if self.push else "pull")
        return (mine, *(Scope(name) for name in self.also))

    def where(self, reference: str = "") -> str:
        """Return how errors name what is asked for: a tag, a digest or nothing."""
        mark = "@" if ":" in reference else ":"
        name = f"{self.registry.host}/{self.name}"
        return f"{name}{mark}{reference}" if reference else name

    def url(self, path: str, query: Mapping[str, str] | None = None) -> URL:
        """Return the address of a path below the repository."""
        return self.registry.url(f"{self.name}/{path}", query)

    def request(
        self,
        method: str,
        url: URL,
        reference: str,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Any] | None = None,
    ) -> Request:
        """Return a request about ``reference`` of this repository."""
        return Request(
            method=method,
            url=url,
            where=self.where(reference),
            scopes=self.scopes,
            headers=headers or {},
            body=body,
        )
