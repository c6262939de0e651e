"""JupyterLab with a notebook open in a real browser, and what is heard and played in its page."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
from helpers_browser import browser, opened, until
from helpers_taps import TAPS

ROOT = Path(__file__).parents[1]

ALLOWED = (
    "/api/me",
    "favicon",
    "Failed to load resource: the server responded with a status of 404",
)

SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}

ONE_KERNEL = """async () => {
  const { sessionContext } = jupyterapp.shell.currentWidget;
  await sessionContext.ready;
  await sessionContext.session.kernel.info;
}"""

RUN_ALL = """() => {
  jupyterapp.commands.execute("notebook:run-all-cells");
  return jupyterapp.shell.currentWidget.content.widgets.filter(
    ({ model }) => model.type === "code").length;
}"""

NEVER = "jupyterlab.handlers.announcements.NeverCheckForUpdate"

OUTPUTS = """() => jupyterapp.shell.currentWidget.content.widgets.flatMap(
  (cell) => cell.model.outputs?.toJSON() ?? [])"""


def notebook(path, *cells):
    """Write a notebook with these cells of Python."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
    )
    nbformat.write(made, path)
    return path


def live(source, path, *more, parameters="LIVE = True\nENGINES = 'offline'"):
    """Write a copy of a notebook with other parameters, and more cells at its end."""
    made = nbformat.read(source, as_version=4)
    cells = [cell for cell in made.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(cells) == 1
    cells[0].source = parameters
    made.cells += [nbformat.v4.new_code_cell(cell) for cell in more]
    nbformat.write(made, path)
    return path


def other_kernel():
    """A folder with the ipykernel that is not pinned, which `make test` fetches; or None."""
    return next(iter(sorted((ROOT / ".envs").glob("ipykernel-6*"))), None)


class Lab:
    """A notebook that is open in JupyterLab. `page` is Playwright's."""

    def __init__(self, page, folder, began):
        self.page, self.folder, self.began = page, folder, began

    def opened(self):
        """Wait until it is there, and its kernel."""
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext")
        self.page.evaluate(ONE_KERNEL)
        return self

    def seconds(self):
        """How long ago the page was opened."""
        return time.monotonic() - self.began

    def run_all(self):
        """Run every cell; asserts that none failed."""
        before = self._count()
        cells = self.page.evaluate(RUN_ALL)
        # The kernel's count, for JupyterLab 4.6 may miss that a cell is done.
        until(self.page, lambda: self._count() >= before + cells, seconds=120, why=self.printed)
        problems = [each for each in self.outputs() if each["output_type"] == "error"]
        assert not problems, json.dumps(problems, indent=1)

    def _count(self):
        return int(self.python("print(get_ipython().execution_count)"))

    def outputs(self):
        """What the cells printed and showed, as a notebook keeps it."""
        return self.page.evaluate(OUTPUTS)

    def printed(self):
        """What the cells printed."""
        return "".join(
            "".join(each["text"]) for each in self.outputs() if each["output_type"] == "stream"
        )

    def restart(self):
        """Restart the kernel, as its menu does; returns once it is there again."""
        self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        self.page.evaluate(ONE_KERNEL)

    def python(self, code):
        """Run code in the kernel, beside the cells, and give back what its last line prints."""
        return self.page.evaluate(
            """async (code) => {
              const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
              const future = kernel.requestExecute({ code, store_history: false });
              let said = "";
              future.onIOPub = ({ header, content }) => {
                if (header.msg_type === "stream") said += content.text;
                if (header.msg_type === "error") said += content.traceback.join("\\n");
              };
              const reply = await future.done;
              if (reply.content.status !== "ok") throw new Error(said || reply.content.evalue);
              return said;
            }""",
            code,
        )

    def theme(self, name):
        """Change JupyterLab's colours: “JupyterLab Light” or “JupyterLab Dark”."""
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })",
            name,
        )
        dark = "false" if "Dark" in name else "true"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{dark}']", state="attached")

    def alone(self):
        """Leave only the notebook to see: no side bars, no menus."""
        self.page.evaluate(
            """async () => {
              const { shell, commands } = jupyterapp;
              shell.collapseLeft();
              shell.collapseRight?.();
            }"""
        )


@contextmanager
def lab(path, fake_wav=None, *, dark=False, packages=None, allowed=(), viewport=(1200, 1400)):
    """The notebook, open in a JupyterLab of its own, with nothing run yet.

    `packages` is a folder whose packages its kernel prefers. Errors in the console and requests to
    another host fail the test at the end.
    """
    with contextlib.ExitStack() as stack:
        folder, url = stack.enter_context(serving(path, packages))
        chromium = stack.enter_context(browser(fake_wav))
        began = time.monotonic()
        page = stack.enter_context(
            opened(
                chromium,
                url,
                dark=dark,
                allowed=(*ALLOWED, *allowed),
                before=TAPS,
                viewport={"width": viewport[0], "height": viewport[1]},
            )
        )
        yield Lab(page, folder, began).opened()


@contextmanager
def serving(path, packages=None):
    """The folder with a copy of the notebook, and where a JupyterLab of its own shows it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "work").mkdir()
        shutil.copy(path, folder / "work")
        shutil.copytree(ROOT / "notebooks" / "figures", folder / "work" / "figures")
        with _server(folder, packages) as (address, token):
            yield folder / "work", f"{address}lab/tree/{Path(path).name}?token={token}"


@contextmanager
def _server(folder, packages):
    token = "for-this-test-only"
    runtime = folder / "runtime"
    for name, values in SETTINGS.items():
        file = folder / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    here = {name: value for name, value in os.environ.items() if not name.startswith("VOICE_KIT_")}
    environment = here | {
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join([*([str(packages)] if packages else []), str(ROOT)]),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser"),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"),
        *(f"--ServerApp.root_dir={folder / 'work'}", f"--IdentityProvider.token={token}"),
        *("--LabApp.expose_app_in_browser=True", f"--LabApp.check_for_updates_class={NEVER}"),
        *("--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
    ]
    log = folder / "server.log"
    with log.open("wb") as said:
        server = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        yield _ready(server, runtime, log, token), token
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _ready(server, runtime, log, token):
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        assert server.poll() is None, log.read_text()
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(ValueError, urllib.error.URLError, ConnectionError):
                address = json.loads(file.read_text(encoding="utf-8"))["url"]
                ask = urllib.request.Request(
                    f"{address}api", headers={"Authorization": f"token {token}"}
                )
                with urllib.request.urlopen(ask, timeout=5):
                    return address
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(0.05)
    raise AssertionError(f"JupyterLab did not start: {log.read_text()}")
