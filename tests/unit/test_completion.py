"""What a shell completes, asked as the shell asks: bash itself, and Click's protocol of the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ciliumlab.cli import main

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def completed(*words: str, shell: str = "bash", **environment: str) -> list[str]:
    """What is offered for the last of the words."""
    asked = {
        "_CILIUMLAB_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["ciliumlab", *words]),
        "COMP_CWORD": str(len(words)) if shell != "fish" else words[-1],
    }
    result = subprocess.run(
        ["ciliumlab"],
        env=ENVIRONMENT | {"CILIUMLAB_TOPOLOGY": ""} | asked | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    # Click prints an empty line for nothing.
    return [line.rpartition(",")[2] for line in result.stdout.splitlines() if line]


def test_bash_takes_the_script_and_completes_with_it() -> None:
    script = (
        'eval "$(ciliumlab completion bash)"; COMP_WORDS=(ciliumlab ssh k8s-); COMP_CWORD=2;'
        ' complete -p ciliumlab >&2; _ciliumlab_completion ciliumlab; echo "${COMPREPLY[@]}"'
    )
    result = subprocess.run(
        ["bash", "-c", script], env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "-F _ciliumlab_completion ciliumlab" in result.stderr
    assert result.stdout.split() == ["k8s-ctr", "k8s-w1", "k8s-w0"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["doc"], ["doctor"]),
        (["mirror", "f"], ["fetch"]),
        (["up", "k8s-w1", "rou"], ["router"]),
        (["up", "--kind", "g"], ["guest"]),
        (["plan", "--data", "l2"], ["l2_announcements="]),
        (["doctor", "--data", "datap"], ["datapath="]),
        (["completion", "z"], ["zsh"]),
        (["ssh", "nobody"], []),
    ],
)
def test_commands_machines_and_settings_are_completed(words: list[str], expected: list[str]) -> None:
    assert completed(*words) == expected


def test_machines_are_those_of_the_named_file(tmp_path: Path) -> None:
    text = (ROOT / "inventory" / "lab.yaml").read_text()
    lab = tmp_path / "lab.yaml"
    lab.write_text(text.replace("k8s-w0", "other-one"))
    assert completed("ssh", "--topology", str(lab), "oth") == ["other-one"]
    assert completed("ssh", "oth", CILIUMLAB_TOPOLOGY=str(lab)) == ["other-one"]
    lab.write_text("nonsense")
    assert completed("ssh", "--topology", str(lab), "oth") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_their_own_script(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_CILIUMLAB_COMPLETE={shell}_complete" in result.output


def test_an_unknown_shell_is_a_wrong_call() -> None:
    result = CliRunner().invoke(main, ["completion", "tcsh"])
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.output
