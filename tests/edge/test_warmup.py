"""`edge warmup` compiles every kernel, so that no start does."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from edge.cli.warmup import KERNEL_MODULES

ROOT = Path(__file__).parents[2]


def has_kernel(source: Path) -> bool:
    """Whether a function of the module is decorated with `@kernel(...)`."""
    decorators = (
        decorator
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
    )
    return any("kernel(" in ast.unparse(decorator) for decorator in decorators)


def test_every_module_with_kernels_is_warmed_up() -> None:
    sources = [path for room in ("edge", "models") for path in (ROOT / room).rglob("*.py")]
    named = {".".join(p.relative_to(ROOT).with_suffix("").parts) for p in sources if has_kernel(p)}
    assert {"models.kernels", "models.beat_shape", "models.beat_rhythm"} <= named
    imports = "".join(f"import {module}\n" for module in KERNEL_MODULES)
    run = subprocess.run(
        [sys.executable, "-c", f"import sys\n{imports}print('\\n'.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert named <= set(run.stdout.split())
