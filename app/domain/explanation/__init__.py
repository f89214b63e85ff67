"""What became of an instant, in one word and in plain English: facts go in, a sentence comes out; no I/O."""

from app.domain.explanation.explain import explain, nothing_due
from app.domain.explanation.facts import Explanation, Facts, Finding, Standing

__all__ = ["Explanation", "Facts", "Finding", "Standing", "explain", "nothing_due"]
