"""The Ray dashboard in a browser: a job's page, and the trials that it lists."""

from chromium import Browser

__all__ = ["TRIALS", "open_job"]

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
# The cells of all tables of a page, once one of them names a trial.
CELLS = "[...document.querySelectorAll('td')].map(e => e.innerText)"
TRIAL_CELLS = f"{CELLS}.some(text => text.startsWith('trial 0')) && {CELLS}"
# The function that trials are listed under.
TRIALS = "WorkerGroupHost.trial"
MOST_ROWS = 500


def open_job(look: Browser, address: str, token: str, job: str) -> list[str]:
    """Open the page of ``job``, and list its trials.

    Args:
        look: the browser.
        address: of the dashboard.
        token: the cluster's.
        job: its submission id, or that of its driver.

    Returns:
        The cells of its tables.
    """
    look.open(address, width=1500, height=1600)
    assert look.ask(SIGN_IN.format(token)) == 200
    look.open("about:blank")  # it goes on asking as it did before it was signed in
    look.open(address, width=1500, height=1600)
    for selector, text in (
        ("a", job),
        ("h4", "Task Table"),
        ("label", "Function or Class Name"),
    ):
        look.wait(CLICK.format(selector, text))
    look.call("Input.insertText", text=TRIALS)
    look.wait(CLICK.format("li", TRIALS))
    # Not the first ten alone: a job may have had many trials.
    look.wait(CLICK.format("label", "Page Size"))
    look.ask("document.activeElement.select()")
    look.call("Input.insertText", text=str(MOST_ROWS))
    cells: list[str] = look.wait(TRIAL_CELLS)
    return cells
