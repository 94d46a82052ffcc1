"""The wheel, as a user installs it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rl_editor.checkpoints import shipped_folder

_ROOT = Path(__file__).parents[2]


def test_shipped_files_are_found_in_a_checkout() -> None:
    assert (shipped_folder("configs") / "README.md").is_file()
    assert (shipped_folder("models") / "README.md").is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(_ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_our_package_and_nothing_else_at_its_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"rl_editor"}
    assert "rl_editor/py.typed" in names
    assert sum(info.file_size for info in zipfile.ZipFile(wheel).infolist()) < 25e6


def test_shipped_files_are_found_in_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import rl_editor.checkpoints as c; from pathlib import Path\n"
        f"assert Path(c.__file__).is_relative_to({str(tmp_path)!r}), c.__file__\n"
        "assert (c.shipped_folder('configs') / 'README.md').is_file()\n"
        "assert (c.shipped_folder('models') / 'README.md').is_file()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=60)
