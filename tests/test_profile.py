"""The profile: where it is, whose it is, and the settings in it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from engine.errors import InputError, ProfileError
from engine.profile import FOLDERS, Profile, default_folder
from engine.settings import Keys, Settings, combination, open_settings

HOLDER = """
import sys, time
from pathlib import Path
from engine.profile import Profile
with Profile.open(Path(sys.argv[1])):
    print("open", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIXELOS_HOME", "PIXELOS_MODE", "PIXELOS_KEYS__ASK", "PIXELOS_SIZE"):
        monkeypatch.delenv(name, raising=False)


def test_a_new_profile_has_its_folders(tmp_path: Path) -> None:
    with Profile.open(tmp_path / "new" / "profile") as profile:
        assert all((profile.folder / name).is_dir() for name in FOLDERS)
        assert profile.documents == profile.folder / "documents"
        assert profile.journal_path.name == "journal.sqlite"
        assert not profile.settings_path.exists()


def test_where_the_profile_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_folder().name == "pixelos"
    monkeypatch.setenv("PIXELOS_HOME", str(tmp_path / "home"))
    with Profile.open() as profile:
        assert profile.folder == tmp_path / "home"
    with Profile.open(tmp_path / "asked") as profile:
        assert profile.folder == tmp_path / "asked"


@pytest.mark.parametrize("place", ["file", "file/profile", "folder"])
def test_a_profile_that_cannot_be_made_says_why(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "documents").write_text("not a folder either")
    with pytest.raises(ProfileError, match="is not a folder") as raised:
        Profile.open(tmp_path / place)
    assert "--profile" in str(raised.value)


def test_a_read_only_profile_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ProfileError, match=r"cannot be written \(Permission denied\)"):
        Profile.open(tmp_path / "profile")


def test_a_second_instance_is_refused_until_the_first_one_ends(tmp_path: Path) -> None:
    with holding(tmp_path) as first:
        with pytest.raises(ProfileError, match="already open in another Pixel OS"):
            Profile.open(tmp_path)
        first.kill()
        first.wait()
        Profile.open(tmp_path).close()  # kill -9 leaves no lock behind


def test_a_closed_profile_can_be_opened_again(tmp_path: Path) -> None:
    profile = Profile.open(tmp_path)
    with pytest.raises(ProfileError, match="already open"):
        Profile.open(tmp_path)
    profile.close()
    Profile.open(tmp_path).close()


def test_settings_have_defaults_without_a_file(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "settings.toml")
    assert (settings.size, settings.mode, settings.checkpoint) == ("512x384", "guided", "bundled")
    assert settings.keys.bindings()[frozenset({"ctrl"}), "space"] == "ask"
    assert settings.keys.bindings()[frozenset(), "f3"] == "hud"


def test_the_first_start_leaves_a_file_to_edit(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    assert open_settings(path) == Settings.model_construct()
    text = path.read_text("utf-8")
    assert '#size = "512x384"' in text and '#ask = "ctrl+space"  # the ask bar' in text
    assert tomllib.loads(text) == {"keys": {}}
    every = tomllib.loads("\n".join(line.removeprefix("#") for line in text.splitlines() if line[:2] != "# "))
    assert set(every) == set(Settings.model_fields) and set(every["keys"]) == set(Keys.model_fields)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    chosen = Settings(size="640x448", fullscreen=True, text_size=16, seed=9, keys=Keys(ask="Alt+Ctrl+F"))
    chosen.save(path)
    assert Settings.load(path) == chosen
    assert Settings.load(path).keys.ask == "ctrl+alt+f"


@trying(deadline=None, derandomize=True, max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_style_can_be_saved(tmp_path_factory: pytest.TempPathFactory, style: str) -> None:
    path = tmp_path_factory.getbasetemp() / "settings.toml"
    Settings(style=style).save(path)
    assert Settings.load(path).style == style


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('mode = "guided"\nseed = 3\n[keys]\nhud = "f4"\n')
    monkeypatch.setenv("PIXELOS_HOME", str(tmp_path))  # no setting, and in nobody's way
    monkeypatch.setenv("PIXELOS_MODE", "dream")
    monkeypatch.setenv("PIXELOS_KEYS__ASK", "ctrl+k")
    settings = Settings.load(path)
    assert (settings.mode, settings.seed, settings.keys.hud, settings.keys.ask) == (
        "dream",
        3,
        "f4",
        "ctrl+k",
    )


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ('size = "500x300"', ["size", "'500x300'", "multiples of 64"]),
        ("size = [512, 384]", ["size", "[512, 384]", "WIDTHxHEIGHT"]),
        ('mode = "fast"', ["mode", "'fast'", "guided or dream"]),
        ("text_size = 12", ["text_size", "12", "11, 13, 16, 20"]),
        ('device = "gpu"', ["device", "'gpu'", "cuda:N"]),
        ('folders = ["~nosuchuser/x"]', ["folders: ~nosuchuser/x", "no home folder"]),
        ('folders = [""]', ["folders: the path is empty"]),
        (f'folders = ["/{"x" * 300}"]', ["folders: /xxx", "cannot be looked at"]),
        ("frame_cap = 0", ["frame_cap", "0", "1 to 1000"]),
        ('colour = "red"', ["'colour'", "there are size"]),
        ('[keys]\nask = "ctrl+"', ["keys.ask", "'ctrl+'", "such as ctrl+space"]),
        ('[keys]\nask = "a"', ["keys.ask", "'a'", "f1 to f12"]),
        ('[keys]\nask = "f1"', ["f1 is both ask and help"]),
        ('[keys]\nfly = "f4"', ["'keys.fly'", "there are ask"]),
        ("seed = 1\nsize = \nmode = 2", ["is not TOML", "line 2"]),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, line: str, parts: list[str]) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(line)
    with pytest.raises(InputError) as raised:
        Settings.load(path)
    assert all(part in str(raised.value) for part in ["settings.toml", *parts]), str(raised.value)


def test_a_bad_value_from_the_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELOS_MODE", "fast")
    with pytest.raises(InputError, match="environment variable PIXELOS_MODE: mode cannot be 'fast'"):
        Settings.load(tmp_path / "settings.toml")


def test_settings_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"style = '\xff\xfe'")
    with pytest.raises(InputError, match="is not TOML"):
        Settings.load(path)


def test_settings_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileError, match="cannot be written"):
        Settings.model_construct().save(tmp_path / "file" / "settings.toml")


def test_key_combinations() -> None:
    assert combination("Ctrl++") == (frozenset({"ctrl"}), "+")
    assert combination("shift + f5") == (frozenset({"shift"}), "f5")
    for text in ("", "+", "ctrl", "ctrl+ctrl+a", "hyper+a", "shift+a", "f13", "enter"):
        with pytest.raises(ValueError):
            combination(text)


class holding:
    """Another process that holds the profile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(self.folder)]
        root = Path(__file__).parent.parent
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "open\n"
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
