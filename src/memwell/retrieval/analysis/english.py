"""English words that say little: those without a topic, and common ones."""

from __future__ import annotations

__all__ = ["COMMON", "SLIPS", "STOP_WORDS"]

STOP_WORDS = frozenset(
    """a about above after again all also am an and any are aren't as at be because been before
    being between both but by can can't cannot could couldn't did didn't do does doesn't doing
    don't down during each for from had hadn't has hasn't have haven't having he he'd he'll he's
    her here hers herself him himself his how i i'd i'll i'm i've if in into is isn't it it'd
    it'll it's its itself just let's may me might more most must my myself no nor not now of off
    on once only or other our ours ourselves out over own same shall she she'd she'll she's
    should shouldn't so some such than that that's the their theirs them themselves then there
    there's these they they'd they'll they're they've this those through to too under until up
    us very was wasn't we we'd we'll we're we've were weren't what what's when where where's
    which while who who's whom whose why will with won't would wouldn't yes you you'd you'll
    you're you've your yours yourself yourselves""".split()
)
"""English words without a topic, left out of the index and of every query."""

SLIPS = frozenset("wat waht wht wht wich whitch whcih wher whre wehn whn hwo teh hte taht thier thsi".split())
"""Misspelt stop words, which say nothing in a question."""

COMMON = frozenset(
    """ask become begin bring call came come do does end feel find gave get gets getting give gives go goes
going gone good got great happen have help keep kept kind know last let like long look lot made make makes making many
mean much need never new often old one people place put really said say see seem show start still stop take taken takes
taking talk tell tend thing things think time took try turn use used usually want way week went work working year
day always ever every else other anything something someone anyone everything everyone please name called currently
current latest recent recently anybody everybody somebody""".split()
)
"""Words that occur with every topic."""
