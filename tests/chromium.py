"""Headless Chromium, where there is one: what a user does on a page, and what the page did.

``opened`` is for tests that serve a page from the same event loop; ``browser`` is for all others.
"""

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp

__all__ = ["Browser", "Page", "browser", "find_chromium", "opened"]

START_S = 60
WAIT_S = 60


def find_chromium() -> str | None:
    """The program: of the environment's ``CHROMIUM``, or on the path."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


class Page:
    """What a user does, and what the page did.

    Attributes:
        errors: what the page wrote on its console as an error or warning, or threw.
        requests: addresses that it asked for.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []
        self.requests: list[str] = []

    async def listen(self) -> None:
        """Sort what Chromium tells, until it ends."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            else:
                self._note(said["method"], said["params"])

    def _note(self, what: str, params: dict[str, Any]) -> None:
        if what == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif what == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.errors.append(str(params["args"]))
        elif what == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(str(params["entry"]))
        elif what == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Carry out one command of the protocol."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        said = await asyncio.wait_for(answer, WAIT_S)
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = await self.call("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until the expression gives something that is true, and return it."""
        ends = time.monotonic() + WAIT_S
        while time.monotonic() < ends:
            if found := await self.value(expression):
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"{expression} stays false; errors: {self.errors}")

    async def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        named = {"key": key, "windowsVirtualKeyCode": code, "text": text}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **named)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    async def drop(self, selector: str, path: Path) -> None:
        """Drag a file from outside to the middle of an element, and let it go."""
        box = f"document.querySelector('{selector}').getBoundingClientRect()"
        x = await self.value(f"{box}.x + {box}.width / 2")
        y = await self.value(f"{box}.y + {box}.height / 2")
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            await self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    async def go(self, url: str) -> None:
        """Open ``url``, and wait until it is loaded."""
        await self.call("Page.navigate", url=url)
        await self.until(
            f"document.readyState === 'complete' && location.protocol === '{_kind(url)}'"
        )

    async def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Have a window of that size, and the colours of the day or of the night."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, path: Path) -> None:
        """Write a PNG of the whole page, in a window as high as the page is."""
        width, height = await self.value("[innerWidth, document.documentElement.scrollHeight]")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        await self.value("new Promise(done => requestAnimationFrame(() => setTimeout(done, 300)))")
        shot = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Page]:
    """A ``Page`` at ``url``; Chromium keeps its profile in ``folder``, and hears a beeping tone."""
    program = find_chromium()
    assert program, "there is no Chromium"
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={folder}", "--window-size=800,900"]
    command += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    command += ["--disable-background-networking", "--remote-debugging-port=0", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await _socket_url(session, folder), max_msg_size=0) as socket,
        ):
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.call(f"{domain}.enable")
            await page.go(url)
            yield page
            listening.cancel()
    finally:
        process.terminate()
        process.wait(30)


class Browser:
    """A page for tests that wait for nothing else; each method is one of ``Page``, waited for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, page: Page) -> None:
        self._loop, self._page = loop, page
        self.complaints, self.requests = page.errors, page.requests

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Carry out one command of the protocol."""
        return self._loop.run_until_complete(self._page.call(method, **params))

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Open ``url`` in a window of that size, and wait until it is loaded."""
        self._loop.run_until_complete(self._page.look(width, height, dark=dark))
        self._loop.run_until_complete(self._page.go(url))

    def ask(self, expression: str) -> Any:
        """Return what a JavaScript expression comes to."""
        return self._loop.run_until_complete(self._page.value(expression))

    def wait(self, expression: str) -> Any:
        """Ask until it is true, and return it."""
        return self._loop.run_until_complete(self._page.until(expression))

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        self._loop.run_until_complete(self._page.press(key, code))

    def picture(self, path: Path) -> None:
        """Write a PNG of the whole page."""
        self._loop.run_until_complete(self._page.picture(path))


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser for the duration of a ``with``, with a profile of its own."""
    loop = asyncio.new_event_loop()
    # Its helpers may write into the profile a moment longer than it lives.
    with (
        contextlib.closing(loop),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        entered = opened("about:blank", Path(profile))
        page = loop.run_until_complete(entered.__aenter__())
        try:
            yield Browser(loop, page)
        finally:
            loop.run_until_complete(entered.__aexit__(None, None, None))


def _kind(url: str) -> str:
    return url.partition(":")[0] + ":"


async def _socket_url(session: aiohttp.ClientSession, folder: Path) -> str:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        await asyncio.sleep(0.1)
        with contextlib.suppress(OSError, IndexError, aiohttp.ClientError):
            port = (folder / "DevToolsActivePort").read_text().split()[0]
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                pages = await answer.json()
            return next(str(one["webSocketDebuggerUrl"]) for one in pages if one["type"] == "page")
    raise AssertionError("Chromium does not start")
