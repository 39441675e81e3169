"""The page of a server in a real browser: files, microphone, token, keyboard, both colour schemes.

``RAYSEARCH_PICTURES=FOLDER`` keeps pictures of it there.
"""

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from chromium import find_chromium, opened
from finished_run import LABELS, finished_run
from served_model import TOKEN, served

import raysearch
from raysearch.serving.answer import in_turn
from raysearch.serving.bearer import ServerToken

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium")

SHOWN = "!document.getElementById('result').hidden"
TEXT = "document.getElementById('{}').textContent"
BARS = "[...document.querySelectorAll('#bars li')].map(e => e.innerText.split('\\n'))"
WIDTHS = "[...document.querySelectorAll('.fill')].map(e => parseFloat(e.style.width))"
WIDE = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def model(finished):
    return raysearch.load(finished[0].root)


@pytest.fixture
def picture(tmp_path):
    """Where a picture goes, by its name."""
    folder = Path(os.environ.get("RAYSEARCH_PICTURES") or tmp_path)
    return lambda name: folder / f"serve-{name}.png"


def use(url, folder, steps):
    """Carry out ``steps`` on the page at ``url``, which makes no error and asks nobody else."""

    async def run():
        async with opened(url, folder / "profile") as page:
            await page.until(f"{TEXT.format('model')} === 'a-run'")
            await steps(page)
            assert page.errors == []
            own = url.partition("#")[0]
            assert [
                one for one in page.requests if not one.startswith((own, "data:", "blob:"))
            ] == []

    asyncio.run(run())


async def colours(page, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await page.call("Emulation.setEmulatedMedia", features=features)


def test_a_dropped_file_shows_its_emotions(finished, model, tmp_path, picture):
    path = finished[1][0]
    expected = model.predict(*soundfile.read(path, dtype="float32"))

    async def steps(page):
        await page.drop("#drop", path)
        await page.until(SHOWN)
        assert await page.value(TEXT.format("label")) == expected.label
        assert path.name in await page.value(TEXT.format("source"))
        ranked = sorted(expected.probabilities.items(), key=lambda item: -item[1])
        bars = await page.value(BARS)
        assert [bar[0] for bar in bars] == [name for name, _ in ranked]
        widths = await page.value(WIDTHS)
        assert widths == pytest.approx([100 * share for _, share in ranked], abs=0.01)
        assert await page.value("document.getElementById('player').src.startsWith('blob:')")
        await page.until("document.getElementById('player').duration > 0")
        for scheme in ("light", "dark"):
            await colours(page, scheme)
            await page.picture(picture(scheme))

    with served(model) as url:
        use(f"{url}/", tmp_path, steps)


def test_a_long_recording_is_shown_over_time(model, tmp_path, picture):
    noise_N = np.random.default_rng(0).normal(0, 0.1, 8000 * 8)
    soundfile.write(tmp_path / "long.wav", noise_N, 8000)

    async def steps(page):
        phone = {"width": 360, "height": 900, "deviceScaleFactor": 2, "mobile": True}
        await page.call("Emulation.setDeviceMetricsOverride", **phone)
        await page.drop("#drop", tmp_path / "long.wav")
        await page.until(SHOWN)
        assert await page.value("document.getElementById('over-time').hidden")
        await page.value("document.getElementById('timeline').click()")
        await page.until("!document.getElementById('over-time').hidden")
        rows = "document.querySelectorAll('#map .map-row').length"
        cells = "document.querySelectorAll('#map .cells div').length"
        assert await page.value(rows) == len(LABELS)
        assert await page.value(cells) == 5 * len(LABELS)
        assert await page.value("document.querySelectorAll('#rows tr').length") == 5
        assert await page.value(WIDE), "a phone need not scroll sideways"
        await page.picture(picture("over-time-on-a-phone"))

    with served(model) as url:
        use(f"{url}/", tmp_path, steps)


def test_the_microphone_is_heard(model, tmp_path, picture):
    """Chromium's own device beeps each second; the page makes a WAV of it."""
    asked = []

    async def answering(question):
        asked.append(question.waveform)
        (answer,) = in_turn(model, [question])
        return answer

    async def steps(page):
        await page.value("document.getElementById('record').focus()")
        await page.press(" ", 32, " ")
        await page.until("parseFloat(document.getElementById('clock').textContent) >= 1.5")
        assert await page.value(TEXT.format("record")) == "Stop"
        await page.picture(picture("recording"))
        await page.press(" ", 32, " ")
        await page.until(SHOWN)
        assert "your recording" in await page.value(TEXT.format("source"))
        assert await page.value(TEXT.format("record")) == "Record"

    with served(model, answering=answering) as url:
        use(f"{url}/", tmp_path, steps)
    (heard,) = asked
    assert heard.sample_rate in (44100, 48000)
    assert heard.duration_s >= 1.5
    assert np.abs(heard.samples).max() > 0.01, "it beeps"


def test_what_is_refused_is_told(model, tmp_path, picture):
    (tmp_path / "letter.wav").write_text("not audio at all")

    async def steps(page):
        await page.drop("#drop", tmp_path / "letter.wav")
        problem = await page.until(TEXT.format("problem"))
        assert problem.startswith("This recording cannot be used: ")
        assert not await page.value(SHOWN)
        await page.picture(picture("refused"))
        # Chromium itself notes an answer of 422; the page makes no error of it.
        page.errors = [one for one in page.errors if "422" not in one]

    with served(model) as url:
        use(f"{url}/", tmp_path, steps)


def test_a_token_comes_behind_the_hash_and_stays_out_of_sight(finished, model, tmp_path, picture):
    async def steps(page):
        assert await page.value("location.hash") == ""
        assert not await page.value("document.getElementById('token-form').hidden")
        await page.drop("#drop", finished[1][1])
        await page.until(SHOWN)
        await page.picture(picture("token"))

    with served(model, digest=ServerToken(TOKEN).digest) as url:
        use(f"{url}/#token={TOKEN}", tmp_path, steps)


def test_the_keyboard_reaches_everything_in_order(model, tmp_path, picture):
    async def steps(page):
        reached = []
        for _ in range(3):
            await page.press("Tab", 9)
            reached.append(await page.value("document.activeElement.id"))
        assert reached == ["file", "record", "timeline"]
        await page.call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key="Tab",
            modifiers=8,
            windowsVirtualKeyCode=9,
        )
        await page.call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key="Tab",
            modifiers=8,
            windowsVirtualKeyCode=9,
        )
        outline = "getComputedStyle(document.getElementById('drop')).outlineStyle"
        assert await page.value(outline) == "solid", "it is seen where the focus is"
        await page.picture(picture("focus"))

    with served(model) as url:
        use(f"{url}/", tmp_path, steps)
