"""One page in headless Chromium, where there is one, driven by its debugging protocol."""

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import subprocess
import time

import aiohttp

START_S = 60
WAIT_S = 60


def find_chromium():
    """The program: of the environment's ``CHROMIUM``, or on the path."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


class Page:
    """What a user does, and what the page did: its errors, and whom it asked."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers = {}
        self.errors = []
        self.requests = []

    async def listen(self):
        """Sort what Chromium tells, until it ends."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            else:
                self._note(said["method"], said["params"])

    def _note(self, what, params):
        if what == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif what == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.errors.append(str(params["args"]))
        elif what == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(str(params["entry"]))
        elif what == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    async def call(self, method, **params):
        """Carry out one command of the protocol."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        said = await asyncio.wait_for(answer, WAIT_S)
        assert "error" not in said, said
        return said["result"]

    async def value(self, expression):
        """What a JavaScript expression gives."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = await self.call("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression):
        """Wait until the expression gives something that is true, and return it."""
        ends = time.monotonic() + WAIT_S
        while time.monotonic() < ends:
            if found := await self.value(expression):
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"{expression} stays false; errors: {self.errors}")

    async def press(self, key, code, text=""):
        """Press and release a key."""
        named = {"key": key, "windowsVirtualKeyCode": code, "text": text}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **named)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    async def drop(self, selector, path):
        """Drag a file from outside to the middle of an element, and let it go."""
        box = f"document.querySelector('{selector}').getBoundingClientRect()"
        x = await self.value(f"{box}.x + {box}.width / 2")
        y = await self.value(f"{box}.y + {box}.height / 2")
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            await self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    async def picture(self, path):
        """Write a PNG of the whole page."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.asynccontextmanager
async def opened(url, folder):
    """A ``Page`` at ``url``; Chromium keeps its profile in ``folder``, and hears a beeping tone."""
    command = [find_chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={folder}", "--window-size=800,900"]
    command += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    command += ["--disable-background-networking", "--remote-debugging-port=0", "about:blank"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await _socket_url(session, folder), max_msg_size=0) as socket,
        ):
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.call(f"{domain}.enable")
            await page.call("Page.navigate", url=url)
            await page.until("document.readyState === 'complete' && location.protocol !== 'about:'")
            yield page
            listening.cancel()
    finally:
        process.terminate()
        process.wait(30)


async def _socket_url(session, folder):
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        await asyncio.sleep(0.1)
        with contextlib.suppress(OSError, IndexError, aiohttp.ClientError):
            port = (folder / "DevToolsActivePort").read_text().split()[0]
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                pages = await answer.json()
            return next(one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page")
    raise AssertionError("Chromium does not start")
