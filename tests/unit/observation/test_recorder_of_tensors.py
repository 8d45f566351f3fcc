"""What only torch's tensors tell the recorder: their counter of in-place changes."""

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="every value here is a torch tensor")

Execute = Callable[..., Any]

CASES = [
    ("t += 1", "t@1[3]"),
    ("t[0] = 1", "t@1[3]"),
    ("t.data = torch.zeros(4)", "t@1[4]"),
    ("if false:\n    t += 1", ""),
    ("try:\n    t += boom()\nexcept ValueError:\n    pass", ""),
    ("with suppress(ValueError):\n    t *= 2\n    boom()", "t@2[3]"),
    ("a, t[0] = torch.zeros(2), 5", "a@1[2] t@1[3]"),
    ("net.weight = nn.Parameter(torch.zeros(3, 2))", "net.weight@1[3,2]"),
    ("net.weight.data = torch.zeros(3, 2)", "net.weight@1[3,2]"),
    ("net.weight.grad = None", "net.weight@1[3,2]"),
    ("with torch.no_grad():\n    net.weight += 1", "net.weight@2[3,2]"),
    ("with torch.no_grad():\n    net.weight[0] = 1\n    net.bias.zero_()", "net.weight@2[3,2]"),
]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("source", "expected"), CASES)
def test_a_change_in_place_is_seen_with_and_without_the_watch(
    execute: Execute, new_namespace: Callable[[], dict[str, Any]], source: str, expected: str
) -> None:
    more = {"torch": torch, "nn": torch.nn, "t": torch.zeros(3), "net": torch.nn.Linear(2, 3)}
    result = execute(source, {**new_namespace(), **more})
    assert result.error is None
    assert result.brief == expected.split()


BRANCHES = [
    ("if true:\n    t += 1", "t@2[3]"),
    ("if true:\n    t[0] = 1", "t@2[3]"),
    ("for i in range(2):\n    t[i] = i", "t@2[3]"),
    ("if false:\n    t[0] = 1\nt += 1", "t@3[3]"),
    ("for i in range(2000):\n    t.mul_(0.5)\n    if i == 99999:\n        t[0] = 1", ""),
    ("for i in range(2000):\n    t.mul_(0.5)\n    if i == 99999: t[0] = 1", ""),
    ("for i in range(2000):\n    t += 1\n    if i == 99999:\n        t = torch.ones(5)", "t@2[3]"),
    ("for i in range(2000):\n    t = t * 2\n    if i == 99999:\n        t = torch.ones(5)", "t@2[3]"),
    ("for i in range(2000):\n    setattr(net, 'bias', None)\n    if i == 99999:\n        net.bias = t", ""),
    ("for i in range(2000):\n    for j in [1]:\n        u = t * 2\n    if i == 99999:\n        t = t + 1", "u@3[3]"),
]


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(("source", "expected"), BRANCHES)
def test_a_branch_is_told_even_where_it_stands_in_a_long_loop(
    execute: Execute, new_namespace: Callable[[], dict[str, Any]], source: str, expected: str
) -> None:
    namespace = {**new_namespace(), "torch": torch, "t": torch.zeros(3), "net": torch.nn.Linear(2, 3)}
    namespace["globals"] = lambda: namespace
    result = execute(source, namespace)
    assert result.error is None
    assert result.brief == expected.split()


@pytest.mark.usefixtures("either_way")
def test_a_change_in_place_by_other_code_is_no_proof_of_a_branch(
    execute: Execute, new_namespace: Callable[[], dict[str, Any]]
) -> None:
    namespace = {**new_namespace(), "t": torch.zeros(3)}
    assert execute("if false:\n    t[0] = 1\nelse:\n    t.mul_(2)", namespace).brief == []
