"""A picture of the dashboard's page of a job, by Chromium, where there is one."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from world import die_with_parent

__all__ = ["find_chromium", "look_at_job"]

DEBUG_PORT = 9333
LOAD_S = 90
# Signs in as its dialog does: the answer sets a cookie.
SIGN_IN = "fetch('/api/authenticate', {{method: 'POST', headers: {{Authorization: 'Bearer {}'}}}})"
SIGN_IN += ".then(answer => answer.status)"
# Whether it was there to click.
CLICK = """
(() => {{
  const all = [...document.querySelectorAll('{}')];
  const found = all.filter(e => (e.innerText || '').startsWith('{}'));
  if (found.length) found[0].click();
  return found.length > 0;
}})()
"""
# The cells of all tables of a page.
CELLS = "[...document.querySelectorAll('td')].map(e => e.innerText).join('\\n')"
# The function that trials are listed under.
TRIALS = "WorkerGroupHost.trial"


def find_chromium() -> str | None:
    """The program: of the environment's ``CHROMIUM``, or on the path."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


def look_at_job(program: str, address: str, token: str, job: str, picture: Path) -> str:
    """Open the page of ``job`` and list its trials.

    Args:
        program: Chromium.
        address: of the dashboard.
        token: the cluster's.
        job: its submission id.
        picture: a PNG file to write.

    Returns:
        The table's text, once it names a trial or after ``LOAD_S`` seconds.
    """
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--user-data-dir=/tmp/chromium", "--window-size=1500,1600"]
    command += [f"--remote-debugging-port={DEBUG_PORT}", "about:blank"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent
    )
    try:
        return asyncio.run(_look(address, token, job, picture))
    finally:
        process.kill()
        process.wait()


async def _look(address: str, token: str, job: str, picture: Path) -> str:
    async with _page() as call:
        await call("Page.navigate", url=address)
        await asyncio.sleep(3)
        assert await _evaluate(call, SIGN_IN.format(token)) == 200
        await call("Page.reload")
        await _click(call, "a", job)
        await _click(call, "h4", "Task Table")
        await _click(call, "label", "Function or Class Name")
        await call("Input.insertText", text=TRIALS)
        await _click(call, "li", TRIALS)
        text = ""
        for _ in range(LOAD_S // 3):
            await asyncio.sleep(3)
            text = str(await _evaluate(call, CELLS))
            if "trial 0" in text:
                break
        await asyncio.sleep(2)
        shot = await call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        picture.write_bytes(base64.b64decode(shot["data"]))
        return text


async def _click(call: Any, selector: str, text: str) -> None:
    for _ in range(LOAD_S):
        await asyncio.sleep(1)
        if await _evaluate(call, CLICK.format(selector, text)):
            return
    raise AssertionError(f"the dashboard shows no {selector} {text!r}")


async def _evaluate(call: Any, expression: str) -> Any:
    answer = await call(
        "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
    )
    return answer["result"].get("value")


@contextlib.asynccontextmanager
async def _page() -> AsyncIterator[Any]:
    """A function that carries out one command of Chromium's debugging protocol on its page."""
    url = await _page_url()
    numbers = itertools.count(1)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, max_msg_size=0) as socket,
    ):

        async def call(method: str, **params: Any) -> Any:
            number = next(numbers)
            await socket.send_json({"id": number, "method": method, "params": params})
            while True:
                answer = await socket.receive_json(timeout=60)
                if answer.get("id") == number:
                    assert "error" not in answer, answer
                    return answer["result"]

        yield call


async def _page_url() -> str:
    for _ in range(120):
        await asyncio.sleep(0.5)
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{DEBUG_PORT}/json", timeout=5) as answer:
                pages = json.loads(answer.read())
            if urls := [p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page"]:
                return str(urls[0])
    raise AssertionError("Chromium does not start")
