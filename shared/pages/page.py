"""What a page about an error holds, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One kind of error.

    Args:
        title: the error in a few words.
        cause: what has happened, and what it means for the PATs.
        remedy: what to do about it, or why nobody has to.
    """

    title: str
    cause: str
    remedy: str

    def markdown(self, reason: str) -> str:
        """The page by itself."""
        return (
            f"# {self.title}\n\nReason: `{reason}`\n\n"
            f"## What happened\n\n{self.cause}\n\n## What to do\n\n{self.remedy}\n"
        )

    def section(self, reason: str) -> str:
        """The page as a part of the document of all pages. The anchor is the reason as it stands, dot and all."""
        return (
            f'### <a id="{reason}"></a>`{reason}`\n\n**{self.title}.** {self.cause}\n\n**What to do:** {self.remedy}\n'
        )
