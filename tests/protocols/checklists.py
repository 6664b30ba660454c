"""Which lines of OGC's checklists the tests stand for."""

import ast
from pathlib import Path


def names_held(folder: Path) -> set[str]:
    """What the `checklist` decorators of a folder's tests name."""
    modules = [ast.parse(path.read_text()) for path in folder.glob("test_checklist_*.py")]
    calls = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.Call)]
    marks = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "checklist"]
    return {each.value for mark in marks for each in ast.walk(mark) if isinstance(each, ast.Constant)}
