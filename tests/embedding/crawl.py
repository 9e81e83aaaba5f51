"""Every page that links lead to, and every file that those pages load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx

PREFIX = "/ops/"
LINK = re.compile(r'<a\b[^>]*\shref="([^"]*)"')
LOADED = re.compile(r'<(?:link|script|img|use)\b[^>]*\s(?:href|src)="([^"]*)"')
IMPORTED = re.compile(r"""^import\b[^"';]*["'](\.[^"']+)["']""", re.MULTILINE)
PAINTED = re.compile(r"""url\(["']?([^"')]+)["']?\)""")


@dataclass
class Crawl:
    """What was found: pages and files by address, each with the answer to a GET."""

    client: httpx.Client
    pages: dict[str, httpx.Response] = field(default_factory=dict)
    files: dict[str, httpx.Response] = field(default_factory=dict)

    def walk(self, start: str, *, most: int = 200) -> Crawl:
        """Follow links below the prefix; of addresses that differ by their query, the first."""
        waiting = [start]
        while waiting and len(self.pages) < most:
            address = waiting.pop(0)
            if urlsplit(address).path in self.pages:
                continue
            page = self.pages[urlsplit(address).path] = self.client.get(address)
            if "text/html" in page.headers.get("Content-Type", ""):
                waiting += self._below(page, LINK)
                for loaded in self._named(page, LOADED):
                    self._load(loaded)
        return self

    def _below(self, page: httpx.Response, pattern: re.Pattern[str]) -> Iterator[str]:
        for address in self._named(page, pattern):
            if address.startswith(PREFIX):
                yield address

    def _named(self, page: httpx.Response, pattern: re.Pattern[str]) -> Iterator[str]:
        for found in pattern.findall(page.text):
            whole = urljoin(str(page.url), found.replace("&amp;", "&"))
            parts = urlsplit(urldefrag(whole).url)
            if parts.netloc == page.url.netloc.decode():
                yield parts._replace(scheme="", netloc="").geturl()

    def _load(self, address: str) -> None:
        if address in self.files:
            return
        answer = self.files[address] = self.client.get(address)
        pattern = {"js": IMPORTED, "css": PAINTED}.get(address.rpartition(".")[2])
        for inner in self._named(answer, pattern) if pattern else ():
            self._load(inner)


def failures(answers: dict[str, httpx.Response]) -> dict[str, int]:
    """The addresses that did not answer with what they should."""
    return {
        address: answer.status_code
        for address, answer in answers.items()
        if answer.status_code not in (200, 302)
    }
