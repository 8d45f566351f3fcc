"""Text, HTML and JSON of one explanation, together."""

import json
from collections.abc import Callable

import pytest

from shapeguard import annotate
from shapeguard.records import Edit, Finding, Fix, Operand, Report, Source, Span, Spec
from shapeguard.rendering import finding_text, report_text
from shapeguard.rendering.html import block, finding_block

CODE = {
    "contraction": "import torch\nX = torch.zeros(32, 64)\nW = torch.zeros(64, 16)\nY = X @ W.T\n",
    "constructor": (
        "import torch\nfrom torch import nn\nmodel = nn.Sequential(\n    nn.Linear(4, 8),\n    nn.Linear(6, 2),\n)\n"
        "Y = model(torch.zeros(3, 4))\n"
    ),
    "statement": "import torch\nw = torch.ones(3, requires_grad=True)\nw -= 0.1 * torch.ones(3)\n",
}


@pytest.mark.parametrize("name", CODE)
def test_an_explanation_in_text_html_and_json(name: str, compare_with_golden: Callable[[str, str], None]) -> None:
    report = annotate(CODE[name])
    (finding,) = report.findings
    compare_with_golden(f"explanation/{name}.txt", report_text(report, numbered=True) + "\n")
    compare_with_golden(f"explanation/{name}-full.txt", finding_text(finding, full=True) + "\n")
    compare_with_golden(f"explanation/{name}.html", block(report) + "\n")
    compare_with_golden(f"explanation/{name}.json", json.dumps(finding.as_json(), indent=1) + "\n")
    assert Finding.from_json(finding.to_json()) == finding


SPEC = Spec("tensor", "torch.Tensor", (2, 3), dtype="float32", device="cpu", requires_grad=True, is_leaf=True)
SPAN = Span(0, 4, 0, 4, 5)


def made(**changes: object) -> Finding:
    fields = {
        "rule": "broadcast",
        "severity": "error",
        "message": "a < b: they differ",
        "span": SPAN,
        "expression": "a < b",
    }
    return Finding(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_long_expression_has_a_line_of_its_own() -> None:
    long = "a_rather_long_name_of_a_tensor @ another_one"
    text = finding_text(made(expression=long, message=f"{long}: they differ"))
    assert text == f"  {long}\n     they differ"


def test_only_a_full_explanation_says_what_else_an_operand_is_and_why_a_repair_may_be_meant() -> None:
    fix = Fix("a transposed", (Edit(SPAN, "a.T < b"),), SPEC, "abstract")
    finding = made(operands=(Operand("a", None, SPEC),), fixes=(fix,))
    assert "leaf" not in finding_text(finding)
    assert "a is f32[2, 3]   leaf, requires_grad" in finding_text(finding, full=True)
    assert finding_text(finding).endswith("try     a.T < b   → f32[2, 3]   ran on small stand-ins")
    assert finding_text(finding, full=True).endswith("ran on small stand-ins, a transposed")


def test_html_escapes_what_the_user_wrote() -> None:
    html = finding_block(made(because=("<script>",)))
    assert "a &lt; b" in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_a_finding_without_an_expression_is_drawn_as_before() -> None:
    report = Report((Source("a.py", "script"),), findings=(made(expression=None),))
    assert report_text(report) == "  error   line 4: a < b: they differ"
