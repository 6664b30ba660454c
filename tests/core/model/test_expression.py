"""Arithmetic over variables: results and refusals."""

import ast

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.expression import MAX_DEPTH, MAX_NODES, MAX_TEXT, parse_expression

NAN = np.nan
NAMES = ("NIR", "RED", "SCL")
RANDOM = np.random.default_rng(3)
NIR, RED, SCL = (RANDOM.normal(size=200) for _ in NAMES)
VALUES = {"NIR": NIR, "RED": RED, "SCL": SCL}


def evaluate(text, **values):
    arrays = {name: np.array(each, dtype=float) for name, each in values.items()}
    return parse_expression(text, arrays).evaluate(arrays)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(NIR - RED) / (NIR + RED)", (NIR - RED) / (NIR + RED)),
        ("NIR + RED * SCL - 2", NIR + RED * SCL - 2),
        ("-NIR ** 2 + +RED", -(NIR**2) + RED),
        ("NIR // 0.3 + RED % 0.7", NIR // 0.3 + RED % 0.7),
        ("2.5e-1 * NIR - .5 + 1.", 0.25 * NIR - 0.5 + 1),
        ("2 ** -NIR", 2.0**-NIR),
        ("abs(NIR) + sqrt(abs(RED))", np.abs(NIR) + np.sqrt(np.abs(RED))),
        ("exp(NIR) + log(abs(NIR))", np.exp(NIR) + np.log(np.abs(NIR))),
        ("log2(NIR * NIR) - log10(NIR * NIR)", np.log2(NIR * NIR) - np.log10(NIR * NIR)),
        ("sin(NIR) + cos(RED) + tan(SCL)", np.sin(NIR) + np.cos(RED) + np.tan(SCL)),
        ("atan(NIR) + atan2(NIR, RED)", np.arctan(NIR) + np.arctan2(NIR, RED)),
        ("asin(clip(NIR, -1, 1)) + acos(clip(RED, -1, 1))", np.arcsin(NIR.clip(-1, 1)) + np.arccos(RED.clip(-1, 1))),
        ("floor(NIR) + ceil(RED) + round(SCL) + sign(NIR)", np.floor(NIR) + np.ceil(RED) + np.rint(SCL) + np.sign(NIR)),
        ("min(NIR, RED) + max(NIR, RED, SCL, 0)", np.minimum(NIR, RED) + np.max([NIR, RED, SCL, 0 * NIR], axis=0)),
        ("clip(NIR, RED, 1)", np.minimum(np.maximum(NIR, RED), 1)),
        ("where(NIR > RED, NIR, -1)", np.where(NIR > RED, NIR, -1)),
        ("(NIR > RED) * NIR", (NIR > RED) * NIR),
        ("NIR > RED and RED > SCL", (NIR > RED) & (RED > SCL)),
        ("not NIR >= RED or RED <= SCL", ~(NIR >= RED) | (RED <= SCL)),
        ("(NIR < RED) & (RED < SCL) | ~(SCL < 0)", (NIR < RED) & (RED < SCL) | ~(SCL < 0)),
        ("-1 < NIR < RED", (NIR > -1) & (NIR < RED)),
        ("(NIR == NIR) + (NIR != RED)", 1.0 + (NIR != RED)),
        ("NIR * pi", NIR * np.pi),
    ],
)
def test_a_result_is_numpys_own(text, expected):
    np.testing.assert_allclose(parse_expression(text, NAMES).evaluate(VALUES), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A + B", [3, NAN, NAN]),
        ("A > B", [0, NAN, NAN]),
        ("A > 0 or B > 0", [1, NAN, NAN]),
        ("where(isnan(A), B, A)", [1, 2, 4]),
        ("where(A > 3, B, A)", [1, NAN, NAN]),
        ("where(B > 3, nan, 7)", [7, 7, NAN]),
        ("min(A, B)", [1, NAN, NAN]),
        ("isnan(A) + isnan(B)", [0, 1, 1]),
    ],
)
def test_cell_has_a_value_where_all_operands_have_one(text, expected):
    np.testing.assert_array_equal(evaluate(text, A=[1, NAN, 4], B=[2, 2, NAN]), expected)


@pytest.mark.parametrize("text", ["1 / A", "log(A)", "10 ** (400 + A)", "-1 / A", "A / A", "sqrt(A - 1)", "A % 0"])
def test_non_finite_result_is_no_value_without_a_warning(text):
    assert np.isnan(evaluate(text, A=[0.0])).all()


def test_a_result_is_float64_of_the_shape_of_the_values():
    result = parse_expression("A > 1", {"A"}).evaluate({"A": np.zeros((2, 3))})

    assert (result.dtype, result.shape) == (np.float64, (2, 3))


def test_names_are_those_used_in_their_order():
    assert parse_expression("NIR / (RED + NIR) + SCL").names == NAMES


def test_expressions_are_equal_however_they_are_spaced():
    assert parse_expression(" (A+B)/ 2\n") == parse_expression("(A + B) / 2")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__[0].__subclasses__()",
        "A.__class__",
        "A.tofile",
        "A[0]",
        "open(A)",
        "eval(A)",
        "exec(A)",
        "getattr(A, A)",
        "(lambda: A)()",
        "[A for A in A]",
        "max(A for A in A)",
        "max(*A)",
        "max(**A)",
        "where(A > 1, x=A)",
        "A if A else A",
        "(A := 1)",
        "(yield A)",
        "await A",
        "A in A",
        "A is A",
        "A; A",
        "A = 1",
        "A @ A",
        "A << 9",
        "A ^ A",
        "'a' * 9",
        'f"{A}"',
        "b'a'",
        "{A: A}",
        "(A, A)",
        "...",
        "None",
        "True",
        "1j * A",
        "0x10 + A",
        "1_000 * A",
        "012 + A",
        "A # comment",
        "A \\\n + A",
        "A\x00",
        "Å",
        "\uff41",
        "abs.A",
        "A()",
        "abs(abs)(A)",
        "abs",
        "abs()",
        "abs(A, A)",
        "min(A)",
        "clip(A, 1)",
        "not A",
        "A and A",
        "A > 1 & A > 2",
        "where(A, A, A)",
        "~A",
        "1e999 * A",
        "1" + "0" * 400 + " * A",
        "9 ** 9 ** 9 ** 9",
        "1 + 1",
        "nan",
        "",
        "   ",
        "A +",
        ")",
        "(" * 400 + "A" + ")" * 400,
        "-" * 900 + "A",
        "abs(" + "-" * 900 + "A)",
        "open(" + "-" * 900 + "A)",
        "+".join(["A"] * 300),
        "A" + " " * MAX_TEXT,
    ],
    ids=lambda text: text[:30],
)
def test_only_arithmetic_is_accepted(text):
    with pytest.raises(InvalidParameter) as caught:
        parse_expression(text, {"A"})

    assert caught.value.locator == "expression"
    assert len(caught.value.message) < 600


def test_misspelt_variable_is_reported_with_the_nearest():
    with pytest.raises(InvalidParameter, match="'NIRR' is not a variable of the collection; did you mean NIR"):
        parse_expression("NIRR + RED", NAMES)


def test_error_lists_what_is_accepted():
    with pytest.raises(InvalidParameter, match=r"names of variables.*sqrt\(\)"):
        parse_expression("A[0]", {"A"})


def test_the_largest_expressions_are_computed():
    deep = "abs(" * (MAX_DEPTH - 1) + "A" + ")" * (MAX_DEPTH - 1)
    wide = "max(" + ", ".join(["A"] * 90) + ")"

    assert evaluate(deep, A=[-1]).tolist() == [1]
    assert evaluate(wide, A=[-1]).tolist() == [-1]


def test_a_tower_of_powers_costs_nothing():
    # In whole numbers it would not end.
    assert np.isnan(evaluate("A + 9 ** 9 ** 9 ** 9 ** 9 ** 9", A=[1])).all()


def parsed_or_refused(text):
    try:
        return parse_expression(text, NAMES)
    except InvalidParameter:
        return None


@given(st.text(max_size=MAX_TEXT + 50))
def test_any_text_is_an_expression_or_refused(text):
    parsed_or_refused(text)


words = st.sampled_from(
    [
        *(*NAMES, *"+-*/%()<>&|~,.=:[]{}'#\\", "**", "//", "<=", "==", "!=", ":=", "and", "or", "not", "if", "else"),
        *("in", "is", "lambda", "for", "await", "yield", "None", "where", "abs", "min", "isnan", "clip", "open", "2.5"),
    ]
)


@given(st.lists(words, max_size=40))
def test_any_words_are_an_expression_that_can_be_computed_or_refused(parts):
    expression = parsed_or_refused(" ".join(parts))

    result = NIR if expression is None else expression.evaluate(VALUES)
    assert result.shape == NIR.shape


numbers = st.floats(-100, 100).map(lambda number: repr(abs(number)))
leaves = st.sampled_from(NAMES) | numbers
arithmetic = st.recursive(
    leaves,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        )
        | st.tuples(st.sampled_from(["sqrt", "abs", "exp", "log", "floor"]), inner).map(
            lambda parts: "{}({})".format(*parts)
        )
    ),
    max_leaves=12,
)


@example("(0.99999 ** 65.5625)")
@given(arithmetic)
def test_arithmetic_equals_that_of_python_and_numpy(text):
    functions = {name: getattr(np, name) for name in ("sqrt", "abs", "exp", "log", "floor", "power", "float64")}
    with np.errstate(all="ignore"):
        code = compile(_with_numpy_numbers(f"NIR * 0 + {text}"), "<test>", "eval")
        expected = np.asarray(eval(code, {**functions, **VALUES}), dtype=float)

    result = parse_expression(f"NIR * 0 + {text}", NAMES).evaluate(VALUES)

    np.testing.assert_array_equal(result, np.where(np.isfinite(expected), expected, np.nan))


def _with_numpy_numbers(text):
    """Return the code of a text whose numbers overflow as numpy's do."""

    class Numbers(ast.NodeTransformer):
        def visit_Constant(self, node):
            return ast.Call(ast.Name("float64", ast.Load()), [node], [])

        def visit_BinOp(self, node):
            self.generic_visit(node)
            if not isinstance(node.op, ast.Pow):
                return node
            # The operator between two of numpy's numbers is libm's, whose last digit may be another.
            return ast.Call(ast.Name("power", ast.Load()), [node.left, node.right], [])

    return ast.fix_missing_locations(Numbers().visit(ast.parse(text, mode="eval")))


def test_limits_are_those_of_the_documentation():
    assert (MAX_TEXT, MAX_NODES, MAX_DEPTH) == (1000, 250, 64)
