"""A visitor of every page, who also asks for all that pages, style sheets and scripts refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

import httpx
from websockets.sync.client import connect

CSS = re.compile(r"""url\(\s*["']?([^"')]+)["']?\s*\)|@import\s+["']([^"']+)["']""")
JS = re.compile(r"""\b(?:from|import)\s*\(?\s*["'](\.{0,2}/[^"']+)["']""")
ICON = re.compile(r'\bid="([^"]+)"')
ATTRIBUTES = {"link": "href", "script": "src", "img": "src", "use": "href", "source": "src"}


class References(HTMLParser):
    """The files that a page makes its browser load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(ATTRIBUTES.get(tag, ""))
        if address:
            self.found.add(address)


class Visitor:
    """Keeps what each asset answered; `problems` is what was not there."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.assets: dict[str, httpx.Response] = {}
        self.problems: list[str] = []

    def log_in(self, name: str, password: str) -> None:
        self.client.get("/login/")
        given = {"username": name, "password": password}
        token = next(value for key, value in self.client.cookies.items() if "csrf" in key)
        answer = self.client.post("/login/", data=given | {"csrfmiddlewaretoken": token})
        assert answer.status_code == 302, answer.text

    def open(self, address: str) -> httpx.Response:
        """Open a page and load what it refers to."""
        answer = self.client.get(address, follow_redirects=True)
        if "text/html" in answer.headers.get("content-type", ""):
            for reference in References(answer.text).found:
                self._load(urljoin(address, reference), address)
        return answer

    def open_socket(self, address: str) -> None:
        """Open the socket of live pages and close it again. Raises InvalidStatus if refused."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())
        origin = str(self.client.base_url).rstrip("/")
        url = self.client.base_url.copy_with(scheme="ws", path=address)
        with connect(str(url), additional_headers={"Cookie": cookies}, origin=origin) as socket:
            socket.ping().wait(10)

    def _load(self, reference: str, by: str) -> None:
        address, part = urldefrag(reference)
        if address not in self.assets:
            self.assets[address] = answer = self.client.get(address)
            if answer.status_code != 200 or not answer.content:
                self.problems.append(f"{address}, which {by} needs: {answer.status_code}")
            for further in _references(address, answer):
                self._load(urljoin(address, further), address)
        if part and part not in ICON.findall(self.assets[address].text):
            self.problems.append(f"{address} has no {part!r}, which {by} shows")


def _references(address: str, answer: httpx.Response) -> Iterator[str]:
    pattern = {"css": CSS, "js": JS}.get(address.rpartition(".")[2])
    for match in pattern.finditer(answer.text) if pattern else ():
        reference = next(filter(None, match.groups()))
        if not reference.startswith(("data:", "#")):
            yield reference
