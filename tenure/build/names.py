"""Names for what nobody named: adjective-noun-number, at most 20 characters."""

from __future__ import annotations

import random

_ADJECTIVES = """
able agile alert ample apt awake bold brave bright brisk calm candid civil clean clear clever cosy crisp daring
deft eager early exact fair famous fast fine firm fleet fond frank free fresh gentle glad golden grand great
handy happy hardy hearty honest humble jolly keen kind lively loyal lucid lucky mellow merry mild modest neat
nimble noble novel open patient placid plucky polite prime proud quick quiet rapid ready rich robust rosy sage
serene sharp silent smart smooth sober solid sound spry stable steady still sunny sure swift tidy tough true
upbeat valiant vivid warm wise witty young zesty
"""
_NOUNS = """
acorn alder anchor apple aspen auk badger bay beech birch bison brook cedar cliff cloud clover comet coral crane
creek crow dale dawn deer delta dove dune eagle elk elm falcon fern field finch fjord flint forest fox gale
garnet glade grove gull hare harbor hawk hazel heath heron hill holly ibis iris island ivy jay kelp kite lagoon
lake lark laurel leaf lily linden lynx maple marsh meadow mole moon moss newt oak oasis olive orca osprey otter
owl pearl pine pond poplar quail rain raven reed reef ridge river robin rook rowan sable sage seal shore sky
snow spruce star stoat stone storm stork swan swift teal thrush tide trout vale vole wave willow wolf wren yew
"""
ADJECTIVES, NOUNS = _ADJECTIVES.split(), _NOUNS.split()
HIGHEST = 999


def generated(source: random.Random) -> str:
    """A name such as `brave-otter-417`, from a passed generator."""
    return f"{source.choice(ADJECTIVES)}-{source.choice(NOUNS)}-{source.randint(0, HIGHEST)}"
