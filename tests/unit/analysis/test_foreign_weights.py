"""Fetching weights from a server that behaves, and from some that do not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rl_editor.analysis.foreign_weights import download, kept_weights, opening
from rl_editor.errors import CheckpointError
from rl_editor.progress import ignore

WEIGHTS = bytes(range(256)) * 12_000  # three blocks


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/none":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/unmeasured":
            self.send_header("Content-Length", str(len(WEIGHTS)))
        self.end_headers()
        self.wfile.write(WEIGHTS[: 1000 if self.path == "/broken" else None])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Server) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["whole", "unmeasured"])
def test_what_is_fetched_is_what_was_published(server: str, name: str, tmp_path: Path) -> None:
    shares: list[float] = []
    download(f"{server}/{name}", tmp_path / "new" / name, what="net", report=lambda stage, share: shares.append(share))
    assert (tmp_path / "new" / name).read_bytes() == WEIGHTS
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("name", "reason"), [("none", "Not Found"), ("broken", f"after 1000 of {len(WEIGHTS)} bytes"), ("", "refused")]
)
def test_what_can_not_be_fetched_leaves_a_line_and_no_file(server: str, name: str, reason: str, tmp_path: Path) -> None:
    url = f"{server}/{name}" if name else "http://127.0.0.1:9/"  # nobody listens to the discard port
    with pytest.raises(CheckpointError, match=reason) as error:
        download(url, tmp_path / "net.ckpt", what="net", report=ignore)
    assert url in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_an_interruption_leaves_no_file(server: str, tmp_path: Path) -> None:
    def interrupt(stage: str, share: float) -> None:
        if share > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(f"{server}/whole", tmp_path / "net.ckpt", what="net", report=interrupt)
    assert not list(tmp_path.iterdir())


def test_weights_are_kept_where_torch_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert kept_weights("net.ckpt") == tmp_path / "hub" / "checkpoints" / "net.ckpt"


def test_an_error_of_many_lines_becomes_one(tmp_path: Path) -> None:
    file = tmp_path / "net.ckpt"
    file.touch()
    with pytest.raises(CheckpointError) as error, opening(file, what="net", kinds=".ckpt"):
        raise RuntimeError("missing keys\nand many more")
    assert str(error.value) == f"{file}: not weights of net (missing keys)"
