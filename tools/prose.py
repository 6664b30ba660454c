"""Check the English of all texts of the repository (`python -m tools.prose`).

The rules of STYLE.md are in two lists. Phrases of `prose_words.txt` are errors in documents, messages, viewer
texts and public docstrings, with a remedy. The patterns below are counted in all texts, as ordinary English needs some
of them now and then; `ceilings.txt` limits their number per package, and the number may only fall.

    python -m tools.prose             errors; 1 if there are any
    python -m tools.prose --rates     patterns per 1,000 words, by package and kind of text
    python -m tools.prose --show P    all matches in the package P
    python -m tools.prose --lower     lower the ceilings to today's numbers, then list errors
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tools import ceilings
from tools.ceilings import package_of
from tools.texts import Text, list_files, read_commits, read_texts

ROOT = Path(__file__).parents[1]
COMMAND = "python -m tools.prose"
MAX_WORDS = 40
"""Words of a sentence in a document."""
MAX_COMMIT_RATE = 8
"""Patterns per 1,000 words of the subjects of commits."""
FIRST_COMMIT = "c19386ff"
"""Subjects of later commits are checked."""
RULE = "prose"

PATTERNS = {
    "relative clause as noun": r"\bwhat(?:ever)?\b(?!\?)",
    "text without its noun": (
        r"(?m)^(?:Of|In which|By which|Which|Whose|For which|With which|From which|Those|That of|As|To|Beside|Among|By"
        r"|Where)\b"
    ),
    "preposition and relative": (
        r"\b(?:of|by|in|for|from|with|at|on|to|through|below|before|after|beside) (?:which|whom)\b"
    ),
    "pronoun and relative": (
        r"\b(?:those|that|one|ones|all|none|any|each|others?|nothing|anything)"
        r" (?:that|of|which|who|else|in|at|with|there)\b"
    ),
    "such without a noun": r"\bsuch\b(?! as\b| a\b| an\b)",
    "as it is": (
        r"\bas (?:it|they|he|she|that|those|this|one|each)"
        r" (?:is|are|was|were|has|have|had|does|do|did|would|may|can|stands?|comes?|came)\b"
        r"|\bas (?:is|are|was|were)\b|\bas (?:far|long) as\b"
    ),
    "is there": r"\b(?:is|are|was|were|it|that|they|be) (?:there|none|gone|away|at hand|elsewhere|so|over|to be)\b",
    "program that speaks": (
        r"\b(?:tells?|told|telling|says?|said|asks?|asked|asking|knows?|known|knew|learnt?|learns?|looks? (?:at|for)"
        r"|looked at|hears?|heard|wants?|wanted)\b"
    ),
    "where for if": r"\bwhere (?!is\b|are\b|to\b)",
    "archaic phrase": (
        r"\bin place of\b|\bbeside\b|\bfurther\b|\banew\b|\bat once\b|\bby turns\b|\bno matter\b|\bfor ever\b"
        r"|\bgoes? on\b|\bgoing on\b|\bnothing but\b|\ball but\b|\bbut for\b|\bof (?:its|their|his) own\b"
        r"|\bin between\b|\bmeanwhile\b|\bthereby\b|\bof now\b|\bin turn\b|\bone after (?:the )?another\b"
        r"|\bone over the other\b|\bfrom one another\b|\bone another\b"
    ),
    "rate with an article": (
        r"\b(?:one|\d+|bytes?|rows?|files?|values?|requests?|times?|pixels?|lines?|seconds|megabytes|mib|mb) an?"
        r" (?:second|minute|day|hour|date|layer|field|file|worker|core|tile|time|instant|series|place|picture|page|side"
        r"|cell|process|request|item|piece|band|pixel|line|chunk|source|collection|archive|year|thread)\b"
    ),
    "inversion": (
        r"\b(?:has|have|are|is|were|was) (?:only|also|then|thus|not|never|no|been)?\s*(?:to be)\b|\bis it\b|\bmay it\b"
        r"|\bcan it\b|\bnor\b|, of (?:its|their|the|each|one|a|an|all|several|many|two)\b|: of "
        r"|\bOf (?:several|many|two|all|both|such|each|one|a|an|it|them|these|those)\b"
    ),
}
"""Patterns of unidiomatic English. Patterns with capital letters are matched case-sensitively, see `_CASED`."""
_CASED = {"text without its noun", "inversion"}
COMPILED = {name: re.compile(text, 0 if name in _CASED else re.IGNORECASE) for name, text in PATTERNS.items()}
WORD = re.compile(r"[A-Za-z][A-Za-z'-]+")


class Phrase(NamedTuple):
    """A phrase that is an error, and its remedy."""

    pattern: re.Pattern[str]
    remedy: str


def read_phrases(text: str) -> list[Phrase]:
    """Return the phrases of a list with lines of the form `pattern => remedy`; `#` starts a comment."""
    pairs = (line.split(" => ") for line in text.splitlines() if line and not line.startswith("#"))
    spaced = ((left.replace(" ", r"\s+"), right) for left, right in pairs)
    return [Phrase(re.compile(rf"(?<![\w-])(?:{left})(?!\w)", re.IGNORECASE), right) for left, right in spaced]


def without_code(text: str) -> str:
    """Return a text with `x` instead of code in backticks."""
    return re.sub(r"`[^`]*`", "`x`", text)


def find_errors(path: Path, name: str, phrases: Iterable[Phrase]) -> Iterator[str]:
    """Yield phrases in a file that are errors, with line and remedy, and sentences of documents that are too long."""
    for text in read_texts(path):
        if text.kind in ("comment", "attribute", "private docstring", "test name"):
            continue
        words = without_code(text.text)
        for phrase in phrases:
            for match in phrase.pattern.finditer(words):
                at = f"{name}:{text.line + words.count(chr(10), 0, match.start())}"
                yield f"{at}: “{' '.join(match[0].split())}”: {phrase.remedy}"
        for sentence in re.split(r"[.!?:;]\s|\|", words) if text.kind == "document" else ():
            if (count := len(re.findall(r"[^\W_][^\s/]*", sentence))) > MAX_WORDS:
                yield f"{name}:{text.line}: a sentence of {count} words: write shorter ones"


def count_words(text: str) -> int:
    """Return the number of words of a text."""
    return len(WORD.findall(text))


def find_patterns(text: Text) -> Iterator[tuple[str, str]]:
    """Yield the name of each pattern in a text, with the matching text."""
    words = without_code(text.text)
    for name, pattern in COMPILED.items():
        if name == "text without its noun" and text.kind == "document":
            continue
        for match in pattern.finditer(words):
            yield name, " ".join(match[0].split())


def count_patterns(root: Path) -> Counter[tuple[str, str]]:
    """Return the number of patterns in the files of each package, by rule and package."""
    counts = Counter[tuple[str, str]]()
    for path in list_files(root):
        package = package_of(path.relative_to(root).as_posix())
        counts[RULE, package] += sum(1 for text in read_texts(path) for _match in find_patterns(text))
    return +counts


def check_commits(root: Path) -> Iterator[str]:
    """Yield an error if the subjects of commits since `FIRST_COMMIT` have too many patterns."""
    texts = list(read_commits(root, FIRST_COMMIT)) if (root / ".git").exists() else []
    words = sum(count_words(text.text) for text in texts)
    matches = [(text.text, match) for text in texts for _name, match in find_patterns(text)]
    if len(matches) > max(MAX_COMMIT_RATE * words / 1000, 1):
        first = "; ".join(f"“{match}” in “{subject}”" for subject, match in matches[:5])
        yield f"commits: {len(matches)} patterns in {words} words, at most {MAX_COMMIT_RATE} in 1,000: {first}"


def print_rates(root: Path) -> None:
    """Print words and patterns per 1,000 words, by package and by kind of text."""
    words, matches = Counter[str](), Counter[str]()
    for path in list_files(root):
        package = package_of(path.relative_to(root).as_posix())
        for text in read_texts(path):
            for group in (package, f"[{text.kind}]", f"[{package.split('/')[0]}: {text.kind}]"):
                words[group] += count_words(text.text)
                matches[group] += sum(1 for _match in find_patterns(text))
    for group in sorted(words):
        print(f"{group:44}{words[group]:9}{matches[group]:8}{1000 * matches[group] / max(words[group], 1):8.1f}")


def print_matches(root: Path, package: str) -> None:
    """Print all matches in the files of a package, by file."""
    lines = defaultdict[str, list[str]](list)
    for path in list_files(root):
        name = path.relative_to(root).as_posix()
        if name.startswith(package):
            for text in read_texts(path):
                lines[name] += [f"{text.line}: {rule}: {match}" for rule, match in find_patterns(text)]
    for name, matches in lines.items():
        print(name, *(f"  {match}" for match in matches), sep="\n")


def list_errors(root: Path) -> list[str]:
    """Return all errors: phrases, long sentences, packages above their ceiling, and subjects of commits."""
    phrases = read_phrases(Path(__file__).with_name("prose_words.txt").read_text(encoding="utf-8"))
    errors = [
        error
        for path in list_files(root)
        if not path.relative_to(root).as_posix().startswith(("tests/", "benchmarks/", "tools/"))
        for error in find_errors(path, path.relative_to(root).as_posix(), phrases)
    ]
    limits = ceilings.read_ceilings(root, {RULE})
    return [*errors, *ceilings.compare(count_patterns(root), limits, COMMAND), *check_commits(root)]


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Run the command of the arguments; return the exit status."""
    match arguments:
        case [] | ["--lower"]:
            if arguments:
                ceilings.lower(root, count_patterns(root), {RULE})
            errors = list_errors(root)
            return ceilings.print_errors(errors)
        case ["--rates"]:
            print_rates(root)
        case ["--show", package]:
            print_matches(root, package)
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
